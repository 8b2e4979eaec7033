// The programs of this folder, built as a user's would be: one file each, no loader beside them.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'

/** Where the programs are, as `relay.cjs` and `load.cjs`; removed when this process exits. */
export async function buildPrograms(): Promise<string> {
  const outDir = mkdtempSync(join(tmpdir(), 'striper-bench-'))
  process.once('exit', () => rmSync(outDir, { recursive: true, force: true }))
  const entry = Object.fromEntries(
    ['relay', 'load'].map(name => [name, fileURLToPath(new URL(`${name}.ts`, import.meta.url))]),
  )
  await build({
    config: false,
    entry,
    outDir,
    format: ['cjs'],
    outExtension: () => ({ js: '.cjs' }),
    target: 'node20',
    noExternal: [/./],
    splitting: false,
    sourcemap: true,
    silent: true,
    esbuildOptions: options => {
      options.conditions = ['@striper/source']
    },
  })
  return outDir
}
