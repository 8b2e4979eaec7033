// A peer that has the key, and does what it can: it opens without end, reads nothing, grants
// crumbs, floods. Beside what it does, one channel of the same mux is a conversation like others,
// and goes on. The numbers of the threats are those of docs/security.md.

import { INITIAL_CREDIT } from '@striper/reassemble/pure'
import { type Channel, mux, type Mux, type MuxOptions } from '@striper/mux'
import type { MessagePipe } from '@striper/core'
import { afterEach, expect, test, vi } from 'vitest'
import * as wire from '../src/pure/wire.ts'
import { messages, turn, turns } from './scene.ts'

const KiB = 1024
const gc = () => (globalThis as { gc?: () => void }).gc!()
const heap = () => {
  gc()
  return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
}

const ends: Mux[] = []
afterEach(() => {
  vi.useRealTimers()
  for (const end of ends.splice(0)) end.destroy()
})

/** The peer of a mux, by hand. Its channel 0 is the bystander: what it says there comes back. */
class Peer {
  readonly mux: Mux
  readonly pipe: MessagePipe
  /** Channels of the mux's, as they came: the bystander's is not among them. */
  readonly taken: Channel[] = []
  /** What came, but for the bystander's. */
  readonly heard: wire.MuxMessage[] = []
  #said = 0
  #echoed = 0
  #credit = INITIAL_CREDIT

