// The control socket: for its owner, a few readers at a time, and nothing but what it says.

import { once } from 'node:events'
import { existsSync, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import net, { type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { ask, MAX_ANSWER_BYTES } from '../src/ask.ts'
import { MAX_READERS, MAX_REQUEST_BYTES, READER_TIMEOUT_MS } from '../src/control.ts'
import { type ControlServer, serveControl } from '../src/control.ts'
import { bounded, MOST_LISTED } from '../src/snapshot.ts'
import { socketPath, socketPaths } from '../src/sockets.ts'
import { channel, lane, session, snapshot } from './scene.ts'
import { folder, run } from './world.ts'

const open: (ControlServer | { close(): unknown })[] = []
const sockets = new Set<Socket>()
afterEach(async () => {
  vi.useRealTimers()
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  await Promise.all(open.splice(0).map(each => each.close()))
})

async function serve(source = () => snapshot(), path = join(folder(), 's')): Promise<string> {
  open.push(await serveControl(path, source))
  return path
}

/** A reader of our own, with all that it was told. */
function reader(path: string) {
  const socket = net.connect({ path }).on('error', () => undefined)
  sockets.add(socket)
  const told = { text: '' }
  socket.setEncoding('utf8').on('data', (text: string) => (told.text += text))
  const closed = once(socket, 'close')
  return { socket, told, closed }
}

/** Waits until a reader was told so many lines. */
async function lines(
  { socket, told }: ReturnType<typeof reader>,
  count: number,
): Promise<string[]> {
  while (told.text.split('\n').length <= count) await once(socket, 'data')
  return told.text.split('\n').slice(0, -1)
}

test('a snapshot comes as it is at the moment of the question', async () => {
  let uptimeMs = 0
  const path = await serve(() => snapshot({ uptimeMs: ++uptimeMs }))
  expect(await ask(path)).toEqual(snapshot({ uptimeMs: 1 }))
  expect(await ask(path)).toEqual(snapshot({ uptimeMs: 2 }))
})

test.runIf(process.platform !== 'win32')("the socket is its owner's alone, and goes", async () => {
  const home = folder()
  const env = { XDG_RUNTIME_DIR: home }
  const path = socketPath('client', env)
  const server = await serveControl(path, () => snapshot(), env)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(statSync(join(home, 'striper')).mode & 0o777).toBe(0o700)
  expect(socketPaths(env)).toEqual([path])
  await server.close()
  expect(existsSync(path)).toBe(false)
})

test('each line is answered with one line, also where they come at once or in pieces', async () => {
  const each = reader(await serve())
  each.socket.write('status\nstatus\nsta')
  await lines(each, 2)
  each.socket.write('tus\n')
  const told = await lines(each, 3)
  expect(told.map(line => JSON.parse(line) as unknown)).toEqual(Array(3).fill(snapshot()))
  each.socket.end()
  await each.closed
})

const stranger: [string, string][] = [
  ['another word', 'reboot\n'],
  ['HTTP', 'GET / HTTP/1.1\r\n'],
  ['an empty line', '\n'],
  ['a line with no end', 'x'.repeat(MAX_REQUEST_BYTES + 1)],
]

test.each(stranger)('%s is answered by closing', async (_, text) => {
  const path = await serve()
  const { socket, told, closed } = reader(path)
  socket.write(text)
  await closed
  expect(told.text).toBe('')
  expect((await ask(path)).pid).toBe(4242)
})

test('a line at the limit is waited for', async () => {
  const path = await serve()
  const each = reader(path)
  each.socket.write('x'.repeat(MAX_REQUEST_BYTES))
  await ask(path) // it came after, and was answered
  expect(each.socket.destroyed).toBe(false)
  each.socket.write('x')
  await each.closed
})

test('there are four readers at once, and a fifth when one has gone', async () => {
  const path = await serve()
  const readers = Array.from({ length: MAX_READERS }, () => reader(path))
  for (const each of readers) each.socket.write('status\n')
  await Promise.all(readers.map(each => lines(each, 1)))
  await expect(ask(path)).rejects.toThrow(/readers enough|closed/)
  readers[0]!.socket.destroy()
  await readers[0]!.closed
  let answer: unknown
  while (answer === undefined) answer = await ask(path).catch(() => undefined)
  expect(answer).toMatchObject({ pid: 4242 })
})

test('a reader that does not read is not answered again, and holds up nobody', async () => {
  let asked = 0
  const big = snapshot({ security: 'x'.repeat(4_000_000) })
  const path = await serve(() => (asked++, big))
  const idle = reader(path)
  idle.socket.pause()
  idle.socket.write('status\n'.repeat(100))
  for (let i = 0; i < 3; i++) {
    idle.socket.write('status\n')
    await ask(path)
  }
  expect(asked).toBe(4) // the idle one's first, and these
})

test('a reader that is silent for a minute is closed', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const path = await serve()
  const each = reader(path)
  each.socket.write('status\n')
  await lines(each, 1)
  vi.advanceTimersByTime(READER_TIMEOUT_MS - 1)
  each.socket.write('status\n')
  await lines(each, 2)
  vi.advanceTimersByTime(READER_TIMEOUT_MS - 1)
  each.socket.write('status\n')
  await lines(each, 3)
  vi.advanceTimersByTime(READER_TIMEOUT_MS)
  await each.closed
})

test('a socket that a process left behind is taken over; one that answers is not', async () => {
  const path = join(folder(), 's')
  const dead = net.createServer()
  dead.listen(path)
  await once(dead, 'listening')
  // As a killed process leaves it: the file stays, and nobody is there.
  renameSync(path, `${path}2`)
  dead.close()
  await once(dead, 'close')
  renameSync(`${path}2`, path)
  await expect(ask(path)).rejects.toThrow(/nobody answers/)
  await serve(undefined, path)
  expect((await ask(path)).pid).toBe(4242)
  await expect(serve(undefined, path)).rejects.toThrow(/EADDRINUSE; --socket PATH names another/)
  expect((await ask(path)).pid).toBe(4242)
})

test('a socket at which something else answers is left alone', async () => {
  const path = join(folder(), 's')
  const other = net.createServer(socket => socket.on('error', () => undefined).end('hello\n'))
  other.listen(path)
  open.push(other)
  await once(other, 'listening')
  await expect(serve(undefined, path)).rejects.toThrow(/EADDRINUSE/)
  await expect(ask(path)).rejects.toThrow(/is not this version/)
})

test('what is not a socket is left alone', async () => {
  const path = join(folder(), 's')
  writeFileSync(path, 'precious')
  await expect(serve(undefined, path)).rejects.toMatchObject({ exitCode: 3 })
  expect(existsSync(path)).toBe(true)
})

test('an answer that is none is an error in a sentence', async () => {
  const path = join(folder(), 's')
  let answer = ''
  const server = net.createServer(socket => socket.on('error', () => undefined).end(answer))
  server.listen(path)
  open.push(server)
  await once(server, 'listening')
  const wrong: [string, RegExp][] = [
    ['', /no answer/],
    ['half a line', /no answer/],
    ['nonsense\n', /is not this version of striper/],
    ['null\n', /is not this version/],
    ['{"format":2}\n', /is not this version/],
    ['x'.repeat(MAX_ANSWER_BYTES + 1), /has no end/],
  ]
  for (const [text, sentence] of wrong) {
    answer = text
    await expect(ask(path)).rejects.toThrow(sentence)
  }
  await expect(ask('/nowhere/s')).rejects.toThrow(/nobody answers at '\/nowhere\/s'/)
})

test('no list of a snapshot is longer than its limit, and of channels the busiest are kept', () => {
  const many = <T>(count: number, make: (i: number) => T) =>
    Array.from({ length: count }, (_, i) => make(i))
  const big = (extra: number) => {
    const lanes = many(MOST_LISTED.lanes + extra, i => lane(i))
    const channels = many(MOST_LISTED.channels + extra, i => channel(i, { bytesIn: i }))
    const one = session({ lanes, channels })
    return snapshot({
      sessions: many(MOST_LISTED.sessions + extra, () => one),
      wanted: many(MOST_LISTED.wanted + extra, () => snapshot().wanted[0]!),
      limits: many(MOST_LISTED.limits + extra, () => snapshot().limits[0]!),
    })
  }
  expect(bounded(big(0))).toEqual(big(0))
  const cut = bounded(big(1))
  const [first] = cut.sessions
  expect(cut.sessions).toHaveLength(MOST_LISTED.sessions)
  expect(cut.wanted).toHaveLength(MOST_LISTED.wanted)
  expect(cut.limits).toHaveLength(MOST_LISTED.limits)
  expect(first!.lanes).toHaveLength(MOST_LISTED.lanes)
  expect(first!.channels).toHaveLength(MOST_LISTED.channels)
  expect(first!.channels.some(({ number }) => number === 0)).toBe(false)
  expect(JSON.stringify(cut).length).toBeLessThan(MAX_ANSWER_BYTES)
})

test('status finds the one that runs, and prints a table, or all of it as JSON', async () => {
  const home = folder()
  const env = { XDG_RUNTIME_DIR: home }
  expect(await run(['status'], env)).toMatchObject({ code: 1, output: '' })
  await serve(undefined, join(mkdirOf(home), 'client-1.sock'))
  expect((await run(['status'], env)).output).toMatch(/^striper client 0\.1\.0 {2}pid 4242/)
  const { output } = await run(['status', '--json'], env)
  expect(output.split('\n')).toHaveLength(2)
  expect(JSON.parse(output)).toEqual(snapshot())
})

test('where several run, status lists them and asks which', async () => {
  const home = folder()
  const paths = ['client-1.sock', 'server-2.sock'].map(name => join(mkdirOf(home), name))
  for (const path of paths) await serve(undefined, path)
  const env = { XDG_RUNTIME_DIR: home }
  const { code, errors } = await run(['status'], env)
  expect(code).toBe(2)
  expect(errors).toContain(`several run; --socket ${paths[0]}, or ${paths[1]}`)
  expect(await run(['status', '--socket', paths[1]!], env)).toMatchObject({ code: 0 })
})

test('status with --watch needs a terminal, and excludes --json', async () => {
  expect((await run(['status', '--watch', '--json'])).errors).toMatch(/exclude each other/)
  expect((await run(['status', '--watch'])).errors).toMatch(/needs a terminal; .* --json/)
  expect((await run(['status', '--socket', '/nowhere/s'])).errors).toMatch(/nobody answers/)
})

function mkdirOf(home: string): string {
  mkdirSync(join(home, 'striper'), { recursive: true })
  return join(home, 'striper')
}
