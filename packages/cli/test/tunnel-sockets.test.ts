// What the options of a tunnel ask of its sockets, and of its pieces.

import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import { StripePipe } from 'striper'
import { afterEach, expect, test, vi } from 'vitest'
import { collect, dial, serve, sockets } from '../../../examples/test/scene.ts'
import { asksIn } from '../../tcp/test/kernel.ts'
import { KEY, killAll, startClient, startServer, tunnel } from './tunnel-scene.ts'

/** Nobody else dials from here, so a port of it that was free stays free. */
const OURS = '127.0.0.79'
/** What a piece has room for beside its bytes. */
const HEADERS_BYTES = 64

afterEach(killAll)

const ports = (socket: Socket) => [socket.localPort!, socket.remotePort!] as const

/** Answers each word with itself. */
const echo = (socket: Socket) => void socket.pipe(socket)

/** The two ports of a lane, at the client. */
function lanePorts(from: string, to: string) {
  const port = (address: string) => Number(address.slice(address.lastIndexOf(':') + 1))
  return [port(from), port(to)] as const
}

test.runIf(process.platform === 'linux')(
  '--keep-alive is of every connection: lanes, those taken and those made, at both ends',
  async () => {
    const accepted: Socket[] = []
    const target = await serve(socket => {
      accepted.push(socket)
      echo(socket)
    })
    const options = ['--keep-alive', '5m']
    const rules = ['--allow', `127.0.0.1:${target}`, '--allow-listen', '127.0.0.1:*']
    const { port } = await startServer(KEY, [...options, ...rules])
    const to = `0:127.0.0.1:${target}`
    const client = startClient(KEY, port, ['-L', to, '-R', to, '--lanes', '1', ...options])
    const [, taken] = await client.said(/^\S+ 127\.0\.0\.1:(\d+) to \S+, made by the server/)
    const [, far] = await client.said(/server 127\.0\.0\.1:(\d+) to \S+, made from here/)
    const dialled = [taken, far].map(each => dial(Number(each)))
    for (const socket of dialled) {
      socket.write('hello')
      await once(socket, 'data')
    }
    const lane = client.snapshot().sessions[0]!.lanes[0]!
    // Ours are the other ends of those that the test has.
    const theirs = [...dialled.map(ports), ...accepted.map(ports), lanePorts(lane.from, lane.to)]
    const ours = [...theirs.map(([local, remote]) => [remote, local] as const), theirs.at(-1)!]
    expect(ours).toHaveLength(6)
    for (const [local, remote] of ours) {
      await expect.poll(() => asksIn(local, remote), { timeout: 10_000 }).toBeDefined()
      expect(asksIn(local, remote)).toBeLessThanOrEqual(300)
      expect(asksIn(local, remote)).toBeGreaterThan(150)
    }
    for (const socket of sockets) socket.destroy()
  },
)

test('--max-parcel is of each end by itself, and all bytes arrive', async () => {
  const asked = vi.spyOn(StripePipe.prototype, 'preferredMessageBytes', 'get')
  const { port } = await tunnel(await serve(echo), {
    server: ['--max-parcel', '1Ki'],
    client: ['--max-parcel', '4000'],
  })
  const socket = dial(port)
  const question = Buffer.alloc(1_000_000, 'abc')
  socket.end(question)
  expect((await collect(socket)).equals(question)).toBe(true)
  const sizes = new Set(asked.mock.results.map(({ value }) => value as number))
  expect([...sizes].sort((a, b) => a - b)).toEqual([1024 + HEADERS_BYTES, 4000 + HEADERS_BYTES])
})

test('--bind ADDRESS:PORT is where a lane comes from', async () => {
  const free = net.connect({ port: await serve(echo), host: '127.0.0.1', localAddress: OURS })
  await once(free, 'connect')
  const from = `${OURS}:${free.localPort}`
  free.resetAndDestroy()
  const { client } = await tunnel(await serve(echo), { client: ['--bind', from] })
  await client.said(new RegExp(`lane ${from}#1: up`))
  expect(client.snapshot().sessions[0]!.lanes.map(lane => lane.from)).toEqual([from])
})

test('lanes are up before the first connection, to every address of the server', async () => {
  const target = await serve(echo)
  const more = ['--listen', '127.0.0.1:0', '--allow', `127.0.0.1:${target}`]
  const { server, port } = await startServer(KEY, more)
  const at = server.snapshot().listening
  expect(at).toHaveLength(2)
  const other = at.find(address => !address.endsWith(`:${port}`))!
  const args = ['--server', other, '--lanes', '4', '-L', `0:127.0.0.1:${target}`]
  const client = startClient(KEY, port, args)
  for (const lane of [1, 2, 3, 4]) await client.said(new RegExp(`lane default#${lane}: up`))
  const [session] = client.snapshot().sessions
  expect(session!.lanes.map(({ to }) => to).sort()).toEqual([...at, ...at].sort())
  expect(client.snapshot().totals.channels).toBe(0)
})

test('the snapshot says what waits for a reader, and nothing when it has been read', async () => {
  const accepted: Socket[] = []
  const target = await serve(socket => void accepted.push(socket.pause()))
  const { client, server, port } = await tunnel(target)
  dial(port).end(Buffer.alloc(20_000_000))
  const held = () => server.snapshot().sessions[0]?.heldBytes
  await expect.poll(held, { timeout: 10_000 }).toBeGreaterThan(0)
  const [reader] = accepted
  const all = collect(reader!)
  reader!.resume().end()
  expect((await all).length).toBe(20_000_000)
  for (const end of [client, server]) {
    const waiting = () => {
      const { heldBytes, queuedBytes, retainedBytes } = end.snapshot().sessions[0]!
      return [heldBytes, queuedBytes, retainedBytes]
    }
    await expect.poll(waiting, { timeout: 10_000 }).toEqual([0, 0, 0])
  }
})
