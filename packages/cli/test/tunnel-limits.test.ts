// The limits of a running tunnel: as many as allowed, and not one more, until there is room again.

import { once } from 'node:events'
import type { Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { closed, closedPort, collect, dial, serve } from '../../../examples/test/scene.ts'
import { newSecret } from '../src/secret.ts'
import { type End, forwarded, heldPort, killAll, startClient, startServer } from './tunnel-scene.ts'

afterEach(killAll)

const KEY = newSecret().reveal()

const echo = (socket: Socket) => void socket.pipe(socket)

/** A server, with what it is told, and a client of it, with a forward to a target that echoes. */
async function tunnel(more: { server?: string[]; client?: string[] } = {}) {
  const target = await serve(echo)
  const { server, port: lanes } = await startServer(KEY, [
    ...['--allow', `127.0.0.1:${target}`],
    ...(more.server ?? []),
  ])
  const join = (...args: string[]) =>
    startClient(KEY, lanes, ['-L', `0:127.0.0.1:${target}`, ...args])
  const client = join(...(more.client ?? ['--lanes', '1']))
  return { server, client, join, lanes, target, port: await forwarded(client) }
}

/** Says something and hears it again: the connection is one. */
async function talks(socket: Socket): Promise<void> {
  socket.write('x')
  await once(socket, 'data')
}

/** How the connection fails. */
async function failure(socket: Socket): Promise<unknown> {
  await closed(socket)
  return socket.errored && 'code' in socket.errored && socket.errored.code
}

async function limit(end: End, name: string): Promise<[number, number]> {
  await new Promise(setImmediate)
  const { used, most } = end.snapshot().limits.find(each => each.name === name)!
  return [used, most]
}

/** Waits until the snapshot says so. */
async function until(so: () => boolean): Promise<void> {
  while (!so()) await new Promise(resolve => setTimeout(resolve, 5))
}

test('--max-connections: one more is aborted, and those that are there go on', async () => {
  const { server, client, port, lanes } = await tunnel({ server: ['--max-connections', '3'] })
  const inside = dial(port)
  await talks(inside)
  const strangers = [dial(lanes), dial(lanes)]
  await Promise.all(strangers.map(each => once(each, 'connect')))
  await until(() => server.snapshot().limits.some(({ used }) => used === 3))
  expect(await limit(server, 'connections')).toEqual([3, 3])
  expect(await failure(dial(lanes))).toBe('ECONNRESET')
  await server.said(/127\.0\.0\.1:\d+ there are 3 connections already/)
  await talks(inside)
  strangers[0]!.destroy()
  await until(() => server.snapshot().limits.every(({ used }) => used !== 3))
  const after = dial(lanes)
  await once(after, 'connect')
  await until(() => server.snapshot().limits.some(({ used }) => used === 3))
  expect(after.destroyed).toBe(false)
  expect(client.snapshot().open.lanes).toBe(1)
})

test('--max-sessions: one more client is refused, and let in when another has gone', async () => {
  const { server, client, join } = await tunnel({ server: ['--max-sessions', '2'] })
  await client.said(/session \w+ is up/)
  await join('--lanes', '1').said(/session \w+ is up/)
  const third = join('--lanes', '1')
  await server.said(/a session refused: there are 2 already/)
  await third.said(/session \w+ failed/)
  expect(await limit(server, 'sessions')).toEqual([2, 2])
  await client.kill()
  await third.said(/session \w+ is up/)
})

test('--memory: with none left a client is refused, and let in when another has gone', async () => {
  // A quarter of it is for sessions, and none has less than 512 KiB.
  const { server, client, join } = await tunnel({ server: ['--memory', '32Mi'] })
  const clients = [client, ...Array.from({ length: 15 }, () => join('--lanes', '1'))]
  for (const each of clients) await each.said(/session \w+ is up/)
  expect(await limit(server, 'MB for sessions')).toEqual([9, 8])
  expect(server.lines.join('')).not.toContain('refused')
  const late = join('--lanes', '1')
  await server.said(/a session refused: (there are 16 already|no memory is left for it)/)
  await client.kill()
  await late.said(/session \w+ is up/)
  const socket = dial(await forwarded(late))
  socket.end('a word')
  expect((await collect(socket)).toString()).toBe('a word')
})

test('--memory: the windows of all channels grow by a quarter of it at most, and shrink again', async () => {
  const { server, port } = await tunnel({ server: ['--memory', '16Mi'] })
  const bytes = Buffer.alloc(8 * 2 ** 20)
  const uploads = Array.from({ length: 4 }, async () => {
    const socket = dial(port)
    socket.end(bytes)
    expect((await collect(socket)).length).toBe(bytes.length)
  })
  let most = 0
  const watch = setInterval(() => {
    const { used } = server.snapshot().limits.find(({ name }) => name === 'MB of windows')!
    most = Math.max(most, used)
  }, 1)
  await Promise.all(uploads)
  clearInterval(watch)
  expect(most).toBeGreaterThan(0)
  expect(most).toBeLessThanOrEqual(4)
  await until(() => server.snapshot().open.channels === 0)
  expect(await limit(server, 'MB of windows')).toEqual([0, 4])
})

test('--max-lanes: a session has so many, and the rest of what its client wants waits', async () => {
  const { server, client } = await tunnel({
    server: ['--max-lanes', '2'],
    client: ['--lanes', '3'],
  })
  await client.said(/lane default#\d: waits/)
  expect(server.snapshot().open.lanes).toBe(2)
  expect(client.snapshot().wanted.filter(({ state }) => state === 'up')).toHaveLength(2)
})

test('--max-channels of the server: one more is refused, with the reason at both ends', async () => {
  const { server, client, port } = await tunnel({ server: ['--max-channels', '2'] })
  const open = [dial(port), dial(port)]
  await Promise.all(open.map(talks))
  expect(await limit(server, 'channels')).toEqual([2, 2])
  expect(await failure(dial(port))).toBe('ECONNRESET')
  await server.said(/refused: the server has 2 channels open/)
  await client.said(/was refused: the peer refused: the server has 2 channels open/)
  await Promise.all(open.map(talks))
  open[0]!.end()
  await collect(open[0]!)
  await until(() => server.snapshot().open.channels === 1)
  await talks(dial(port))
})

test('--max-channels of the client: one more is reset, with the reason', async () => {
  const { client, port } = await tunnel({ client: ['--max-channels', '2'] })
  const open = [dial(port), dial(port)]
  await Promise.all(open.map(talks))
  expect(await failure(dial(port))).toBe('ECONNRESET')
  await client.said(/is reset: there are 2 channels open/)
  await Promise.all(open.map(talks))
})

test('256 connections wait for a session, one more is reset, and all 256 go on', async () => {
  const target = await serve(echo)
  const { port: lanes, free } = await heldPort()
  const client = startClient(KEY, lanes, ['-L', `0:127.0.0.1:${target}`, '--lanes', '1'])
  const port = await forwarded(client)
  const waiting = Array.from({ length: 256 }, () => dial(port))
  for (const each of waiting) each.write('x')
  await until(() => client.snapshot().limits.some(({ used }) => used === 256))
  expect(await limit(client, 'waiting')).toEqual([256, 256])
  expect(await failure(dial(port))).toBe('ECONNRESET')
  await client.said(/is reset: 256 wait for a session already/)
  const heard = waiting.map(each => once(each, 'data'))
  await free()
  await startServer(KEY, ['--allow', `127.0.0.1:${target}`], lanes)
  await Promise.all(heard)
  expect(await limit(client, 'waiting')).toEqual([0, 256])
})

test('--connect-timeout: who waits for a session for so long is reset', async () => {
  const client = startClient(KEY, await closedPort(), [
    ...['-L', '0:127.0.0.1:80', '--lanes', '1', '--connect-timeout', '200ms'],
  ])
  expect(await failure(dial(await forwarded(client)))).toBe('ECONNRESET')
  await client.said(/is reset: no session in 200 ms/)
})

test('--handshake-timeout: who says nothing for so long is let go', async () => {
  const { server, port } = await startServer(KEY, ['--handshake-timeout', '200ms'])
  const silent = dial(port)
  await once(silent, 'connect')
  const began = performance.now()
  await failure(silent)
  expect(performance.now() - began, 'not the 10 s that it is otherwise').toBeLessThan(7000)
  await until(() => server.snapshot().limits.every(({ used }) => used === 0))
})
