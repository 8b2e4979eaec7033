// A place to run command lines in, without a process for each: a folder of its own, what was
// printed, and an environment with nothing of the machine's.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { main } from '../src/command.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** An empty folder, which is gone after the test. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'striper-cli-'))
  folders.push(path)
  return path
}

/** A file of that text, readable by its owner alone. */
export function file(text: string, name = 'file'): string {
  const path = join(folder(), name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

export interface Result {
  code: number
  output: string
  errors: string
}

/** Runs one command line to its end. */
export async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Result> {
  const result = { code: 0, output: '', errors: '' }
  const home = folder()
  result.code = await main(args, {
    out: line => (result.output += `${line}\n`),
    err: line => (result.errors += `${line}\n`),
    env: { XDG_CONFIG_HOME: home, XDG_RUNTIME_DIR: home, ...env },
  })
  return result
}
