// Two cores and the messages between them; and one core and a hostile peer.

import { INITIAL_CREDIT } from '@striper/reassemble/pure'
import { type Rng, rng } from '@striper/testkit'
import { expect, test } from 'vitest'
import type { ChannelCore } from '../src/pure/channel.ts'
import { MAX_REFUSALS_DUE, MuxCore, type MuxLimits, RESETS } from '../src/pure/core.ts'
import { WindowPool } from '../src/pure/pool.ts'
import { MAX_HELD_IN_ALL } from '../src/pure/stock.ts'
import * as wire from '../src/pure/wire.ts'

const KiB = 1024
const LIMITS: MuxLimits = {
  dials: false,
  windowBytes: 1024 * KiB,
  totalWindowBytes: 4096 * KiB,
  maxChannels: 16_384,
  backlog: 16_384,
}
const NONE = Buffer.alloc(0)
const PROTOCOL: unknown = expect.objectContaining({ code: 'ERR_PIPE_PROTOCOL' })
const LIMIT: unknown = expect.objectContaining({ code: 'ERR_PIPE_LIMIT' })

type Core = MuxCore<string>
const make = (limits: Partial<MuxLimits> = {}): Core => new MuxCore({ ...LIMITS, ...limits })

const open = (channel: number, bytes: Buffer | string = '', header = '') => {
  const opening = { priority: undefined, header: Buffer.from(header) }
  return Buffer.concat([wire.encodeOpen(channel, opening), Buffer.from(bytes)])
}
const data = (channel: number, offset: number, bytes: Buffer | string) =>
  Buffer.concat([wire.encodeOffset(wire.DATA, channel, offset), Buffer.from(bytes)])
const end = (channel: number, offset: number) => wire.encodeOffset(wire.END, channel, offset)
const credit = (channel: number, limit: number) => wire.encodeOffset(wire.CREDIT, channel, limit)
const blocked = (channel: number, limit: number) => wire.encodeOffset(wire.BLOCKED, channel, limit)
const reset = (channel: number) => wire.encodeReset(channel, wire.ABORTED, '')
const goaway = wire.encodeGoaway

/** Everything that a core has to send. */
function polled(core: Core): wire.MuxMessage[] {
  const all: wire.MuxMessage[] = []
  for (let output = core.poll(16 * KiB); output; output = core.poll(16 * KiB)) {
    all.push(wire.decode(Buffer.concat(output.message)))
  }
  return all
}

/** A channel that this end opens. */
function started(core: Core): ChannelCore<string> {
  const channel = core.open(NONE, undefined)!
  core.start(channel)
  return channel
}

/** A channel that the peer has opened. */
function accepted(core: Core, number = 0): ChannelCore<string> {
  const effect = core.receive(open(number), 0)
  if (effect?.do !== 'opened') throw new Error('not opened')
  return effect.channel
}

const hostile: [string, unknown, Buffer[]][] = [
  ['nothing', PROTOCOL, [NONE]],
  ['a message of no type', PROTOCOL, [Buffer.of(99)]],
  ['an OPEN twice', PROTOCOL, [open(0), open(0)]],
  ['an OPEN of a channel that is ours to open', PROTOCOL, [open(1)]],
  ['bytes for a channel that we never opened', PROTOCOL, [data(1, 0, 'x')]],
  ['an end of a channel that we never opened', PROTOCOL, [end(7, 0)]],
  ['a reset of a channel that we never opened', PROTOCOL, [reset(1)]],
  ['credit for a channel that we never opened', PROTOCOL, [credit(1, 1e6)]],
  ['bytes twice', PROTOCOL, [open(0, 'abc'), data(0, 0, 'x')]],
  ['bytes twice, before the OPEN', PROTOCOL, [data(0, 5, 'x'), data(0, 5, 'x')]],
  ['DATA without bytes', PROTOCOL, [open(0), data(0, 0, '')]],
  ['an end twice', PROTOCOL, [open(0), end(0, 5), end(0, 5)]],
  ['bytes beyond the end', PROTOCOL, [open(0), end(0, 5), data(0, 4, 'xy')]],
  ['a byte beyond the credit', LIMIT, [open(0), data(0, INITIAL_CREDIT, 'x')]],
  ['a byte beyond the credit, before the OPEN', LIMIT, [data(0, INITIAL_CREDIT, 'x')]],
  ['an OPEN with a byte beyond the credit', LIMIT, [open(0, Buffer.alloc(INITIAL_CREDIT + 1))]],
  ['a GOAWAY twice', PROTOCOL, [goaway(0), goaway(0)]],
  ['a GOAWAY below what it has opened', PROTOCOL, [open(2), goaway(1)]],
  ['an OPEN beyond its GOAWAY', PROTOCOL, [goaway(1), open(2)]],
  ['a channel far beyond the last', LIMIT, [open(2 * 16_385)]],
]

