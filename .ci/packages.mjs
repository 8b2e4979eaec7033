// Checks the packages as their users meet them: packs each, lints the tarball (publint, attw),
// installs them all in an empty folder, and compiles and runs consumer.mts there as ESM and as
// CommonJS. Builds nothing.
//
//   npm run build && node .ci/packages.mjs

import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'striper-packages-'))
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
const tool = name => join(root, 'node_modules', '.bin', name)
const manifest = path => JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'))
const published = manifest('.').workspaces.map(manifest)

/** Runs a command and gives its output; throws with all that it said where it fails. */
function run(command, args, cwd = folder) {
  return new Promise((resolve, reject) => {
    execFile(command, args, { cwd, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout)
      reject(new Error(`${command} ${args.join(' ')}\n${stdout}${stderr}`, { cause: error }))
    })
  })
}

async function step(name, work) {
  const started = performance.now()
  const note = (await work())?.trim()
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`ok  ${name}${note ? `: ${note}` : ''} (${seconds} s)`)
}

/** `npm pack` of every workspace; gives the tarball of each package by its name. */
async function pack() {
  const args = ['pack', '--workspaces', '--json', '--pack-destination', folder]
  const packed = Object.values(JSON.parse(await run(npm, args, root)))
  return new Map(packed.map(({ name, filename, files }) => [name, { filename, files }]))
}

/** What a tarball must and must not hold. */
function contents({ name, exports }, { files }) {
  const paths = files.map(file => file.path)
  const targets = JSON.stringify(exports).match(/dist\/[\w.]+/g)
  for (const path of ['README.md', 'dist/LICENSE', ...targets]) {
    if (!paths.includes(path)) throw new Error(`${name}: ${path} is not packed`)
  }
  const odd = paths.filter(path => !/^(dist\/|README\.md$|package\.json$)/.test(path))
  if (odd.length > 0) throw new Error(`${name}: packs ${odd.join(', ')}`)
}

/** Nothing built may lean on the sources, or know where it was built. */
function references({ name }) {
  const dist = join(folder, 'node_modules', name, 'dist')
  for (const file of readdirSync(dist)) {
    const text = readFileSync(join(dist, file), 'utf8')
    const source = /@striper\/source|(from |import\(|require\()['"]\.[^'"]*\.ts['"]/
    const [found] = (file.endsWith('.map') ? null : source.exec(text)) ?? []
    if (found) throw new Error(`${name}: dist/${file} names a source: ${found}`)
    if (text.includes(root)) throw new Error(`${name}: dist/${file} names ${root}`)
  }
}

const COMPILER = ['--strict', '--exactOptionalPropertyTypes', '--target', 'es2022']
const TYPES = ['--types', 'node', '--typeRoots', join(root, 'node_modules', '@types')]

function compile(...options) {
  return run(tool('tsc'), [...COMPILER, ...TYPES, ...options])
}

async function main() {
  let tarballs
  await step('npm pack', async () => {
    tarballs = await pack()
    for (const each of published) contents(each, tarballs.get(each.name))
    return `${tarballs.size} packages`
  })
  for (const { name, exports, main } of published) {
    const { filename } = tarballs.get(name)
    // Node 10's resolution knows no sub-paths.
    const subPaths = Object.keys(exports).some(key => key !== '.' && key !== './package.json')
    const profile = main === undefined ? 'esm-only' : subPaths ? 'node16' : 'strict'
    await step(`publint and attw, ${name}`, async () => {
      await Promise.all([
        run(tool('publint'), ['run', filename, '--strict']),
        run(tool('attw'), [filename, '--profile', profile, '--no-definitely-typed']),
      ])
      return profile
    })
  }
  await step('npm install of the tarballs in an empty folder', async () => {
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true }))
    const files = [...tarballs.values()].map(({ filename }) => `./${filename}`)
    await run(npm, ['install', '--prefer-offline', '--no-audit', '--no-fund', ...files])
    published.forEach(references)
    const { packages } = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'))
    return `${Object.keys(packages).length - 1} packages with what they need`
  })
  const source = join(root, '.ci', 'consumer.mts')
  for (const extension of ['ts', 'mts', 'cts'])
    cpSync(source, join(folder, `consumer.${extension}`))
  await step('tsc --moduleResolution bundler', async () => {
    const options = ['--module', 'esnext', '--moduleResolution', 'bundler', '--noEmit']
    await compile(...options, 'consumer.ts')
  })
  await step('tsc --moduleResolution nodenext, ESM and CommonJS', async () => {
    await compile('--module', 'nodenext', 'consumer.mts', 'consumer.cts')
  })
  await step('the program as ESM', () => run(process.execPath, ['consumer.mjs']))
  await step('the program as CommonJS', () => run(process.execPath, ['consumer.cjs']))
  const command = join(folder, 'node_modules', '.bin', 'striper')
  await step('the command', () => run(command, ['--version']))
}

try {
  await main()
} catch (error) {
  console.error(`FAILED  ${error.message}`)
  process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
