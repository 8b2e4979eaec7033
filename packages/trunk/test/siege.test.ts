// Under siege: a thousand strangers at once, drips, a thousand sessions, sessions that leave what
// they hold. Beside each somebody has a conversation, or comes in. The numbers of the threats are
// those of docs/security.md.

import {
  addressOf,
  type BytePipe,
  type ByteDuplex,
  memoryPair,
  stack,
  WrapPipe,
} from '@striper/core'
import { frame } from '@striper/frame'
import { reassemble } from '@striper/reassemble'
import { connect, listen } from '@striper/tcp'
import { rate, rng } from '@striper/testkit'
import { newSecret, tlsClient, tlsServer } from '@striper/tls'
import { type Gatherer, greet, trunk } from '@striper/trunk'
import { afterEach, expect, test, vi } from 'vitest'
import * as wire from '../../stripe/src/pure/wire.ts'
import { STRANGER_BYTES } from '../src/greeting.ts'
import { closed, converse, exchange, framed, joined, listening, settled, text } from './scene.ts'

const KiB = 1024
const ID = Buffer.alloc(16, 9)
const GREETING = Buffer.concat([Buffer.from('STRIPER\x01'), ID])

const gc = () => (globalThis as { gc?: () => void }).gc!()
function held(): number {
  gc()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

afterEach(() => {
  vi.useRealTimers()
})

/** A ClientHello of 128 KiB, which OpenSSL would read to its end: in records of 16 KiB. */
const LONG_HELLO = Buffer.concat(
  Array.from({ length: 8 }, (_, i) => {
    const record = Buffer.alloc(5 + 16_384)
    record.write('1603014000', 'hex')
    if (i === 0) record.write('0101ffff0303', 5, 'hex')
    return record
  }),
)

/** What a stranger says, and goes on saying; he has no key. */
const strangers: ((pipe: BytePipe, chance: number) => unknown)[] = [
  () => undefined,
  pipe => pipe.write(GREETING),
  pipe => pipe.write(Buffer.concat([GREETING, Buffer.from('16030100f8010000f40303', 'hex')])),
  (pipe, chance) => pipe.write(rng(chance * 1e9).bytes(300)),
  pipe => pipe.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  pipe => {
    pipe.write(Buffer.concat([GREETING, LONG_HELLO]))
    for (let i = 0; i < 50; i++) pipe.write(LONG_HELLO)
  },
]

/** A tunnel's listening end over TCP, with all that it is without being told; the sessions that
 *  were opened, and what was read of strangers: their addresses do not begin with 127.0.0.1. */
async function besieged() {
  const key = newSecret()
  const sessions: BytePipe[] = []
  const { gatherer } = listening({
    layers: bytes => stack(bytes, tlsServer({ keys: key }), frame()),
    onSession: (session, peer) => {
      expect(peer).toBe(key.id)
      sessions.push(reassemble()(session))
    },
  })
  const seen = { peak: 0, mostRead: 0 }
  const server = await listen({ host: '127.0.0.1', port: 0 }, pipe => {
    gatherer.accept(pipe)
    seen.peak = Math.max(seen.peak, gatherer.strangers)
    const stranger = !(addressOf(pipe)?.remote ?? '').startsWith('127.0.0.1:')
    pipe.once('close', () => {
      if (stranger) seen.mostRead = Math.max(seen.mostRead, pipe.stats.bytesIn)
    })
  })
  const to = { host: '127.0.0.1', port: server.port }
  const client = (lanes: number) => {
    const secrecy = tlsClient({ key })
    const dial = (greeting: ReturnType<typeof greet>) =>
      stack(connect(to), greeting, secrecy, frame())
    return trunk({ lanes: Array.from({ length: lanes }, () => dial) })
  }
  const stranger = (i: number) => {
    const pipe = connect({ ...to, localAddress: `127.0.${1 + (i % 200)}.2` })
    pipe.on('error', () => undefined).resume()
    return pipe.once('ready', () => strangers[i % strangers.length]!(pipe, i))
  }
  return { gatherer, server, sessions, seen, client, stranger }
}

test('A7: 1,000 strangers at once: a socket and 64 KiB each for 10 s, none is a lane, and who has the key gets in', async () => {
  const { gatherer, server, sessions, seen, client, stranger } = await besieged()
  const [up, down] = [text(1, 0, 1_000_000), text(2, 0, 1_000_000)]
  const patient = { timeout: 120_000, interval: 5 }
  const clients = [client(2)]
  await vi.waitFor(() => expect(sessions).toHaveLength(1), patient)
  const before = held()
  const siege: BytePipe[] = []
  for (let i = 0; i < 1000; i++) {
    siege.push(stranger(i))
    if (i % 50 === 0) await new Promise(setImmediate)
    if (i === 700) clients.push(client(4)) // of its lanes some are dropped, and dialled again
  }
  const conversation = async (i: number) => {
    await vi.waitFor(() => expect(sessions.length).toBeGreaterThan(i), patient)
    await Promise.all([
      converse(reassemble()(clients[i]!), up, down),
      converse(sessions[i]!, down, up),
    ])
  }
  await Promise.all([conversation(0), conversation(1)])
  expect(held() - before, 'bytes of memory').toBeLessThan(1000 * STRANGER_BYTES)
  await Promise.all(siege.map(closed))
  const left = () => [gatherer.strangers, server.connections.size]
  await vi.waitFor(() => expect(left()).toEqual([0, 0]), patient)
  expect(sessions).toHaveLength(2)
  expect(seen.peak, 'strangers at a time').toBeGreaterThan(100)
  expect(seen.peak).toBeLessThanOrEqual(1000)
  expect(seen.mostRead, 'of one').toBeLessThanOrEqual(STRANGER_BYTES + 2 * 64 * KiB)
  await server.close()
}, 240_000)

/** A gatherer with secrecy, and a lane to it on which every byte takes a second from some layer on:
 *  below its TLS, or above it. */
function dripping(where: 'in the handshake' | 'in the proof') {
  const key = newSecret()
  const { gatherer } = listening({
    layers: bytes => stack(bytes, tlsServer({ keys: key }), frame()),
  })
  const [near, far] = memoryPair()
  gatherer.accept(far)
  const drip = rate({ bytesPerSecond: 1, burstBytes: 0 })
  const greeted = greet(ID)(near)
  const lane =
    where === 'in the handshake'
      ? stack(greeted, drip, tlsClient({ key, handshakeTimeoutMs: 1e6 }), frame())
      : stack(stack(greeted, tlsClient({ key })), drip, frame())
  return { gatherer, lane }
}

for (const where of ['in the handshake', 'in the proof'] as const) {
  test(`T12: a byte each second ${where} makes nobody's 10 s longer`, async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const { gatherer, lane } = dripping(where)
    const failure = settled(lane)
    failure.catch(() => undefined)
    lane.write(Buffer.concat([Buffer.of(0x18, 1), Buffer.alloc(64)]))
    await vi.advanceTimersByTimeAsync(9900)
    expect(gatherer.strangers).toBe(1)
    await vi.advanceTimersByTimeAsync(200)
    expect(gatherer.strangers).toBe(0)
    await expect(failure).rejects.toMatchObject({ code: 'ERR_PIPE_RESET' })
    expect(gatherer.sessions).toEqual([])
  })
}