for (const [what, error, messages] of hostile) {
  test(`a peer that sends ${what} fails the mux`, () => {
    const core = make()
    for (const message of messages.slice(0, -1)) core.receive(message, 0)
    expect(() => core.receive(messages.at(-1)!, 0)).toThrow(error)
  })
}

const harmless: [string, Buffer[]][] = [
  ['bytes and an end before the OPEN', [data(0, 3, 'd'), end(0, 4), open(0, 'abc')]],
  ['a reset before the OPEN', [reset(0), open(0, 'abc'), data(0, 3, 'd')]],
  [
    'bytes, an end, credit and BLOCKED behind a reset',
    [open(0), reset(0), ...[data(0, 0, 'x'), end(0, 1), credit(0, 1e6), blocked(0, 1), reset(0)]],
  ],
  ['the largest credit that there is', [open(0), credit(0, Number.MAX_SAFE_INTEGER)]],
  ['the last byte of the credit', [open(0), data(0, INITIAL_CREDIT - 1, 'x')]],
]

for (const [what, messages] of harmless) {
  test(`a peer that sends ${what} does no harm`, () => {
    const core = make()
    for (const message of messages) core.receive(message, 0)
    expect(core.size).toBeLessThanOrEqual(1)
  })
}

test('a channel whose OPEN is late counts: one more than maxChannels is refused, the rest lives', () => {
  const core = make({ maxChannels: 3 })
  accepted(core, 0)
  for (const number of [2, 4, 6]) core.receive(end(number, 0), 0)
  expect([core.size, core.refused]).toEqual([1, 1])
  expect(polled(core)).toMatchObject([{ type: wire.RESET, channel: 6, code: wire.TOO_MANY }])
  expect(core.open(NONE, undefined), 'none can be opened from here').toBeUndefined()
  for (const number of [2, 4]) accepted(core, number)
  core.receive(open(6), 0)
  core.receive(data(6, 0, 'x'), 0)
  expect([core.size, core.refused], 'what was refused stays so').toEqual([3, 1])
})

test('regression: an honest peer may have as many OPENs on a late lane as it may have channels', () => {
  const [near, far] = [make({ dials: true }), make()]
  const { maxChannels } = LIMITS
  const late: Buffer[] = []
  for (let i = 0; i < maxChannels; i++) near.finish(started(near))
  for (let output = near.poll(16 * KiB); output; output = near.poll(16 * KiB)) {
    const message = Buffer.concat(output.message)
    if (message[0] === wire.OPEN) late.push(message)
    else far.receive(message, 0)
  }
  for (const message of late) far.receive(message, 0)
  expect([far.size, far.refused]).toEqual([maxChannels, 0])
})

