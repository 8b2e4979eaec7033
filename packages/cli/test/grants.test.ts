// What a server dials for a client: addresses that were judged, all of them, once; and the first of
// them that answers.

import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import net, { type AddressInfo, type Socket } from 'node:net'
import { type Channel, frame, memoryPair, mux, type Mux, type PipeError } from 'striper'
import { afterEach, expect, test } from 'vitest'
import { keep, serve, servers } from '../../../examples/test/scene.ts'
import { EventLog } from '../src/log.ts'
import { parseAllow } from '../src/pure/allow.ts'
import { encodeRequest } from '../src/pure/request.ts'
import type { ServerSettings } from '../src/settings.ts'
import { Screen } from '../src/terminal.ts'
import { Conversations } from '../src/tunnel/conversations.ts'
import { Grants, type Resolve } from '../src/tunnel/grants.ts'
import { Ports } from '../src/tunnel/ports.ts'
import { reach } from '../src/tunnel/reach.ts'
import type { Session } from '../src/tunnel/session.ts'
import { blackHole } from './black-hole.ts'

const IN_TIME = { connectTimeoutMs: 60_000, keepAliveMs: 60_000 }
const muxes: Mux[] = []
afterEach(() => {
  for (const each of muxes.splice(0)) each.destroy()
})

/** Opens channels to a server that has these rules, and resolves names like this. */
function granting(allow: string[], resolve: Resolve, more: Partial<ServerSettings> = {}) {
  const settings = {
    ...{ allow: allow.map(parseAllow), allowListen: [], ...IN_TIME },
    ...{ idleTimeoutMs: 0, halfOpenTimeoutMs: 0, ...more },
  } as unknown as ServerSettings
  const out = { write: () => undefined, on: () => out, isTTY: false }
  const screen = new Screen(out as unknown as ConstructorParameters<typeof Screen>[0])
  const log = new EventLog({ log: undefined, quiet: true, verbose: false }, screen)
  const conversations = new Conversations(settings, 99, log)
  const ports = new Ports(settings, log, conversations)
  const grants = new Grants(settings, log, conversations, ports, resolve)
  const [left, right] = memoryPair()
  const near = mux(frame()(left), { role: 'dial' })
  const far = mux(frame()(right), {
    role: 'accept',
    onChannel: channel => void grants.grant(session, channel),
  })
  const session = { name: 'test', peer: null, mux: far, pipe: { below: [] } } as unknown as Session
  muxes.push(near, far)
  const open = (host: string, port: number): Channel => {
    const channel = near.open({
      header: encodeRequest({ what: 'connect', forward: 0, host, port }),
    })
    channel.on('error', () => undefined)
    return channel
  }
  return { open, grants, conversations }
}

/** Why a channel was refused. */
async function refusal(channel: Channel): Promise<string> {
  const [error] = (await once(channel, 'error')) as [PipeError]
  return error.sentence
}

async function answer(channel: Channel): Promise<string> {
  const [bytes] = (await once(
    channel.on('end', () => undefined),
    'data',
  )) as [Buffer]
  channel.destroy()
  return bytes.toString()
}

/** A channel, as far as a dial looks at it. */
function somebody(): Channel {
  const pair = memoryPair()
  for (const pipe of pair) pipe.on('error', () => undefined)
  return pair[0] as unknown as Channel
}