/** A lane on which, behind so many bytes that are sent, each takes a second. */
class Dripping extends WrapPipe<'bytes'> {
  #free: number
  #due = 0

  constructor(below: ByteDuplex, free: number) {
    super(below, { kind: 'bytes', label: 'dripping' })
    this.#free = free
  }

  protected override send(chunks: readonly Buffer[], done: (error?: Error | null) => void): void {
    const all = Buffer.concat(chunks)
    const head = all.subarray(0, this.#free)
    this.#free -= head.length
    if (head.length > 0) this.lower.write(head)
    const rest = all.subarray(head.length)
    if (rest.length === 0) return done()
    this.#due = Math.max(this.#due, performance.now())
    for (const byte of rest) {
      this.#due += 1000
      setTimeout(() => this.lower.write(Buffer.of(byte)), this.#due - performance.now())
    }
    setTimeout(done, this.#due - performance.now())
  }
}

test('T12: a lane that lets a byte go each second, behind its HELLO, holds nothing up', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const slow = (below: ByteDuplex) => new Dripping(below, GREETING.length + 4 + 30)
  for (const end of ['near', 'far'] as const) {
    const scene = joined({
      lanes: 3,
      weather: (lane, dial) => (lane === 0 && dial === 0 ? { [end]: slow } : {}),
    })
    const done = { over: false }
    const failure = exchange(scene, 100_000).then(() => (done.over = true))
    const start = performance.now()
    while (!done.over && performance.now() - start < 60_000) await vi.advanceTimersByTimeAsync(100)
    await failure
    expect(done.over).toBe(true)
  }
}, 120_000)

/** A lane to a gatherer that opens a session; the answer to its HELLO. */
async function knock(gatherer: Gatherer, session: Buffer) {
  const [near, far] = memoryPair()
  gatherer.accept(far)
  const lane = framed(greet(session)(near))
  lane.on('error', () => undefined)
  const answer = new Promise<number | undefined>(resolve => {
    lane.once('data', (message: Buffer) => resolve(message[0]))
    lane.once('close', () => resolve(undefined))
  })
  lane.write(wire.encodeHello({ mayOpen: true, lane: 0, session, limit: wire.INITIAL_CREDIT }))
  return { lane, answer: await answer }
}

const id = (number: number) => Buffer.alloc(16).fill(`session ${number}`)

test('T14: of sessions there are 1,000 and not one more, each with 64 KiB at most beside what it carries', async () => {
  const other = joined()
  await other.far
  const before = held()
  const lanes = []
  for (let i = 1; i < 1000; i++) {
    const { lane, answer } = await knock(other.gatherer, id(i))
    if (answer === wire.HELLO) lanes.push(lane)
  }
  expect([lanes.length, other.gatherer.sessions.length]).toEqual([999, 1000])
  expect((held() - before) / lanes.length, 'bytes each, both ends').toBeLessThan(64 * KiB)
  const refused = await knock(other.gatherer, id(1000))
  expect(refused.answer).toBe(wire.ABORT)
  refused.lane.destroy()
  for (const lane of lanes) lane.destroy()
  for (const session of other.gatherer.sessions.slice(1)) session.destroy()
  await exchange(other, 300_000)
}, 60_000)

test('T37: sessions that hold a window and have no lane are gone after 60 s, and what they held', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const { gatherer } = listening()
  const parcel = (number: number) =>
    Buffer.concat([wire.encodeNumbered(wire.PARCEL, number), Buffer.alloc(32 * KiB, number)])
  const before = held()
  for (let i = 0; i < 100; i++) {
    const { lane } = await knock(gatherer, id(i))
    for (let number = 0; number < 8; number++) lane.write(parcel(number)) // its credit, all of it
    while (lane.writableLength > 0) await vi.advanceTimersByTimeAsync(0)
    await vi.advanceTimersByTimeAsync(0)
    lane.destroy()
  }
  await vi.advanceTimersByTimeAsync(55_000)
  expect(gatherer.sessions).toHaveLength(100)
  expect(held() - before, 'there is something to let go').toBeGreaterThan(100 * 200 * KiB)
  await vi.advanceTimersByTimeAsync(6000)
  expect(gatherer.sessions).toEqual([])
  for (let i = 0; i < 20; i++) {
    gc() // what it lets go of is gone a few turns later
    await new Promise(setImmediate)
  }
  expect(held() - before).toBeLessThan(100 * 64 * KiB)
  expect(vi.getTimerCount()).toBe(0)
})