test('so many parcels may be held by all channels together, and not one more', () => {
  const core = make()
  const each = 16_000
  const last = Math.ceil(MAX_HELD_IN_ALL / each)
  for (let i = 0; i < last; i++) accepted(core, 2 * i)
  let held = 0
  const byte = (index: number) => data(2 * Math.floor(index / each), 1 + 2 * (index % each), 'x')
  while (held < MAX_HELD_IN_ALL) core.receive(byte(held++), 0)
  expect(core.stock.heldBytes).toBe(MAX_HELD_IN_ALL)
  expect(() => core.receive(byte(held), 0)).toThrow(LIMIT)
})

test('the backlog is full at its limit; what is taken into use makes room', () => {
  const core = make({ backlog: 2 })
  const first = accepted(core, 0)
  accepted(core, 2)
  expect(core.receive(open(4), 0)).toBeUndefined()
  expect(core.refused).toBe(1)
  expect(polled(core)).toMatchObject([{ type: wire.RESET, channel: 4, code: wire.TOO_MANY }])
  core.use(first)
  accepted(core, 6)
  expect([core.size, core.waiting]).toEqual([3, 2])
  core.receive(reset(6), 0)
  expect([core.size, core.waiting], 'so does what is reset').toEqual([2, 1])
})

test('beyond maxChannels a channel is refused, and none can be opened', () => {
  const core = make({ maxChannels: 2 })
  const own = started(core)
  accepted(core, 0)
  expect(core.receive(open(2), 0)).toBeUndefined()
  expect(core.open(NONE, undefined)).toBeUndefined()
  core.close(own)
  expect(core.open(NONE, undefined)).toBeDefined()
})

test('refusals that cannot be sent are bounded, and those that are needless are dropped', () => {
  const core = make({ backlog: 1 })
  accepted(core, 0)
  for (let i = 1; i <= MAX_REFUSALS_DUE; i++) core.receive(open(2 * i), 0)
  const next = 2 * (MAX_REFUSALS_DUE + 1)
  expect(() => core.receive(open(next), 0)).toThrow(LIMIT)
  core.receive(reset(2), 0)
  core.receive(open(next + 2), 0)
  const refusals = polled(core)
  expect(refusals).toHaveLength(MAX_REFUSALS_DUE)
  expect(refusals).not.toContainEqual(expect.objectContaining({ channel: 2 }))
})

test('a peer that opens and resets is refused when the bucket is empty, and not for ever', () => {
  for (const early of [false, true]) {
    const core = make()
    let number = 0
    for (let i = 0; i < RESETS; i++, number += 2) {
      if (early) core.receive(reset(number), 0)
      expect(core.receive(open(number), 0)?.do).toBe(early ? undefined : 'opened')
      if (!early) core.receive(reset(number), 0)
    }
    expect(core.receive(open(number), 0)).toBeUndefined()
    expect(core.receive(open(number + 2), 20)).toBeUndefined()
    expect(core.receive(open(number + 4), 40)?.do).toBe('opened')
  }
})

test('credit before the OPEN does not make this end open the channel', () => {
  const core = make()
  core.receive(credit(0, 1e6), 0)
  expect(polled(core)).toEqual([])
  core.write(accepted(core), Buffer.alloc(2 * INITIAL_CREDIT))
  expect(polled(core).filter(({ type }) => type === wire.BLOCKED)).toEqual([])
})

test('a flood of messages, while nothing can be sent, leaves one answer at a channel at most', () => {
  const core = make({ windowBytes: 128 * KiB, maxChannels: 2 })
  const channel = accepted(core)
  channel.wanted = true
  core.write(channel, Buffer.alloc(INITIAL_CREDIT + 100_000))
  polled(core)
  for (let i = 1; i <= 30_000; i++) {
    core.receive(blocked(0, 1e6 + i), 0)
    core.receive(credit(0, INITIAL_CREDIT + i), 0)
    core.receive(open(2 * i), 0)
    core.receive(end(2 * i, 0), 0)
    core.receive(reset(2 * i), 0)
    core.receive(reset(2 * i), 0)
  }
  expect(core.size).toBe(1)
  const types = polled(core).map(({ type }) => type)
  expect(types.filter(type => type !== wire.DATA).sort()).toEqual([wire.CREDIT, wire.BLOCKED])
})

