// What becomes of a tunnel's connections when a process of it is killed, told to stop, or may open
// hardly any file: server and client are processes of their own, as a user runs them.

import { once } from 'node:events'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import type { Program } from '../../../examples/lib/program.ts'
import { closed, collect, dial, serve, start } from '../../../examples/test/scene.ts'
import { newSecret } from '../src/secret.ts'
import { file, folder } from './world.ts'

// Each loads several processes from source, beside all else that the machine does.
vi.setConfig({ testTimeout: 90_000 })

type What = Parameters<typeof start>[0]

const echo = (socket: Socket) => void socket.pipe(socket)

/** Starts tunnels with one key, each end with a status socket of its own. */
function tunnels() {
  const key = ['--key-file', file(newSecret().reveal()), '--verbose', '--socket']
  const server = async (target: number, args: string[] = [], what: What = 'striper', port = 0) => {
    const program = start(
      ...([what, 'server', ...key, join(folder(), 's'), ...args] as const),
      ...['--listen', `127.0.0.1:${port}`, '--allow', `127.0.0.1:${target}`],
    )
    const [, at] = await program.printed(/127\.0\.0\.1:(\d+) for lanes/)
    return { program, port: Number(at) }
  }
  const client = async (lanes: number, target: number, what: What = 'striper') => {
    const program = start(
      ...([what, 'client', ...key, join(folder(), 'c'), '--server', `127.0.0.1:${lanes}`] as const),
      ...['-L', `0:127.0.0.1:${target}`, '--lanes', '2'],
    )
    const [, at] = await program.printed(/127\.0\.0\.1:(\d+) to \S+, made by the server/)
    return { program, port: Number(at) }
  }
  return { server, client }
}

/** Says something and hears it again. */
async function talks(socket: Socket): Promise<void> {
  socket.write('x')
  await once(socket, 'data')
}

async function failure(socket: Socket): Promise<unknown> {
  await closed(socket)
  return socket.errored && 'code' in socket.errored && socket.errored.code
}

/** A connection that has begun. */
async function talking(port: number): Promise<Socket> {
  const socket = dial(port)
  await talks(socket)
  return socket
}

test('a server is killed: each connection is reset within 2 s of the reconnect, and new ones work', async () => {
  const target = await serve(echo)
  const { server, client } = tunnels()
  const first = await server(target)
  const near = await client(first.port, target)
  const open = await Promise.all(Array.from({ length: 20 }, () => talking(near.port)))
  const busy = await talking(near.port)
  busy.write(Buffer.alloc(50_000_000)) // it is killed in the middle of this
  busy.pause()
  let resetAt = 0
  const resets = [...open, busy].map(async each => {
    const code = await failure(each)
    resetAt = performance.now()
    return code
  })
  first.program.signal('SIGKILL')
  await first.program.exit
  await server(target, [], 'striper', first.port)
  await near.program.printed(/session \w+ is up[^]*session \w+ is up/)
  const upAt = performance.now()
  busy.resume()
  expect(new Set(await Promise.all(resets))).toEqual(new Set(['ECONNRESET']))
  expect(resetAt - upAt).toBeLessThan(2000)
  const after = await talking(near.port)
  after.end('y')
  expect((await collect(after)).toString()).toBe('y')
})

for (const [role, first, second, code] of [
  ['server', 'SIGINT', 'SIGINT', 130],
  ['server', 'SIGTERM', 'SIGTERM', 143],
  ['client', 'SIGTERM', 'SIGINT', 130],
  ['client', 'SIGINT', 'SIGTERM', 143],
] as const) {
  test(`${role}: ${first} takes nothing new and waits, ${second} aborts with exit code ${code}`, async () => {
    const far: Socket[] = []
    const target = await serve(socket => {
      far.push(socket)
      echo(socket)
    })
    const { server, client } = tunnels()
    const there = await server(target)
    const near = await client(there.port, target)
    const open = await talking(near.port)
    const program = role === 'server' ? there.program : near.program
    program.signal(first)
    await program.printed(/stopping; once more to abort/)
    // The client's port is closed; the server has its client look for another session, in vain.
    if (role === 'server') {
      const late = setInterval(() => dial(near.port).write('x'), 50)
      await near.program.printed(/the server takes nothing new on it/)
      clearInterval(late)
    } else expect(await failure(dial(near.port))).toMatch(/ECONNREFUSED|ECONNRESET/)
    await talks(open)
    expect([program.output, far.length]).toEqual(['', 1])
    program.signal(second)
    expect(await program.exit).toBe(code)
    expect(await failure(open)).toBe('ECONNRESET')
    expect(await failure(far[0]!)).toBe('ECONNRESET')
  })
}

