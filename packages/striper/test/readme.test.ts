// The code in README.md and in docs (writing-a-pipe, striping, security, lanes,
// net) does what they say: each block is taken out and run, with the real packages.

import * as events from 'node:events'
import { readFileSync } from 'node:fs'
import { runInThisContext } from 'node:vm'
import * as zlib from 'node:zlib'
import * as testkit from '@striper/testkit'
import * as striper from 'striper'
import { connect, listen, type TcpServer } from 'striper'
import ts from 'typescript'
import * as vitest from 'vitest'
import { expect, test } from 'vitest'

const modules: Record<string, unknown> = {
  striper,
  '@striper/testkit': testkit,
  'node:events': events,
  'node:zlib': zlib,
  vitest,
}

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
const blocksOf = (path: string) =>
  [...read(path).matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code!)

type Run = (require: (name: string) => unknown, exports: object, log: object) => Promise<unknown>

/** Runs code that imports what `modules` has; resolves with what it returned and printed. */
async function run(code: string): Promise<{ returned: unknown; printed: string[] }> {
  const options = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 }
  const js = ts.transpileModule(code, { compilerOptions: options }).outputText
  const body = `(async (require, exports, console) => {${js}})`
  const printed: string[] = []
  const log = (line: string) => printed.push(line)
  const returned = await (runInThisContext(body) as Run)(name => modules[name], {}, { log })
  return { returned, printed }
}

/** Runs a block whose servers are to be had by name. */
async function serve(code: string, name: string): Promise<TcpServer> {
  return (await run(`${code}\nreturn ${name}`)).returned as TcpServer
}

const local = (port: number) => ({ host: '127.0.0.1', port })
const echo = () => listen(local(0), pipe => pipe.pipe(pipe))

/** What comes back from there. */
async function answer(port: number, question: Buffer): Promise<Buffer> {
  const pipe = connect(local(port))
  pipe.end(question)
  const chunks: Buffer[] = []
  for await (const chunk of pipe) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const [relay = '', exit = '', entry = ''] = blocksOf('README.md')
const question = Buffer.alloc(300_000, 'question')

test('the relay of README.md relays', async () => {
  const target = await echo()
  const code = relay.replace('port: 55555', 'port: 0').replace('port: 22', `port: ${target.port}`)
  const server = await serve(code, 'server')
  expect(await answer(server.port, question)).toEqual(question)
  await Promise.all([server.close(), target.close()])
})

test('the striping proxy of README.md carries a conversation', async () => {
  const target = await echo()
  const exitCode = exit.replace('port: 7000', 'port: 0').replace('port: 80', `port: ${target.port}`)
  const far = await serve(exitCode, 'exit')
  const entryCode = entry.replace('port: 8080', 'port: 0')
  const toExit = `host: '127.0.0.1', port: ${far.port}`
  const near = await serve(entryCode.replace("host: 'exit.example', port: 7000", toExit), 'entry')
  expect(await answer(near.port, question)).toEqual(question)
  await Promise.all([near.close(), far.close(), target.close()])
})

test('the proxy of docs/security.md carries a conversation, and lets nobody in without the key', async () => {
  const [make = '', exit = '', entry = ''] = blocksOf('docs/security.md')
  const [text] = (await run(make)).printed
  const [other] = (await run(make)).printed
  const withKey = (code: string, key = text) => `const text = '${key}'\n${code}`
  const target = await echo()
  const exitCode = exit.replace('port: 7000', 'port: 0').replace('port: 80', `port: ${target.port}`)
  const far = await serve(withKey(exitCode), 'exit')
  const toExit = `host: '127.0.0.1', port: ${far.port}`
  const entryCode = entry
    .replace('port: 8080', 'port: 0')
    .replace("host: 'exit.example', port: 7000", toExit)
  const near = await serve(withKey(entryCode), 'entry')
  expect(await answer(near.port, question)).toEqual(question)
  const stranger = await serve(withKey(entryCode, other), 'entry')
  const asked = connect(local(stranger.port))
  asked.on('error', () => undefined).write('anybody there?')
  while (far.connections.size === 0) await new Promise(setImmediate)
  while (far.connections.size > 0) await new Promise(setImmediate)
  expect([target.connections.size, asked.stats.bytesIn]).toEqual([0, 0])
  await stranger.destroy()
  await Promise.all([near.close(), far.destroy(), target.close()])
})

const [toy = '', codec = '', suite = '', ownTests = ''] = blocksOf('docs/writing-a-pipe.md')

test('the toy layer of docs/writing-a-pipe.md prints what it is said to print', async () => {
  const { printed } = await run(toy)
  expect(printed.map(line => line.replace(/#\d+/, '#2'))).toEqual(['inverted(memory#2): Hello'])
})

test('the codec of docs/writing-a-pipe.md is that of examples/stack.ts', () => {
  const example = read('examples/stack.ts')
  const withoutImports = codec.replace(/^import .*\n/gm, '').trim()
  for (const part of withoutImports.split('\n\n')) expect(example).toContain(part)
})

test('the schedule of docs/striping.md chooses as it is said to, and serves a stripe', async () => {
  const [schedule = ''] = blocksOf('docs/striping.md')
  const { printed } = await run(`${schedule}\nawait new Promise(done => near.on('close', done))`)
  expect(printed).toEqual(['lane 1', 'Hello by the nearest lane'])
})

test('the policy of docs/lanes.md keeps lanes up, and says what becomes of each', async () => {
  const gatherer = striper.gather({
    layers: bytes => striper.stack(bytes, striper.frame()),
    onSession: session => session.resume(),
  })
  const server = await listen(local(0), connection => gatherer.accept(connection))
  const [policy = ''] = blocksOf('docs/lanes.md')
  const code = policy
    .replace("'eth0*2', 'wwan0,", "'127.0.0.1*2', 'none0,")
    .replace("host: 'exit.example', port: 7000", `host: '127.0.0.1', port: ${server.port}`)
  const { printed, returned } = await run(`${code}
    while (session.lanes.length < 2 || session.wanted.filter(lane => lane.state === 'up').length < 2)
      await new Promise(done => session.once('wanted', done))
    return session`)
  const session = returned as striper.TrunkPipe
  const lane = (number: number) => [`127.0.0.1#${number}: dialling`, `127.0.0.1#${number}: up`]
  const none = 'none0#1: no such interface now'
  expect(printed.sort()).toEqual([...lane(1), ...lane(2), none])
  session.on('error', () => undefined).destroy()
  await new Promise(resolve => session.once('close', resolve))
  await server.close()
})

test('the server and the connection of docs/net.md print what they are said to print', async () => {
  const [code = ''] = blocksOf('docs/net.md')
  const { printed } = await run(`${code}\nawait new Promise(done => server.once('close', done))`)
  expect(printed).toEqual(['Hello'])
})

// Declares the suite of the document, and its tests, as tests of this file.
await run([codec, suite, ownTests].join('\n'))
