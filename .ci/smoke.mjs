// Runs the command, and each example and bench, once, briefly, as a user would start it. Every
// program in examples/ and bench/ must be in the list: one that is not there, or is there and not
// in the list, is a failure.
//
//   node .ci/smoke.mjs

import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { posix } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const anywhere = ['--listen', '127.0.0.1:0', '--to', '127.0.0.1:9']
const folder = mkdtempSync(`${tmpdir()}/striper-smoke-`)
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
const key = ['--key', `${folder}/key`]
const ready = /127\.0\.0\.1:\d+/
/** Each must exit with 0 by itself; or, where it has an `until`, print what matches it and then
 *  exit with 0 on SIGINT. A `planned` one is not written yet, and is skipped by name. */
const runs = [
  {
    program: 'examples/demo/demo.ts',
    args: ['--json', '--lanes', '2', '--size', '24', '--cap', '3'],
  },
  { program: 'examples/relay.ts', args: anywhere, until: ready },
  { program: 'examples/striping-proxy.ts', args: ['--role', 'exit', ...anywhere], until: ready },
  { program: 'examples/striping-proxy.ts', args: ['--role', 'entry', ...anywhere], until: ready },
  { program: 'examples/stack.ts', args: [] },
  { program: 'examples/tunnel.ts', args: ['--role', 'key', ...key] },
  {
    program: 'examples/tunnel.ts',
    args: ['--role', 'server', ...key, '--listen', '127.0.0.1:0', '--allow', '127.0.0.1:9'],
    until: ready,
  },
  {
    program: 'examples/tunnel.ts',
    args: ['--role', 'client', ...key, '--to', '127.0.0.1:9', '-L', '0:127.0.0.1:9'],
    until: ready,
  },
  { program: 'packages/cli/src/main.ts', args: ['relay', ...anywhere], until: ready },
  { program: 'packages/cli/src/main.ts', args: ['--version'] },
  ...['relay', 'server', 'client', 'status', 'key', 'convert'].map(name => {
    return { program: 'packages/cli/src/main.ts', args: [name, '--help'] }
  }),
  { program: 'bench/bench.ts', args: ['relay', '--smoke'] },
  { program: 'bench/bench.ts', args: ['stripe', '--smoke'] },
  { program: 'bench/bench.ts', args: ['codec', 'frame', '--rounds', '1'] },
  { program: 'bench/bench.ts', args: ['wan', '--smoke'] },
  { program: 'bench/bench.ts', args: ['tunnel', 'idle', '--count', '200'] },
  { program: 'bench/soak/lanes.ts', args: ['--size', '16'] },
  ...['relay', 'proxy', 'tunnel'].map(through => {
    const args = ['--through', through, '--seconds', '4', '--looks', '2']
    return { program: 'bench/soak/conversations.ts', args }
  }),
  { program: 'bench/soak/short.ts', args: ['--count', '200'] },
]

const LIMIT_MS = 60_000
const root = fileURLToPath(new URL('..', import.meta.url))
const exists = path => existsSync(`${root}${path}`)

/** The programs of a folder: what nothing else there imports, and is no test. */
function programs(folder) {
  if (!exists(folder)) return []
  const files = readdirSync(`${root}${folder}`, { recursive: true })
    .map(path => posix.join(folder, path.replaceAll('\\', '/')))
    .filter(path => path.endsWith('.ts'))
  const imported = files.flatMap(path =>
    [...readFileSync(`${root}${path}`, 'utf8').matchAll(/'(\.{1,2}\/[^']+\.ts)'/g)].map(match =>
      posix.join(posix.dirname(path), match[1]),
    ),
  )
  return files.filter(path => !imported.includes(path) && !path.includes('/test/'))
}

/** Resolves when the program did as it should; rejects with what was wrong and all that it said. */
function run({ program, args, until }) {
  return new Promise((resolve, reject) => {
    const node = ['--import', 'tsx', '--conditions=@striper/source', program, ...args]
    const child = spawn(process.execPath, node, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    let late = false
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
    }, LIMIT_MS)
    const listen = text => {
      const before = until?.test(said)
      said += text
      // Once: a second may mean another thing.
      if (!before && until?.test(said)) child.kill('SIGINT')
    }
    child.stdout.setEncoding('utf8').on('data', listen)
    child.stderr.setEncoding('utf8').on('data', listen)
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      if (late) reject(new Error(`not done in ${LIMIT_MS / 1000} s\n${said}`))
      else if (code !== 0) reject(new Error(`exit ${code ?? signal}\n${said}`))
      else if (until && !until.test(said)) reject(new Error(`never said ${until}\n${said}`))
      else resolve()
    })
  })
}

/** What became of one of the list, as a word to print. */
async function outcome(entry) {
  if (!entry.planned)
    return run(entry).then(
      () => 'ok',
      error => `FAILED  ${error.message}`,
    )
  if (exists(entry.program)) return 'FAILED  it is written: take `planned` away'
  return 'skipped, not written yet'
}

const report = (program, word) => {
  console.log(`${program}: ${word}`)
  if (word.startsWith('FAILED')) process.exitCode = 1
}

for (const entry of runs) report(entry.program, await outcome(entry))
const listed = new Set(runs.map(entry => entry.program))
for (const program of [...programs('examples'), ...programs('bench')]) {
  if (!listed.has(program)) report(program, 'FAILED  it is not in the list of .ci/smoke.mjs')
}