test('a few bytes that wait do not keep alive the buffer that they came in', () => {
  const core = make()
  const channel = accepted(core)
  const large = Buffer.alloc(1_000_000)
  const message = data(0, 0, 'few')
  message.copy(large)
  core.receive(large.subarray(0, message.length), 0)
  // Node's pool has some 64 KiB at most.
  expect(core.take(channel)!.buffer.byteLength).toBeLessThan(100_000)
})

test('resets of channels that this end opened cost the peer nothing', () => {
  const core = make()
  for (let i = 0; i < 2 * RESETS; i++) {
    started(core)
    polled(core)
    expect(core.receive(reset(2 * i + 1), 0)?.do).toBe('reset')
  }
  accepted(core)
})

test('the first bytes go with the OPEN, as far as the parcel has room', () => {
  const core = make({ dials: true })
  const channel = core.open(Buffer.from('who'), 'bulk')!
  core.start(channel)
  core.write(channel, Buffer.from('hello'))
  core.finish(channel)
  expect(polled(core)).toMatchObject([
    { type: wire.OPEN, channel: 0, opening: { priority: 'bulk' }, bytes: Buffer.from('hello') },
    { type: wire.END, channel: 0, offset: 5 },
  ])
  const long = core.open(Buffer.alloc(1000), undefined)!
  core.start(long)
  core.write(long, Buffer.alloc(500))
  const sizes: number[] = []
  for (let output = core.poll(300); output; output = core.poll(300)) {
    sizes.push(Buffer.concat(output.message).length)
  }
  expect(sizes, 'the OPEN has no room for bytes').toEqual([1012, 300, 500 - 283 + 17])
})

test('a channel that is closed before its OPEN has gone was never there for the peer', () => {
  const core = make()
  const never = started(core)
  const other = started(core)
  core.close(never, wire.ABORTED)
  expect(polled(core)).toMatchObject([{ type: wire.OPEN, channel: 1 }])
  core.close(other, wire.ABORTED, 'why')
  expect(polled(core)).toMatchObject([{ type: wire.RESET, channel: 1, reason: 'why' }])
})

test('credit that was due goes once, the latest; and a channel that is gone is silent', () => {
  const core = make()
  const [one, two] = [accepted(core, 0), accepted(core, 2)]
  for (const channel of [one, two]) {
    core.receive(data(channel.number, 0, Buffer.alloc(INITIAL_CREDIT / 2)), 0)
    core.take(channel)
    core.receive(data(channel.number, INITIAL_CREDIT / 2, Buffer.alloc(INITIAL_CREDIT / 2)), 0)
    core.take(channel)
  }
  core.receive(reset(2), 0)
  const limit = 2 * INITIAL_CREDIT
  expect(polled(core)).toEqual([{ type: wire.CREDIT, channel: 0, offset: limit }])
})

test('of a channel that is gone nothing goes but its RESET: no credit, no end, no bytes', () => {
  const core = make()
  const [read, ended, wrote] = [0, 2, 4].map(number => accepted(core, number))
  core.receive(data(0, 0, Buffer.alloc(INITIAL_CREDIT)), 0)
  core.finish(ended!)
  core.write(wrote!, Buffer.alloc(100))
  for (const channel of [read, ended, wrote]) core.close(channel!, wire.ABORTED)
  expect(core.take(read!)).toHaveLength(INITIAL_CREDIT) // its reader has not heard yet
  expect(polled(core).map(({ type }) => type)).toEqual([wire.RESET, wire.RESET, wire.RESET])
  expect(core.queuedBytes).toBe(0)
})

