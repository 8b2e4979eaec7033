// How the packages are built: ESM and CommonJS with types (ESM alone where package.json has no
// `main`), each from the entries that its package.json names (`index` where it names none). All at
// once, in any order: what is not a file of the package stays an import, so that each class exists
// once in a program, and the types of siblings come from their sources.
import { copyFileSync, readFileSync } from 'node:fs'
import { defineConfig, type Options } from 'tsup'

interface Manifest {
  workspaces: string[]
  entries?: string[]
  main?: string
}

const manifest = (folder: string) =>
  JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')) as Manifest

function build(folder: string): Options {
  const { entries = ['index'], main } = manifest(folder)
  return {
    name: folder,
    entry: Object.fromEntries(entries.map(name => [name, `${folder}/src/${name}.ts`])),
    outDir: `${folder}/dist`,
    format: main === undefined ? ['esm'] : ['esm', 'cjs'],
    external: [/^[^./]/],
    removeNodeProtocol: false,
    dts: true,
    sourcemap: true,
    clean: true,
    target: 'node20',
    silent: true,
    onSuccess: () => {
      copyFileSync('LICENSE', `${folder}/dist/LICENSE`)
      return Promise.resolve()
    },
  }
}

export default defineConfig(manifest('.').workspaces.map(build))
