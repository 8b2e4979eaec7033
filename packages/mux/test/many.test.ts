// Many channels: at once, one after the other, and idle.

import type { Channel } from '@striper/mux'
import { expect, test } from 'vitest'
import { closed, type MakeBelow, messages, muxes, striped, turn } from './scene.ts'

const KiB = 1024
const gc = () => (globalThis as { gc?: () => void }).gc!()

/** Bytes of which every place is unlike the others near it. */
function text(bytes: number): Buffer {
  const all = Buffer.allocUnsafe(bytes)
  for (let i = 0; i < bytes; i++) all[i] = Math.imul(i, 0x9e3779b1) >>> 13
  return all
}

/** Reads a channel to its end, each byte compared. */
async function check(channel: Channel, expected: Buffer): Promise<void> {
  let at = 0
  channel.on('data', (bytes: Buffer) => {
    if (!bytes.equals(expected.subarray(at, at + bytes.length))) {
      channel.destroy(new Error(`wrong within ${bytes.length} bytes from ${at} on`))
    }
    at += bytes.length
  })
  await new Promise<void>((resolve, reject) => {
    channel.once('end', resolve)
    channel.once('error', reject)
  })
  if (at !== expected.length) throw new Error(`${at} bytes of ${expected.length}`)
}

async function manyAtOnce(below: MakeBelow, bytes: number): Promise<void> {
  const count = 1000
  const all = text(bytes + 2 * count)
  const part = (index: number) => all.subarray(index, index + bytes)
  const served: Promise<void>[] = []
  const ends = muxes(await below(), { backlog: count }, channel => {
    const index = Number(String(channel.header))
    served.push(check(channel, part(index)))
    channel.end(part(count + index))
  })
  const asked = Array.from({ length: count }, async (_, index) => {
    const channel = ends[index % 2]!.open({ header: Buffer.from(String(index)) })
    channel.end(part(index))
    await check(channel, part(count + index))
  })
  await Promise.all(asked)
  await Promise.all(served)
  expect(served).toHaveLength(count)
  await Promise.all(ends.map(end => end.drain()))
  for (const end of ends) {
    expect(end.muxStats).toMatchObject({ channels: 0, heldBytes: 0, queuedBytes: 0, grownBytes: 0 })
  }
}

test('1,000 channels at once carry 1 MiB each way, over messages', async () => {
  await manyAtOnce(messages, 1024 * KiB)
}, 120_000)

test('1,000 channels at once carry 1 MiB each way, over a stripe of 4 lanes', async () => {
  await manyAtOnce(striped(4), 1024 * KiB)
}, 120_000)

test('10,000 idle channels take at most 6 KiB of heap each at each end', async () => {
  const count = 10_000
  const kept: Channel[] = []
  const [near, far] = muxes(messages(), { backlog: count }, channel => {
    kept.push(channel.resume())
  })
  gc()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < count; i++) {
    kept.push(near.open({ header: Buffer.from('example.org:443') }).resume())
  }
  while (far.muxStats.channels < count) await turn()
  for (let i = 0; i < 5; i++) await turn()
  gc()
  const each = (process.memoryUsage().heapUsed - before) / kept.length
  expect(kept).toHaveLength(2 * count)
  expect(each).toBeLessThan(6 * KiB)
}, 60_000)

test('10,000 channels, one after the other beside one that stays, leave nothing behind', async () => {
  const seen: WeakRef<Channel>[] = []
  const [near, far] = muxes(messages(), {}, channel => {
    if (far.muxStats.opened % 500 === 0) seen.push(new WeakRef(channel))
    channel.on('data', () => channel.end('answers'))
  })
  const stays = near.open()
  stays.write('x')
  const conversation = async (index: number) => {
    const channel = near.open()
    if (index % 500 === 0) seen.push(new WeakRef(channel))
    channel.on('error', () => undefined).resume()
    if (index % 3 === 0) channel.write('asks')
    else channel.end('asks')
    if (index % 3 === 0) channel.once('data', () => channel.destroy())
    await closed(channel)
  }
  const some = async (from: number, count: number) => {
    for (let i = 0; i < count; i += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, j) => conversation(from + i + j)))
    }
    await turn()
    gc()
    return process.memoryUsage().heapUsed
  }
  const before = await some(0, 2000)
  const after = await some(2000, 8000)
  while (far.muxStats.channels > 1) await turn()
  expect(near.muxStats.channels).toBe(1)
  expect(after - before, 'bytes of heap more after 8,000 more').toBeLessThan(500 * KiB)
  for (let i = 0; i < 20; i++) {
    await turn()
    gc()
  }
  expect(seen.length).toBeGreaterThan(20)
  const left = seen.filter(each => each.deref() !== undefined)
  expect(left.length, `of ${seen.length} in memory`).toBe(0)
  expect(stays.destroyed).toBe(false)
}, 60_000)