  constructor(options: Partial<MuxOptions> = {}) {
    const [near, far] = messages()
    this.pipe = far
    this.mux = mux(near, { role: 'accept', ...options, onChannel: each => this.#take(each) })
    ends.push(this.mux)
    far.on('error', () => undefined)
    this.read()
    this.say(opening(0))
  }

  /** Reads again what it has stopped to read with `pipe.pause()`. */
  read(): void {
    if (this.pipe.listenerCount('data') === 0) {
      this.pipe.on('data', (message: Buffer) => this.#hear(wire.decode(message)))
    } else {
      this.pipe.resume()
    }
  }

  say(...message: readonly Buffer[]): void {
    this.pipe.write(message)
  }

  /** All that was said has gone. */
  async gone(): Promise<void> {
    while (this.pipe.writableLength > 0) await turn()
    await turns(3)
  }

  /** A question of the bystander's, and its answer. */
  async echo(bytes = 16): Promise<void> {
    this.say(offset(wire.DATA, 0, this.#said), Buffer.alloc(bytes, 'q'))
    this.#said += bytes
    for (let passed = 0; this.#echoed < this.#said; passed++) {
      if (passed > 1000) throw new Error(`the bystander waits at ${this.#echoed}`)
      await turn()
    }
  }

  #take(channel: Channel): void {
    channel.on('error', () => undefined)
    if (this.mux.muxStats.opened > 1) this.taken.push(channel)
    else channel.pipe(channel) // the bystander
  }

  #hear(message: wire.MuxMessage): void {
    if (!('channel' in message) || message.channel !== 0) {
      this.heard.push(message)
    } else if (message.type === wire.DATA) {
      expect(message.bytes.every(byte => byte === 0x71)).toBe(true)
      this.#echoed += message.bytes.length
      if (this.#credit - this.#echoed < INITIAL_CREDIT / 2) {
        this.#credit = this.#echoed + INITIAL_CREDIT
        this.say(offset(wire.CREDIT, 0, this.#credit))
      }
    }
  }
}

const opening = (channel: number) =>
  wire.encodeOpen(channel, { priority: undefined, header: Buffer.alloc(0) })
const offset = wire.encodeOffset
const FULL = Buffer.alloc(INITIAL_CREDIT)

test('T14: a peer that opens without end: 256 wait with 64 KiB each, and a channel beside them goes on', async () => {
  const peer = new Peer()
  peer.mux.channels[0]?.on('error', () => undefined)
  await peer.echo()
  for (let i = 1; i <= 3000; i++) {
    peer.say(opening(2 * i), FULL)
    if (i % 100 === 0) await peer.echo()
  }
  await peer.gone()
  const { waiting, channels, refused, heldBytes } = peer.mux.muxStats
  expect([waiting, channels, refused]).toEqual([256, 257, 3000 - 256])
  expect(heldBytes).toBe(256 * INITIAL_CREDIT)
  expect(peer.heard.filter(({ type }) => type === wire.RESET)).toHaveLength(3000 - 256)
  peer.taken[0]!.resume() // taken into use: there is room for one more
  await turn()
  peer.say(opening(2 * 3001))
  peer.say(opening(2 * 3002))
  await peer.echo()
  expect(peer.mux.muxStats).toMatchObject({ waiting: 256, channels: 258, refused: 3000 - 255 })
})

/** A channel of the peer's whose reader, here, writes it a megabyte. */
async function writing(peer: Peer): Promise<Channel> {
  peer.say(opening(2))
  await peer.gone()
  const channel = peer.taken[0]!
  channel.end(Buffer.alloc(1024 * KiB, 'w'))
  await turns(20)
  return channel
}

const bytesOf = (heard: readonly wire.MuxMessage[]) =>
  heard.reduce((sum, each) => sum + (each.type === wire.DATA ? each.bytes.length : 0), 0)

test('T20: a reader that grants nothing for 60 s costs nothing, and stops its own channel alone', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'performance'] })
  const peer = new Peer()
  const channel = await writing(peer)
  expect(bytesOf(peer.heard)).toBe(INITIAL_CREDIT)
  expect(peer.heard.at(-1)).toMatchObject({ type: wire.BLOCKED, offset: INITIAL_CREDIT })
  const before = peer.heard.length
  for (let second = 0; second < 60; second++) {
    await vi.advanceTimersByTimeAsync(1000)
    await peer.echo(5000)
  }
  expect(peer.heard.length, 'not a word more').toBe(before)
  expect(vi.getTimerCount()).toBe(0)
  peer.say(offset(wire.CREDIT, 2, 1024 * KiB))
  await peer.echo()
  expect(bytesOf(peer.heard)).toBe(1024 * KiB)
  expect(peer.heard.at(-1)).toMatchObject({ type: wire.END, offset: 1024 * KiB })
  expect(channel.destroyed).toBe(false)
})

test('T20: credit in crumbs is answered by two messages for each, and a channel beside it goes on', async () => {
  const peer = new Peer()
  await writing(peer)
  const before = peer.heard.length
  const crumbs = 2000
  for (let i = 1; i <= crumbs; i++) {
    peer.say(offset(wire.CREDIT, 2, INITIAL_CREDIT + i))
    if (i % 200 === 0) await peer.echo()
  }
  await peer.gone()
  expect(bytesOf(peer.heard)).toBe(INITIAL_CREDIT + crumbs)
  expect(peer.heard.length - before).toBeLessThanOrEqual(2 * crumbs)
})

/** Floods of a peer: message `i` of each. Channel 2 is read by nobody, and writes a megabyte. */
const floods: Record<string, (peer: Peer, i: number) => void> = {
  OPEN: (peer, i) => peer.say(opening(2 * i + 2)),
  'OPEN and RESET': (peer, i) => {
    peer.say(opening(2 * i + 2))
    peer.say(wire.encodeReset(2 * i + 2, wire.ABORTED, 'why'.repeat(80)))
  },
  'RESET of channels that never were': (peer, i) =>
    peer.say(wire.encodeReset(2 * i + 2, wire.ABORTED, '')),
  'DATA of one byte': (peer, i) => peer.say(offset(wire.DATA, 2, i), Buffer.of(1)),
  'DATA and END for a channel that is gone': (peer, i) => {
    if (i === 1) peer.say(wire.encodeReset(2, wire.ABORTED, ''))
    peer.say(offset(i % 2 ? wire.DATA : wire.END, 2, i), Buffer.alloc(i % 2))
  },
  BLOCKED: (peer, i) => peer.say(offset(wire.BLOCKED, 2, INITIAL_CREDIT + i)),
  CREDIT: (peer, i) => peer.say(offset(wire.CREDIT, 2, INITIAL_CREDIT + i)),
}

for (const [name, flood] of Object.entries(floods)) {
  test(`T21: a flood of ${name}, and nothing is read of the answers: 8 MiB at most, and a channel beside it goes on`, async () => {
    const peer = new Peer()
    await writing(peer)
    await peer.echo()
    peer.pipe.pause()
    const before = heap()
    const lower = peer.mux.below
    let waits = 0
    for (let i = 1; i <= 15_000; i++) {
      flood(peer, i)
      waits = Math.max(waits, lower.writableLength)
      if (i % 500 === 0) await peer.gone()
    }
    expect(waits, 'messages that wait below').toBeLessThanOrEqual(2)
    expect(heap() - before).toBeLessThan(8 * KiB * KiB)
    expect(peer.mux.draining, 'it lives').toBe(false)
    const heard = peer.heard.length
    peer.read()
    await peer.echo()
    const answers = peer.heard.slice(heard).filter(({ type }) => type !== wire.DATA)
    const refusals = answers.filter(({ type }) => type === wire.RESET)
    expect(answers.length - refusals.length, 'beside refusals').toBeLessThanOrEqual(20)
    expect(refusals.length).toBeLessThanOrEqual(15_000)
  })
}

test('T21: a flood that nobody may send ends the mux at its first message', async () => {
  for (const message of [offset(wire.DATA, 2, 0), Buffer.of(0x7f), Buffer.alloc(0)]) {
    const peer = new Peer()
    peer.say(opening(2))
    for (let i = 0; i < 100; i++) peer.say(message)
    await expect(peer.mux.done).rejects.toMatchObject({ code: 'ERR_PIPE_PROTOCOL' })
    expect(peer.pipe.destroyed).toBe(true)
  }
})

test('T16: a byte at every second place of a window: so many parcels, and the mux is over', async () => {
  const peer = new Peer({ windowBytes: 1024 * KiB })
  peer.say(opening(2))
  const before = heap()
  for (let i = 0; i < 32_768; i++) peer.say(offset(wire.DATA, 2, 1 + 2 * i), Buffer.of(1))
  await expect(peer.mux.done).rejects.toMatchObject({ code: 'ERR_PIPE_LIMIT' })
  expect(peer.mux.muxStats.heldBytes).toBeLessThanOrEqual(16_384)
  expect(heap() - before).toBeLessThan(16 * KiB * KiB)
})