/** How to be a process that may open 128 files: fewer are not enough to load it from source. */
const POOR = { name: 'striper', before: ['bash', '-c', 'ulimit -n 128; exec "$@"', 'bash'] }

/** The limit with which a process can open no more: the lowest number that is free. */
function noMoreThan({ pid }: Program): number {
  const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number))
  let free = 0
  while (open.has(free)) free++
  return free
}

/** Lets a running process open so many files from now on. */
function allowFiles({ pid }: Program, files: number): void {
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${files}:20000`])
}

/** CPU time that a process has used, in clock ticks of 10 ms. */
function ticksOf({ pid }: Program): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return Number(fields[11]) + Number(fields[12])
}

/** That a process does next to nothing for a while. */
async function rests(program: Program): Promise<void> {
  const before = ticksOf(program)
  await new Promise(resolve => setTimeout(resolve, 1000))
  expect(ticksOf(program) - before, 'ticks of the 100 that are in a second').toBeLessThan(50)
}

test.runIf(process.platform === 'linux')(
  'a server of 128 files, and 200 strangers: its client is served, they are let go, and it rests',
  async () => {
    const target = await serve(echo)
    const { server, client } = tunnels()
    const { program, port: lanes } = await server(target, ['--handshake-timeout', '4s'], POOR)
    const near = await client(lanes, target)
    const inside = await talking(near.port)
    const strangers = Array.from({ length: 200 }, () => dial(lanes))
    await program.printed(/127\.0\.0\.1:\d+ there are 64 connections already/)
    while (strangers.filter(each => !each.destroyed).length > 64) {
      await new Promise(resolve => setTimeout(resolve, 10))
    }
    await rests(program)
    await talks(inside)
    for (const each of strangers) each.destroy()
    inside.end()
    await collect(inside)
    await talks(await talking(near.port))
    program.signal('SIGTERM')
    await program.printed(/stopping/)
  },
)

test.runIf(process.platform === 'linux')(
  'a client of 128 files, and 200 connections at once: one too many is reset, and it works on',
  async () => {
    const target = await serve(echo)
    const { server, client } = tunnels()
    const { port: lanes } = await server(target)
    const { program, port } = await client(lanes, target, POOR)
    const first = await talking(port)
    const crowd = Array.from({ length: 200 }, () => dial(port))
    while (crowd.filter(each => !each.destroyed).length > 61) {
      await new Promise(resolve => setTimeout(resolve, 10))
    }
    await program.printed(/is reset: there are 62 channels open/)
    await talks(first)
    await rests(program)
    for (const each of crowd) each.destroy()
    first.end()
    await collect(first)
    const after = await talking(port)
    after.end()
    await collect(after)
    program.signal('SIGTERM')
    expect(await program.exit).toBe(0)
  },
)

test.runIf(process.platform === 'linux')(
  'no file left at a server: channels are refused and say why, what is open goes on, and then all is well',
  async () => {
    const target = await serve(echo)
    const { server, client } = tunnels()
    const { program, port: lanes } = await server(target)
    const near = await client(lanes, target)
    await near.program.printed(/lane default#2: up/)
    const inside = await talking(near.port)
    allowFiles(program, noMoreThan(program))
    for (const each of Array.from({ length: 20 }, () => dial(near.port))) {
      expect(await failure(each)).toBe('ECONNRESET')
    }
    await near.program.printed(/was refused: .*EMFILE \(too many open files/)
    await program.printed(/refused: .*EMFILE \(too many open files/)
    // The system lets nobody else in: who comes is closed as he comes.
    await Promise.all(Array.from({ length: 50 }, () => closed(dial(lanes).resume().end())))
    await rests(program)
    await talks(inside)
    allowFiles(program, 1000)
    await talks(await talking(near.port))
  },
)

test('a client without a server: who waits for a session counts as a channel', async () => {
  const program = start(
    ...(['striper', 'client', '--key-file', file(newSecret().reveal())] as const),
    ...['--socket', join(folder(), 'c'), '--server', '127.0.0.1:1', '--lanes', '1'],
    ...['--max-channels', '3', '-L', '0:127.0.0.1:80'],
  )
  const [, port] = await program.printed(/127\.0\.0\.1:(\d+) to \S+, made by the server/)
  const waiting = [1, 2, 3].map(() => dial(Number(port)))
  await Promise.all(waiting.map(each => once(each, 'connect')))
  expect(await failure(dial(Number(port)))).toBe('ECONNRESET')
  await program.printed(/is reset: there are 3 channels open/)
  expect(waiting.map(each => each.destroyed)).toEqual([false, false, false])
})
