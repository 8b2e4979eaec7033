// Who is taken in before he has said anything, and how much of him.

import { type BytePipe, memoryPair, stack } from '@striper/core'
import { frame } from '@striper/frame'
import { connect, fromSocket } from '@striper/tcp'
import { newSecret, type Secret, tlsClient, tlsServer } from '@striper/tls'
import { gather, type Gatherer, greet } from '@striper/trunk'
import net from 'node:net'
import { expect, test } from 'vitest'
import * as wire from '../../stripe/src/pure/wire.ts'
import { STRANGER_BYTES } from '../src/greeting.ts'
import { Admission, MOST_SOURCES, sourceOf } from '../src/pure/admission.ts'
import { closed, framed, listening } from './scene.ts'

const earlyDrop = { begin: 10, percent: 30, full: 100 }

test('strangers are dropped by chance, from the begin on, and all when it is full', () => {
  const admission = new Admission({ earlyDrop, penaltyMs: 0 })
  const taken = (strangers: number, chance: number) =>
    admission.refusal('', strangers, 0, chance) === undefined
  expect([taken(9, 0), taken(10, 0.299), taken(10, 0.301)]).toEqual([true, false, true])
  expect([taken(55, 0.649), taken(55, 0.651)]).toEqual([false, true])
  expect([taken(99, 0.98), taken(99, 0.999), taken(100, 1)]).toEqual([false, true, false])
})

test('offences add up, one alone costs nothing, and no penalty is longer than ten minutes', () => {
  const admission = new Admission({ earlyDrop, penaltyMs: 5000 })
  const refused = (now: number, source = 'a') => admission.refusal(source, 0, now, 1) !== undefined
  for (let i = 0; i < 3; i++) admission.offence('a', 0)
  expect(refused(0)).toBe(false) // 15 s is not above the threshold
  admission.offence('a', 0)
  expect([refused(0), refused(4999), refused(5000), refused(0, 'b')]).toEqual([
    true,
    true,
    false,
    false,
  ])
  for (let i = 0; i < 1000; i++) admission.offence('a', 0)
  expect([refused(584_999), refused(585_000)]).toEqual([true, false])
})

test('so many sources are remembered and not one more, the newest; those that are over are forgotten', () => {
  const admission = new Admission({ earlyDrop, penaltyMs: 600_000 })
  for (let i = 0; i <= MOST_SOURCES; i++) admission.offence(`s${i}`, 0)
  expect(admission.sources).toBe(MOST_SOURCES)
  const refused = (source: string) => admission.refusal(source, 0, 1, 1) !== undefined
  expect([refused('s0'), refused('s1'), refused(`s${MOST_SOURCES}`)]).toEqual([false, true, true])
  admission.offence('later', 600_001)
  expect(admission.sources).toBe(1)
})

test('what has no address, and penalties of 0, are never held against anybody', () => {
  const admission = new Admission({ earlyDrop, penaltyMs: 600_000 })
  admission.offence('', 0)
  expect(admission.sources).toBe(0)
  const none = new Admission({ earlyDrop, penaltyMs: 0 })
  for (let i = 0; i < 100; i++) none.offence('a', 0)
  expect(none.refusal('a', 0, 0, 1)).toBeUndefined()
})

test('a source is an IPv4 address, or the network of an IPv6 address', () => {
  const table: Record<string, string> = {
    '192.0.2.7:4000': '192.0.2.7',
    '[::ffff:192.0.2.7]:4000': '192.0.2.7',
    '[2001:db8:1:2:3:4:5:6]:4000': '2001:db8:1:2',
    '[2001:db8:1:2::6]:4000': '2001:db8:1:2',
    '[2001:db8::6]:4000': '2001:db8:0:0',
    '[fe80::1%eth0]:4000': 'fe80:0:0:0',
    '[::1]:4000': '0:0:0:0',
    '/run/lanes.sock': '',
    '': '',
  }
  for (const [remote, source] of Object.entries(table)) {
    expect(sourceOf(remote), remote).toBe(source)
  }
  expect(sourceOf(undefined)).toBe('')
})

