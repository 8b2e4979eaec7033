// What time does to connections through the tunnel: they may idle only so long, be half-closed only
// so long, and stand still without a lane only so long. Both ends have these times, and either's
// counts.

import { once } from 'node:events'
import type { Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { Network } from '../../../examples/test/network.ts'
import { closed, collect, dial, serve } from '../../../examples/test/scene.ts'
import { newSecret } from '../src/secret.ts'
import { type End, forwarded, killAll, startClient, startServer } from './tunnel-scene.ts'

afterEach(killAll)

const KEY = newSecret().reveal()

type Role = 'server' | 'client'

/** A tunnel one of whose ends is told more, and the other that it has no such times. */
async function tunnel(role: Role, args: string[], onConnection: (socket: Socket) => void) {
  const target = await serve(onConnection)
  const patient = ['--idle-timeout', 'off', '--half-open-timeout', 'off']
  const to = (each: Role) => (each === role ? [...args] : patient)
  const allow = ['--allow', `127.0.0.1:${target}`, ...to('server')]
  const { server, port: lanes } = await startServer(KEY, allow)
  const client = startClient(KEY, lanes, ['-L', `0:127.0.0.1:${target}`, ...to('client')])
  return { server, client, port: await forwarded(client) }
}

async function failure(socket: Socket): Promise<unknown> {
  await closed(socket)
  return socket.errored && 'code' in socket.errored && socket.errored.code
}

// Long enough that a machine that has other things to do for a while does not look like silence.
const LIMIT = 2000

for (const role of ['server', 'client'] as const) {
  test(`--idle-timeout of the ${role}: who says nothing is reset at both sides, who talks is not`, async () => {
    let far: Promise<unknown> | undefined
    const { port, ...ends } = await tunnel(role, ['--idle-timeout', `${LIMIT}ms`], socket => {
      socket.once('data', first => {
        if (first[0] === 0x69) far = failure(socket) // 'i', the idle one
      })
      socket.on('data', bytes => socket.write(bytes))
    })
    const [idle, lively] = [dial(port), dial(port)]
    const talk = setInterval(() => lively.write('x'), 20)
    lively.resume()
    idle.write('i')
    await once(idle, 'data')
    expect(await failure(idle)).toBe('ECONNRESET')
    expect(await far).toBe('ECONNRESET')
    lively.write('!')
    await once(lively, 'data')
    clearInterval(talk)
    await ends[role].said(/was reset .*idle for 2000 ms/)
  })

  test(`--half-open-timeout of the ${role}: half-closed and silent is reset, half-closed and alive ends well`, async () => {
    const times = ['--half-open-timeout', `${LIMIT}ms`, '--idle-timeout', 'off']
    const { port, ...ends } = await tunnel(role, times, socket => {
      socket.once('data', first => {
        if (first[0] !== 0x61) return // 'a' is answered, slowly; the others never are
        const until = performance.now() + 1.5 * LIMIT
        const drip = setInterval(() => {
          socket.write('y')
          if (performance.now() < until && !socket.destroyed) return
          clearInterval(drip)
          socket.end('.')
        }, 20)
      })
      socket.resume()
    })
    const [open, half, alive] = [dial(port), dial(port), dial(port)]
    open.write('o')
    half.end('h')
    alive.end('a')
    const answer = collect(alive)
    expect(await failure(half)).toBe('ECONNRESET')
    expect((await answer).toString(), 'it took longer than that').toMatch(/^y+\.$/)
    expect(open.destroyed, 'it is not half-closed').toBe(false)
    await ends[role].said(/was reset .*half-open and idle for 2000 ms/)
  })
}

describe('all lanes lost', () => {
  /** A tunnel over a network that is the test's, and a connection through it that has begun. */
  async function scene(...args: string[]) {
    const target = await serve(socket => void socket.pipe(socket))
    const { server, port } = await startServer(KEY, [
      ...['--allow', `127.0.0.1:${target}`],
      ...args,
    ])
    const network = new Network(port)
    await network.up()
    const client = startClient(KEY, network.port, ['-L', `0:127.0.0.1:${target}`, ...args])
    const socket = dial(await forwarded(client))
    socket.write('x')
    await once(socket, 'data')
    return { server, client, network, socket }
  }

  const lanes = (end: End) => end.snapshot().open.lanes

  async function until(so: () => boolean): Promise<void> {
    while (!so()) await new Promise(resolve => setTimeout(resolve, 5))
  }

  test('connections stand still, and go on with the next lane; nothing is lost', async () => {
    const { server, client, network, socket } = await scene()
    await network.down()
    await until(() => lanes(client) === 0 && lanes(server) === 0)
    const bytes = Buffer.alloc(2_000_000, 'abcdefg')
    socket.end(bytes)
    const answer = collect(socket)
    await new Promise(resolve => setTimeout(resolve, 300))
    expect([socket.destroyed, server.snapshot().open.channels]).toEqual([false, 1])
    await network.up()
    expect((await answer).equals(bytes)).toBe(true)
    expect(client.snapshot().totals.sessions).toBe(1)
  })

  test('after --no-lane-timeout they are reset at both sides, and with a lane new ones work', async () => {
    const { server, client, network, socket } = await scene('--no-lane-timeout', '600ms')
    await network.down()
    expect(await failure(socket)).toBe('ECONNRESET')
    await client.said(/session \w+ failed, its connections are reset: without a lane for 600 ms/)
    await server.said(/session \w+ failed: without a lane for 600 ms/)
    await until(() => server.snapshot().open.channels === 0)
    await network.up()
    await until(() => client.snapshot().totals.sessions === 2)
  })

  test('regression: with --no-lane-timeout off a session outlives them for as long as it takes', async () => {
    const { client, server, network, socket } = await scene('--no-lane-timeout', 'off')
    await network.down()
    await until(() => lanes(client) === 0 && lanes(server) === 0)
    await new Promise(resolve => setTimeout(resolve, 100))
    await network.up()
    socket.write('y')
    await once(socket, 'data')
    expect(client.snapshot().totals.sessions).toBe(1)
  })
})
