// Channels over networks that are slow and far away, in virtual time: what they measure is the same
// on every machine.

import { memoryPair, type BytePipe, stack } from '@striper/core'
import { frame } from '@striper/frame'
import type { Channel, OpenOptions } from '@striper/mux'
import { latency, rate } from '@striper/testkit'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type LanePair, striped, times } from '../../stripe/test/scene.ts'
import { muxes, type Muxes, type Pair } from './scene.ts'

const KiB = 1024
const MiB = 1024 * KiB

vi.setConfig({ testTimeout: 120_000 }) // of the machine's time, of which it takes seconds
beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
  })
})
let ends: Muxes | undefined
afterEach(() => {
  for (const end of ends ?? []) end.destroy()
  ends = undefined
  vi.useRealTimers()
})

interface Line {
  bytesPerSecond: number
  /** One way. */
  ms: number
}

function line({ bytesPerSecond, ms }: Line): LanePair {
  const [left, right] = memoryPair()
  const near: BytePipe = stack(left, latency({ ms }), rate({ bytesPerSecond }))
  return [frame()(near), frame()(right)]
}

/** Stripes over so many lines. */
const stripes = (count: number, each: Line): Pair =>
  striped(
    times(count, () => line(each)),
    { windowBytes: 16 * MiB },
  )

/** Lets time go by, a millisecond after the other, until it is so; how many it took. */
async function until(so: () => boolean, atMost = 60_000): Promise<number> {
  for (let ms = 0; ms < atMost; ms++) {
    if (so()) return ms
    await vi.advanceTimersByTimeAsync(1)
  }
  throw new Error(`not in ${atMost} ms`)
}

async function pass(ms: number): Promise<void> {
  for (let i = 0; i < ms; i++) await vi.advanceTimersByTimeAsync(1)
}

/** A mux at each end; channels named `echo` are answered, of the others bytes are counted. */
function joined(below: Pair) {
  const arrived = new Map<string, number>()
  ends = muxes(below, {}, channel => {
    const name = String(channel.header)
    if (name === 'echo') return void channel.pipe(channel)
    arrived.set(name, 0)
    channel.on('data', (bytes: Buffer) => arrived.set(name, arrived.get(name)! + bytes.length))
  })
  const [near] = ends
  const opened = (name: string, priority?: OpenOptions['priority']) => {
    const channel = near.open({ header: Buffer.from(name), priority })
    return channel.on('error', () => undefined)
  }
  return { opened, bytes: (name: string) => arrived.get(name) ?? 0 }
}

/** So many echoes of 16 bytes, one after the other with 20 ms between them: how long each took. */
async function echoes(channel: Channel, count: number): Promise<number[]> {
  const all: number[] = []
  let heard = 0
  channel.on('data', (bytes: Buffer) => (heard += bytes.length))
  for (let i = 1; i <= count; i++) {
    channel.write(Buffer.alloc(16))
    all.push(await until(() => heard === 16 * i))
    await pass(20)
  }
  return all.sort((a, b) => a - b)
}

/** Writes for ever, as fast as it may. */
function busy(channel: Channel): void {
  const some = Buffer.alloc(64 * KiB)
  const fill = () => {
    while (channel.write(some));
  }
  channel.on('drain', fill)
  fill()
}

test('the window follows rate × delay: at a round trip of 60 ms one channel is not held to 33 Mbit/s', async () => {
  const fast: Line = { bytesPerSecond: 25e6, ms: 30 } // 200 Mbit/s: 1.5 MB are under way
  const below: Record<string, () => Pair> = {
    'one connection': () => line(fast),
    'a stripe of two': () => stripes(2, { ...fast, bytesPerSecond: 12.5e6 }),
  }
  for (const [name, make] of Object.entries(below)) {
    const { opened, bytes } = joined(make())
    busy(opened('bulk'))
    await until(() => bytes('bulk') > 8 * MiB)
    const before = bytes('bulk')
    await pass(1000)
    const mbits = ((bytes('bulk') - before) * 8) / 1e6
    expect(mbits, `Mbit/s of 200, over ${name}`).toBeGreaterThan(180)
    for (const end of ends!) end.destroy()
  }
})

const FOUR: Line = { bytesPerSecond: 2.5e6, ms: 10 } // 20 Mbit/s

for (const priority of [undefined, 'interactive'] as const) {
  test(`a keystroke does not wait behind transfers, opened as ${priority ?? 'nothing'}: p50 within 15 ms, p99 within 60 ms of idle`, async () => {
    const { opened, bytes } = joined(stripes(4, FOUR))
    const keys = opened('echo', priority)
    const idle = await echoes(keys, 50)
    for (const name of 'abc') busy(opened(name))
    await pass(2000) // until the windows have grown, and every queue is as full as it becomes
    const before = bytes('a') + bytes('b') + bytes('c')
    const start = performance.now()
    const beside = await echoes(keys, 100)
    const rate = (bytes('a') + bytes('b') + bytes('c') - before) / (performance.now() - start)
    expect(rate, 'bytes a ms of 10,000: the lines are busy').toBeGreaterThan(9000)
    expect(beside[50]! - idle[25]!, 'p50').toBeLessThanOrEqual(15)
    expect(beside[98]! - idle.at(-1)!, 'p99').toBeLessThanOrEqual(60)
  })
}

test('forty transfers at once: together 97 % of the lines, and each its fair share within a fifth', async () => {
  const { opened, bytes } = joined(stripes(4, FOUR))
  const names = times(40, String)
  for (const name of names) {
    busy(opened(name))
    await pass(7) // one after the other
  }
  await pass(2000)
  const before = names.map(bytes)
  await pass(4000)
  const each = names.map((name, i) => bytes(name) - before[i]!)
  const all = each.reduce((sum, one) => sum + one, 0)
  expect(all).toBeGreaterThan(0.97 * 4 * 4 * FOUR.bytesPerSecond)
  expect(Math.min(...each) / (all / 40)).toBeGreaterThan(0.8)
  expect(Math.max(...each) / (all / 40)).toBeLessThan(1.2)
})