test('END goes behind all that was written, however late the credit for it comes', () => {
  const core = make()
  const channel = accepted(core)
  core.write(channel, Buffer.alloc(INITIAL_CREDIT + 10))
  core.finish(channel)
  const first = polled(core)
  expect(first.map(({ type }) => type)).not.toContain(wire.END)
  expect(first.at(-1)).toEqual({ type: wire.BLOCKED, channel: 0, offset: INITIAL_CREDIT })
  core.receive(credit(0, 1e6), 0)
  expect(polled(core)).toMatchObject([
    { type: wire.DATA, offset: INITIAL_CREDIT, bytes: Buffer.alloc(10) },
    { type: wire.END, offset: INITIAL_CREDIT + 10 },
  ])
})

test('what is said of channels goes before their bytes: RESET, CREDIT and END wait for no transfer', () => {
  const core = make()
  const [bulk, cut, read, ended] = [0, 2, 4, 6].map(number => accepted(core, number))
  core.write(bulk!, Buffer.alloc(INITIAL_CREDIT))
  core.receive(data(4, 0, Buffer.alloc(INITIAL_CREDIT)), 0)
  core.take(read!)
  core.finish(ended!)
  core.close(cut!, wire.ABORTED)
  const types = polled(core).map(({ type }) => type)
  expect(types.slice(0, 4)).toEqual([wire.RESET, wire.CREDIT, wire.END, wire.DATA])
})

test('a window grows where its reader waits, by half of what all may grow by, at most', () => {
  const core = make({ totalWindowBytes: 4 * INITIAL_CREDIT, windowBytes: 100 * INITIAL_CREDIT })
  const grown = (channel: ChannelCore<string>, limit: number) => {
    core.receive(blocked(channel.number, limit), 0)
    return channel.incoming.window / INITIAL_CREDIT
  }
  const [one, two, three, four] = [0, 2, 4, 6].map(number => accepted(core, number))
  expect(grown(one!, 1e6), 'its reader does not wait').toBe(1)
  for (const channel of [one, two, three, four]) channel!.wanted = true
  expect(grown(one!, 1e6), 'by 1 of 4').toBe(2)
  expect(grown(one!, 1e7), 'by 2 of 3: it may not').toBe(2)
  expect(grown(two!, 1e6), 'by 1 of 3').toBe(2)
  expect(grown(three!, 1e6), 'by 1 of 2').toBe(2)
  expect(grown(four!, 1e6), 'by 1 of 1: it may not').toBe(1)
  expect(core.stock.grownBytes).toBe(3 * INITIAL_CREDIT)
  core.receive(reset(2), 0)
  expect(core.stock.grownBytes).toBe(2 * INITIAL_CREDIT)
  expect(grown(four!, 1e7), 'by 1 of 2').toBe(2)
})

test('the windows of several muxes share a pool, and give back what they took', () => {
  const pool = new WindowPool(3 * INITIAL_CREDIT)
  const limits = { totalWindowBytes: 100 * INITIAL_CREDIT, windowBytes: 100 * INITIAL_CREDIT, pool }
  const [left, right] = [make(limits), make(limits)]
  const grown = (core: Core, number: number) => {
    const channel = accepted(core, number)
    channel.wanted = true
    core.receive(blocked(number, 1e6), 0)
    return channel.incoming.window / INITIAL_CREDIT
  }
  expect(grown(left, 0), 'by 1 of 3').toBe(2)
  expect(grown(right, 0), 'by 1 of 2').toBe(2)
  expect(grown(right, 2), 'by 1 of 1: it may not').toBe(1)
  expect([left, right].map(core => core.stock.grownBytes)).toEqual([INITIAL_CREDIT, INITIAL_CREDIT])
  expect(pool.takenBytes).toBe(2 * INITIAL_CREDIT)
  left.receive(reset(0), 0)
  expect(pool.takenBytes).toBe(INITIAL_CREDIT)
  expect(grown(right, 4), 'by 1 of 2').toBe(2)
  for (const number of [0, 2, 4]) right.receive(reset(number), 0)
  expect(pool.takenBytes).toBe(0)
  expect(() => new WindowPool(-1)).toThrow(RangeError)
})

