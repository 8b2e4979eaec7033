// Peers with the key that do what the command never does, and clients whose server is not there, or
// is another one now.

import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect, frame, gather, listen, mux, type Mux, parseSecret, stack, trunk } from 'striper'
import {
  type Channel,
  type Layer,
  type PipeError,
  tlsClient,
  tlsServer,
  type TcpServer,
} from 'striper'
import { afterEach, expect, test } from 'vitest'
import { closed, closedPort, collect, dial, serve } from '../../../examples/test/scene.ts'
import { encodeRequest } from '../src/pure/request.ts'
import { newSecret } from '../src/secret.ts'
import { blackHole } from './black-hole.ts'
import { forwarded, heldPort, killAll, startClient, startServer } from './tunnel-scene.ts'

const KEY = newSecret().reveal()
const secret = parseSecret(KEY)

const muxes: Mux[] = []
const listeners: TcpServer[] = []
afterEach(async () => {
  for (const each of muxes.splice(0)) each.destroy()
  await killAll()
  await Promise.all(listeners.splice(0).map(each => each.destroy()))
})

const echo = (socket: Socket) => void socket.pipe(socket)

/** A client of our own, of which every channel is the test's. */
function ownClient(port: number): Mux {
  const secrecy = tlsClient({ key: secret })
  const dialLane = (greet: Layer) =>
    stack(connect({ port, host: '127.0.0.1' }), greet, secrecy, frame())
  const own = mux(trunk({ lanes: [dialLane] }), { role: 'dial' })
  muxes.push(own)
  return own
}

/** How a channel with that header fails. */
async function refused(own: Mux, header: Buffer): Promise<string> {
  const [error] = (await once(own.open({ header }), 'error')) as [PipeError]
  return error.sentence
}

test('a client that asks for what there is not is refused, and its other channels go on', async () => {
  const target = await serve(echo)
  const { server, port } = await startServer(KEY, ['--allow', `127.0.0.1:${target}`])
  const own = ownClient(port)
  const where = { forward: 0, host: '127.0.0.1', port: target }
  const good = own.open({ header: encodeRequest({ what: 'connect', ...where }) })
  good.on('error', () => undefined)
  good.write('x')
  await once(good, 'data')
  expect(await refused(own, encodeRequest({ what: 'accepted', ...where }))).toMatch(
    /a client connects, and does not accept/,
  )
  expect(await refused(own, Buffer.from('garbage'))).toMatch(/the peer refused: /)
  expect(await refused(own, Buffer.alloc(0))).toMatch(/the peer refused: /)
  good.write('y')
  await once(good, 'data')
  expect(server.snapshot().totals.refused).toBe(3)
})

