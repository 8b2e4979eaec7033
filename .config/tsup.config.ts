// How every package is built: ESM and CommonJS with types, from the entries its package.json names
// under "tsup". Siblings stay external, so that each class exists once in a program.
import { readFileSync } from 'node:fs'
import { defineConfig } from 'tsup'

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { entries?: string[] }

export default defineConfig({
  entry: (manifest.entries ?? ['index']).map(name => `src/${name}.ts`),
  format: ['esm', 'cjs'],
  dts: true,
  sourcemap: true,
  clean: true,
  splitting: true, // or CommonJS entries would each get a copy of shared classes
  target: 'node20',
  tsconfig: '../../.config/tsconfig.build.json',
})
