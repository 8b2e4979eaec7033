// -R: whose port it is, what becomes of it when server or network go away, and how many may come by
// it.

import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { Network } from '../../../examples/test/network.ts'
import { closed, collect, dial, keep, serve, servers } from '../../../examples/test/scene.ts'
import { newSecret } from '../src/secret.ts'
import { type End, killAll, startClient, startServer } from './tunnel-scene.ts'
import { file } from './world.ts'

// Its clients ask again after a while, on a machine that has other things to do.
vi.setConfig({ testTimeout: 60_000 })

afterEach(killAll)

const KEY = newSecret().reveal()
const OTHER = newSecret().reveal()
const ANY = ['--allow-listen', '127.0.0.1:*']

const saying = (word: string) => (socket: Socket) => void socket.end(word)

async function reversed(client: End, target = ''): Promise<number> {
  const [, port] = await client.said(
    new RegExp(String.raw`server \S*:(\d+) to 127\.0\.0\.1:${target}\S*, made from here`),
  )
  return Number(port)
}

const TAKEN = /server does not listen at .*EADDRINUSE/

test('each of several -R reaches its own target', async () => {
  const [one, two] = [await serve(saying('one')), await serve(saying('two'))]
  const { port } = await startServer(KEY, ANY)
  const to = (target: number) => ['-R', `0:127.0.0.1:${target}`]
  const client = startClient(KEY, port, [...to(one), ...to(two)])
  for (const [target, word] of [
    [one, 'one'],
    [two, 'two'],
  ] as const) {
    const socket = dial(await reversed(client, String(target)))
    socket.end()
    expect((await collect(socket)).toString()).toBe(word)
  }
})

test('a port of a session that has lost its lanes is for who has its key, and for nobody else', async () => {
  const keys = ['--key-file', file(KEY), '--key-file', file(OTHER)]
  const { server, port } = await startServer('', [...keys, ...ANY])
  const network = new Network(port)
  await network.up()
  const first = startClient(KEY, network.port, ['-R', '0:127.0.0.1:1'])
  const at = await reversed(first)
  const again = ['-R', `${at}:127.0.0.1:1`]
  const early = startClient(KEY, port, again)
  await early.said(TAKEN) // the first has lanes
  await early.kill()
  await network.down()
  while (server.snapshot().open.lanes > 0) await new Promise(resolve => setTimeout(resolve, 5))
  await startClient(OTHER, port, again).said(TAKEN) // and goes on asking
  expect(await reversed(startClient(KEY, port, again))).toBe(at)
})

test('a port that is taken is asked for again, and had when it is free', async () => {
  const occupant = net.createServer().listen(0, '127.0.0.1')
  servers.push(occupant)
  await once(occupant, 'listening')
  const { port: taken } = occupant.address() as net.AddressInfo
  const { port } = await startServer(KEY, ANY)
  const client = startClient(KEY, port, ['-R', `${taken}:127.0.0.1:1`])
  await client.said(TAKEN)
  occupant.close()
  expect(await reversed(client)).toBe(taken)
})

test('a server that stops ends what it listens at, so that it is over, and its client looks for another', async () => {
  const { server, port } = await startServer(KEY, ANY)
  const client = startClient(KEY, port, ['-R', '0:127.0.0.1:1'])
  const at = await reversed(client)
  server.stop()
  expect(await server.over).toBeUndefined()
  await client.said(/the server takes nothing new on it/)
  await startServer(KEY, ANY, port)
  const count = () => client.lines.filter(line => line.includes('made from here')).length
  while (count() < 2) await new Promise(resolve => setTimeout(resolve, 5))
  expect(at).toBeGreaterThan(0)
})

test('connections that come by a -R are channels, of which there are so many', async () => {
  const target = await serve(socket => void socket.pipe(socket))
  const { server, port } = await startServer(KEY, [...ANY, '--max-channels', '1'])
  const client = startClient(KEY, port, ['-R', `0:127.0.0.1:${target}`])
  const at = await reversed(client)
  const one = dial(at)
  one.write('x')
  await once(one, 'data')
  await closed(dial(at).resume().end())
  await server.said(/refused: as many channels as there may be/)
  one.write('x')
  await once(one, 'data')
})

test('--allow-listen :PORT is every address, and -R with a star listens at every one', async () => {
  const target = await serve(saying('from everywhere'))
  const { port } = await startServer(KEY, ['--allow-listen', ':*'])
  const client = startClient(KEY, port, ['-R', `*:0:127.0.0.1:${target}`])
  const at = await reversed(client)
  const socket = keep(net.connect({ host: '127.0.0.2', port: at }))
  expect((await collect(socket)).toString()).toBe('from everywhere')
})