test('limits that cannot be right are refused at once', () => {
  const listen = (options: object) => () => listening(options)
  expect(listen({ earlyDrop: { begin: 5, percent: 30, full: 4 } })).toThrow(RangeError)
  expect(listen({ earlyDrop: { begin: 5, percent: 101, full: 9 } })).toThrow(RangeError)
  expect(listen({ penaltyMs: -1 })).toThrow(RangeError)
})

test('a gatherer takes as many strangers as allowed, and not one more, until one has gone', async () => {
  const { gatherer } = listening({ earlyDrop: { begin: 3, percent: 100, full: 3 } })
  const knock = () => {
    const [near, far] = memoryPair()
    near.on('error', () => undefined)
    gatherer.accept(far)
    return near
  }
  const first = knock()
  knock()
  knock()
  const refused = knock()
  await closed(refused)
  expect(refused.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
  expect(gatherer.strangers).toBe(3)
  first.destroy()
  await new Promise(setImmediate)
  const next = knock()
  await new Promise(setImmediate)
  expect([next.destroyed, gatherer.strangers]).toEqual([false, 3])
  gatherer.destroy()
})

test('who has broken the rules again and again is refused at the door, over sockets', async () => {
  const gatherer = gather({ layers: framed, onSession: () => undefined })
  const server = net.createServer(socket => gatherer.accept(fromSocket(socket)))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  const taken: number[] = []
  for (let i = 0; i < 5; i++) {
    const socket = net.connect({ host: '127.0.0.1', port }).on('error', () => undefined)
    const accepted = new Promise<void>(resolve => server.once('connection', () => resolve()))
    await accepted
    taken.push(gatherer.strangers)
    socket.write('GET / HTTP/1.1\r\n\r\n')
    await new Promise(resolve => socket.once('close', resolve))
  }
  expect(taken).toEqual([1, 1, 1, 1, 0])
  server.close()
})

test('regression: a handshake that fails is an offence', async () => {
  const key = newSecret()
  const layers = (bytes: BytePipe) => stack(bytes, tlsServer({ keys: key }), frame())
  const gatherer = gather({ layers, penaltyMs: 600_000, onSession: () => undefined })
  const server = net.createServer(socket => gatherer.accept(fromSocket(socket)))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  const knock = async (secret: Secret) => {
    const bytes = stack(connect({ host: '127.0.0.1', port }), greet(Buffer.alloc(16)))
    const lane = stack(bytes, tlsClient({ key: secret })).on('error', () => undefined)
    await new Promise(resolve => server.once('connection', resolve))
    const taken = gatherer.strangers
    await closed(lane)
    return taken
  }
  expect([await knock(newSecret()), await knock(newSecret())]).toEqual([1, 0])
  server.close()
})

test('a reset, an end and a silence are nobody’s offence', async () => {
  const { gatherer } = listening({ helloTimeoutMs: 20 })
  const server = net.createServer(socket => gatherer.accept(fromSocket(socket)))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  const ways: ((socket: net.Socket) => unknown)[] = [
    socket => socket.resetAndDestroy(),
    socket => socket.end(),
    () => undefined,
  ]
  for (let i = 0; i < 12; i++) {
    const socket = net.connect({ host: '127.0.0.1', port }).on('error', () => undefined)
    await new Promise<void>(resolve => server.once('connection', () => resolve()))
    expect(gatherer.strangers).toBe(1)
    ways[i % 3]!(socket)
    while (gatherer.strangers > 0) await new Promise(setImmediate)
    socket.destroy()
  }
  server.close()
})

test('no more is read of a stranger than allowed, and the chunk that crosses it: then he is aborted', async () => {
  const { gatherer } = listening() // with ten seconds of patience: none of it is needed
  const [near, far] = memoryPair()
  let read = 0
  far.on('data', (chunk: Buffer) => (read += chunk.length))
  gatherer.accept(far)
  const bytes = greet(Buffer.alloc(16))(near)
  const gone = closed(bytes)
  bytes.write(Buffer.from([0, 1, 4, 0])) // a message of 65 KiB, which is allowed, of LEAVEs
  for (let i = 0; i < 65; i++) bytes.write(Buffer.alloc(1000, wire.LEAVE))
  for (let i = 0; i < 10; i++) await new Promise(setImmediate)
  expect([read, gatherer.strangers], 'so much is no offence').toEqual([24 + 4 + 65_000, 1])
  for (let i = 0; i < 300; i++) bytes.write(Buffer.alloc(1000, wire.LEAVE))
  await gone
  expect(read).toBeGreaterThanOrEqual(STRANGER_BYTES)
  expect(read, 'and the one that was too much').toBeLessThanOrEqual(STRANGER_BYTES + 2000)
  expect(bytes.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
})

test('regression: what a stranger sends beyond that does not fill the buffers of the socket', async () => {
  const { gatherer } = listening()
  const server = net.createServer(socket => gatherer.accept(fromSocket(socket)))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  const taken = new Promise<net.Socket>(resolve => server.once('connection', resolve))
  const socket = net.connect({ host: '127.0.0.1', port }).on('error', () => undefined)
  // A message of 65 KiB that is a HELLO's, up to its last byte; and then it goes on.
  const start = Buffer.concat([Buffer.from('STRIPER\x01'), Buffer.alloc(16), Buffer.of(0, 1, 4, 0)])
  socket.write(Buffer.concat([start, Buffer.alloc(10_000_000)]))
  const far = await taken
  const gone = new Promise(resolve => far.once('close', resolve))
  await gone
  expect(far.bytesRead).toBeLessThanOrEqual(STRANGER_BYTES + 2 * 64 * 1024)
  expect(gatherer.strangers).toBe(0)
  server.close()
})

/** Dials a gatherer, and says HELLO; what came back, undefined for a refusal. */
async function join(gatherer: Gatherer, session: Buffer, lane: number) {
  const [near, far] = memoryPair()
  gatherer.accept(far)
  const pipe = framed(greet(session)(near))
  pipe.on('error', () => undefined)
  const answer = new Promise<Buffer | undefined>(resolve => {
    pipe.once('data', resolve).once('close', () => resolve(undefined))
  })
  pipe.write(wire.encodeHello({ mayOpen: true, lane, session, limit: wire.INITIAL_CREDIT }))
  return { pipe, message: await answer }
}

test('T13: of 1,000 lanes that join a session at once 32 are in, the others are aborted', async () => {
  const { gatherer, far } = listening({ earlyDrop: { begin: 2000, percent: 0, full: 2000 } })
  const id = Buffer.alloc(16, 3)
  const joined = await Promise.all(Array.from({ length: 1000 }, (_, i) => join(gatherer, id, i)))
  const session = await far
  expect(joined.filter(({ message }) => message?.[0] === wire.HELLO)).toHaveLength(32)
  expect(session.lanes).toHaveLength(32)
  expect([session.destroyed, gatherer.strangers]).toEqual([false, 0])
  gatherer.destroy()
})

test('regression: a trunk whose lanes are cut again and again is never refused for being quick', async () => {
  const { gatherer, far } = listening()
  const id = Buffer.alloc(16, 3)
  const first = await join(gatherer, id, 0)
  const session = await far
  for (let lane = 1; lane <= 300; lane++) {
    const { pipe, message } = await join(gatherer, id, lane)
    expect(message?.[0], `lane ${lane}`).toBe(wire.HELLO)
    const down = new Promise(resolve => session.once('laneDown', resolve))
    pipe.destroy()
    await down
  }
  expect(session.lanes.map(({ number }) => number)).toEqual([0])
  first.pipe.destroy()
  gatherer.destroy()
})