test('it is over when both ends have said GOAWAY and every channel is gone', () => {
  const core = make()
  const channel = accepted(core, 2)
  core.drain()
  expect(polled(core)).toMatchObject([{ type: wire.GOAWAY, opened: 0 }])
  expect(core.receive(open(4), 0), 'refused').toBeUndefined()
  expect(polled(core)).toMatchObject([{ type: wire.RESET, channel: 4, code: wire.GOING_AWAY }])
  core.receive(goaway(3), 0)
  core.close(channel)
  expect(core.over, 'channel 0 is under way').toBe(false)
  core.receive(open(0), 0)
  expect(core.over, 'and its refusal').toBe(false)
  polled(core)
  expect(core.over).toBe(true)
})

test('it is not over while its own GOAWAY has not gone', () => {
  const core = make()
  core.receive(goaway(0), 0)
  expect(core.over).toBe(false)
  polled(core)
  expect(core.over).toBe(true)
})

test('whoever hears GOAWAY answers it, behind the channels that it was opening', () => {
  const core = make()
  started(core)
  core.receive(goaway(0), 0)
  expect(core.draining).toBe(true)
  expect(polled(core)).toMatchObject([{ type: wire.OPEN }, { type: wire.GOAWAY, opened: 1 }])
})

const TEXT = rng(1).bytes(90_000)

/** Two cores, and the messages between them, which arrive in any order. */
class Scene {
  readonly chance: Rng
  readonly cores: readonly [Core, Core]
  readonly air: [Buffer[], Buffer[]] = [[], []]
  readonly sent = new Map<string, Buffer[]>()
  readonly got = new Map<string, Buffer[]>()
  readonly ended = new Set<string>()
  readonly live: [Set<ChannelCore<string>>, Set<ChannelCore<string>>] = [new Set(), new Set()]
  readonly reset = new Set<string>()
  opened = 0

  constructor(seed: number) {
    this.chance = rng(seed)
    const limits = { windowBytes: this.chance.pick([64, 100, 512]) * KiB }
    this.cores = [make({ ...limits, dials: true }), make(limits)]
  }

  /** One of the ends does something. */
  step(): void {
    const end = this.chance.integer(0, 1) as 0 | 1
    const live = [...this.live[end]]
    const what = this.chance.integer(0, 9)
    if (what === 0 && this.opened < 30) this.#open(end)
    else if (what === 1 && live.length > 0) this.#abort(end, this.chance.pick(live))
    else if (what <= 3 && live.length > 0) this.#write(end, this.chance.pick(live))
    else if (what === 4 && live.length > 0) this.#finish(end, this.chance.pick(live))
    else this.#move(end)
  }

  /** What is under way arrives, and everybody reads and ends. */
  settle(): void {
    for (let quiet = 0; quiet < 3;) {
      const before = this.air[0].length + this.air[1].length
      for (const end of [0, 1] as const) {
        for (const channel of this.live[end]) this.#finish(end, channel)
        this.#move(end, Infinity)
      }
      quiet = before + this.air[0].length + this.air[1].length === 0 ? quiet + 1 : 0
    }
  }