/** A server at that address, and the port of it. */
async function serveAt(host: string, port: number, onConnection: (socket: Socket) => void) {
  const server = net.createServer(socket => onConnection(keep(socket)))
  servers.push(server)
  server.listen({ host, port })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

test('a name is resolved once for each open, and what is dialled is what was judged', async () => {
  const inside: Socket[] = []
  const port = await serve(socket => socket.end('the good one'))
  await serveAt('127.0.0.2', port, socket => void inside.push(socket))
  // Whoever answers for the name says something harmless first, and then what he is after.
  const answers = [['127.0.0.1'], ['127.0.0.2']]
  let asked = 0
  const resolve = () => Promise.resolve(answers[Math.min(asked++, 1)]!)
  const { open } = granting([`127.0.0.1:${port}`], resolve)
  expect(await answer(open('rebind.example', port))).toBe('the good one')
  expect(asked).toBe(1)
  expect(await refusal(open('rebind.example', port))).toMatch(
    /rebind\.example is 127\.0\.0\.2, which no --allow opens/,
  )
  expect([asked, inside.length]).toEqual([2, 0])
})

test('if one address of a name is not allowed, none is dialled, wherever in the list it is', async () => {
  let dialled = 0
  const port = await serve(() => dialled++)
  await serveAt('127.0.0.2', port, () => dialled++)
  for (const addresses of [
    ['127.0.0.1', '127.0.0.2'],
    ['127.0.0.2', '127.0.0.1'],
  ]) {
    const { open } = granting([`127.0.0.1:${port}`], () => Promise.resolve(addresses))
    expect(await refusal(open('mixed.example', port))).toMatch(
      /also 127\.0\.0\.2, which no --allow/,
    )
  }
  expect(dialled).toBe(0)
})

test('an address is dialled as it is, and nobody is asked for it', async () => {
  const port = await serve(socket => socket.end('there'))
  const { open } = granting([`127.0.0.1:${port}`], () => Promise.reject(new Error('asked')))
  expect(await answer(open('127.0.0.1', port))).toBe('there')
  expect(await refusal(open('name.example', port))).toMatch(/name\.example does not resolve: asked/)
})

test('several addresses: where one refuses, the next is dialled at once', async () => {
  const port = await serve(socket => socket.end('the second'))
  const { open } = granting([`127.0.0.0/30:${port}`], () =>
    Promise.resolve(['127.0.0.2', '127.0.0.1']),
  )
  expect(await answer(open('two.example', port))).toBe('the second')
})

test('regression: an address that leads nowhere does not use up the time of the next', async () => {
  const port = await serve(socket => socket.end('the second'))
  await blackHole('127.0.0.2', port)
  const { open } = granting([`127.0.0.0/30:${port}`], () =>
    Promise.resolve(['127.0.0.2', '127.0.0.1']),
  )
  const began = performance.now()
  expect(await answer(open('black.example', port))).toBe('the second')
  expect(performance.now() - began, 'of the 15 s that a connection may take').toBeLessThan(8000)
})

test.runIf(process.platform === 'linux')(
  'the addresses that were too slow are given up when one is there',
  async () => {
    const accepted: Socket[] = []
    const port = await serve(socket => void accepted.push(socket))
    await blackHole('127.0.0.2', port)
    const files = () => readdirSync('/proc/self/fd').length
    const before = files()
    const dial = reach(somebody(), ['127.0.0.2', '127.0.0.1'], port, IN_TIME)
    while (files() < before + 1) await new Promise(setImmediate)
    const target = await dial
    // It, and the connection at its target.
    while (accepted.length === 0 || files() !== before + 2) await new Promise(setImmediate)
    target.destroy()
  },
)

test('when nobody answers in --connect-timeout the channel is refused, and says so', async () => {
  const port = await serve(() => undefined)
  for (const host of ['127.0.0.2', '127.0.0.3']) await blackHole(host, port)
  const { open } = granting(
    [`127.0.0.0/30:${port}`],
    () => Promise.resolve(['127.0.0.2', '127.0.0.3']),
    { connectTimeoutMs: 400 },
  )
  expect(await refusal(open('black.example', port))).toMatch(/no answer from 127\.0\.0\.[23]:\d+/)
})

test('a channel that closes while its target is dialled gives up every dial', async () => {
  const port = await serve(() => undefined)
  await blackHole('127.0.0.2', port)
  const channel = somebody()
  const dial = reach(channel, ['127.0.0.2'], port, IN_TIME)
  await new Promise(setImmediate)
  channel.destroy()
  await expect(dial).rejects.toMatchObject({ code: 'ERR_PIPE_TIMEOUT' })
})