test('a server that opens what it was not asked for is refused, and dials nobody through its client', async () => {
  let dialled = 0
  const target = await serve(() => dialled++)
  const opened: Channel[] = []
  const lanes = gather({
    layers: bytes => stack(bytes, tlsServer({ keys: secret }), frame()),
    onSession: session => {
      const own = mux(session, { role: 'accept', onChannel: channel => void channel.read(0) })
      muxes.push(own)
      const where = { host: '127.0.0.1', port: target }
      for (const request of [
        { what: 'connect', forward: 0, ...where },
        { what: 'listen', forward: 0, ...where },
        { what: 'accepted', forward: 1, ...where },
      ] as const) {
        const channel = own.open({ header: encodeRequest(request) })
        channel.on('error', () => undefined)
        opened.push(channel)
      }
    },
  })
  const listener = await listen({ port: 0, host: '127.0.0.1' }, lane => lanes.accept(lane))
  listeners.push(listener)
  const client = startClient(KEY, listener.port, ['-R', `0:127.0.0.1:${target}`, '--lanes', '1'])
  await client.said(/session \w+ is up/)
  while (opened.length < 3 || opened.some(({ closed }) => !closed)) {
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  for (const { errored } of opened) {
    expect(errored).toMatchObject({ code: 'ERR_PIPE_CONNECT' })
    expect((errored as PipeError).sentence).toContain('it was not asked for')
  }
  expect([dialled, client.snapshot().totals.refused]).toEqual([0, 3])
})

test('what has passed is counted for ever, at both ends', async () => {
  const target = await serve(echo)
  const { server, port } = await startServer(KEY, ['--allow', `127.0.0.1:${target}`])
  const client = startClient(KEY, port, ['-L', `0:127.0.0.1:${target}`])
  const at = await forwarded(client)
  for (const bytes of [1000, 234]) {
    const socket = dial(at)
    socket.end(Buffer.alloc(bytes))
    await collect(socket)
  }
  const open = () => server.snapshot().open.channels + client.snapshot().open.channels
  while (open() > 0) await new Promise(resolve => setTimeout(resolve, 5))
  for (const { totals } of [client.snapshot(), server.snapshot()]) {
    expect(totals).toMatchObject({ bytesIn: 1234, bytesOut: 1234, channels: 2, refused: 0 })
  }
})

test('regression: 300 connections at once to a target that does not answer are not in the way of others', async () => {
  const target = await serve(echo)
  await blackHole('127.0.0.2', target)
  const allow = ['--allow', `127.0.0.0/30:${target}`]
  const { server, port } = await startServer(KEY, allow)
  const client = startClient(KEY, port, [
    ...['-L', `0:127.0.0.2:${target}`, '-L', `0:127.0.0.1:${target}`],
  ])
  const [, hole] = await client.said(/127\.0\.0\.1:(\d+) to 127\.0\.0\.2:\d+, made by the server/)
  const [, good] = await client.said(/127\.0\.0\.1:(\d+) to 127\.0\.0\.1:\d+, made by the server/)
  await client.said(/session \w+ is up/)
  const waiting = Array.from({ length: 300 }, () => dial(Number(hole)))
  while (server.snapshot().open.channels < 300) {
    expect(waiting.filter(each => each.errored)).toEqual([])
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  const socket = dial(Number(good))
  socket.write('x')
  await once(socket, 'data')
})

test('once it was let in, a client goes on trying, also where a server with another key answers', async () => {
  const target = await serve(echo)
  const allow = ['--allow', `127.0.0.1:${target}`]
  const { server, port } = await startServer(KEY, allow)
  const client = startClient(KEY, port, ['-L', `0:127.0.0.1:${target}`, '--lanes', '1'])
  const at = await forwarded(client)
  await client.said(/session \w+ is up/)
  await server.kill()
  const other = await startServer(newSecret().reveal(), [], port)
  await client.said(/the server does not let us in/)
  await new Promise(resolve => setTimeout(resolve, 1200)) // what it has at the start to find a way
  expect(client.lines.join('')).not.toContain('ended with')
  await other.server.kill()
  await startServer(KEY, allow, port)
  const socket = dial(at)
  socket.write('x')
  await once(socket, 'data')
})

test('a client without a server stops at the first signal, and resets who waits', async () => {
  const client = startClient(KEY, await closedPort(), ['-L', '0:127.0.0.1:80', '--lanes', '1'])
  const waiting = dial(await forwarded(client))
  await once(waiting, 'connect')
  while (client.snapshot().limits.every(({ used }) => used === 0)) {
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  client.stop()
  await closed(waiting)
  expect(await client.over).toBeUndefined()
})

test('who waited for a session, and has gone, has no channel in it', async () => {
  let dialled = 0
  const target = await serve(() => dialled++)
  const { port: lanes, free } = await heldPort()
  const client = startClient(KEY, lanes, ['-L', `0:127.0.0.1:${target}`, '--lanes', '1'])
  const at = await forwarded(client)
  const gone = dial(at)
  await once(gone, 'connect')
  while (client.snapshot().limits.every(({ used }) => used === 0)) {
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  gone.resetAndDestroy()
  await new Promise(resolve => setTimeout(resolve, 50))
  await free()
  await startServer(KEY, ['--allow', `127.0.0.1:${target}`], lanes)
  await client.said(/session \w+ is up/)
  await new Promise(resolve => setTimeout(resolve, 50))
  expect([client.snapshot().totals.channels, dialled]).toEqual([0, 0])
})