  #open(end: 0 | 1): void {
    const name = `c${this.opened++}`
    const channel = this.cores[end].open(Buffer.from(name), this.chance.pick([undefined, 'bulk']))!
    this.cores[end].start(channel)
    this.#added(end, channel)
  }

  #added(end: 0 | 1, channel: ChannelCore<string>): void {
    channel.pipe = `${channel.header.toString()} ${end}`
    channel.wanted = true
    this.sent.set(channel.pipe, [])
    this.got.set(channel.pipe, [])
    this.live[end].add(channel)
    this.#read(end, channel)
  }

  #write(end: 0 | 1, channel: ChannelCore<string>): void {
    if (channel.ending) return
    const from = this.chance.integer(0, 50_000)
    const bytes = TEXT.subarray(from, from + this.chance.integer(1, this.chance.pick([10, 40_000])))
    this.sent.get(channel.pipe!)!.push(bytes)
    this.cores[end].write(channel, bytes)
  }

  #finish(end: 0 | 1, channel: ChannelCore<string>): void {
    if (channel.ending || channel.outgoing.queued > 0) return
    this.cores[end].finish(channel)
  }

  #abort(end: 0 | 1, channel: ChannelCore<string>): void {
    if (!this.chance.chance(0.2)) return
    this.cores[end].close(channel, wire.ABORTED)
    this.#over(end, channel)
  }

  #over(end: 0 | 1, channel: ChannelCore<string>): void {
    this.reset.add(channel.header.toString())
    this.live[end].delete(channel)
  }

  #read(end: 0 | 1, channel: ChannelCore<string>): void {
    const core = this.cores[end]
    for (let bytes = core.take(channel); bytes; bytes = core.take(channel)) {
      this.got.get(channel.pipe!)!.push(bytes)
    }
    if (channel.incoming.ended) this.ended.add(channel.pipe!)
    if (!channel.done || !channel.incoming.ended) return
    core.close(channel)
    this.live[end].delete(channel)
  }

  /** A core sends some, and gets some. */
  #move(end: 0 | 1, count = this.chance.integer(0, 5)): void {
    const core = this.cores[end]
    for (let i = 0; i < count; i++) {
      const bytes = this.chance.integer(20, 9000)
      const hurried = this.chance.chance(0.2) ? core.poll(bytes, true) : undefined
      const output = hurried ?? core.poll(bytes)
      if (output === undefined) break
      this.air[1 - end]!.push(Buffer.concat(output.message))
    }
    const air = this.air[end]
    for (let i = 0; i < count && air.length > 0; i++) {
      const [message] = air.splice(this.chance.integer(0, air.length - 1), 1)
      const effect = core.receive(message!, 0)
      if (effect?.do === 'opened') this.#added(end, effect.channel)
      else if (effect?.do === 'readable') this.#read(end, effect.channel)
      else if (effect) this.#over(end, effect.channel)
    }
    for (const channel of this.live[end]) this.#read(end, channel)
  }
}

test('whatever the order of arrival, each channel gives its bytes, its end or its reset', () => {
  let whole = 0
  let cut = 0
  for (let seed = 1; seed <= 150; seed++) {
    const scene = new Scene(seed)
    for (let i = 0; i < 400; i++) scene.step()
    scene.settle()
    for (let number = 0; number < scene.opened; number++) {
      for (const end of [0, 1]) {
        const sent = Buffer.concat(scene.sent.get(`c${number} ${1 - end}`) ?? [])
        const got = Buffer.concat(scene.got.get(`c${number} ${end}`) ?? [])
        const where = `seed ${seed}, channel ${number}, end ${end}`
        expect(got.equals(sent.subarray(0, got.length)), where).toBe(true)
        if (scene.reset.has(`c${number}`)) {
          cut++
          continue
        }
        whole++
        expect(got.length, where).toBe(sent.length)
        expect(scene.ended.has(`c${number} ${end}`), where).toBe(true)
      }
    }
    for (const core of scene.cores) {
      expect([core.size, core.stock.heldBytes, core.stock.grownBytes, core.queuedBytes]).toEqual([
        ...[0, 0, 0, 0],
      ])
      core.drain()
    }
    scene.settle()
    expect(
      scene.cores.map(core => core.over),
      `seed ${seed}`,
    ).toEqual([true, true])
  }
  expect(whole).toBeGreaterThan(2000)
  expect(cut).toBeGreaterThan(500)
})
