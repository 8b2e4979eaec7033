// The small parts: Queue, Seen, Bucket and Turns.

import { rng } from '@striper/testkit'
import { expect, test } from 'vitest'
import { Bucket } from '../src/pure/bucket.ts'
import { Queue } from '../src/pure/queue.ts'
import { MAX_MISSING, Seen } from '../src/pure/seen.ts'
import { QUICK_BURST_BYTES, QUICK_BYTES, QUICK_TURNS, type Turn, Turns } from '../src/pure/turns.ts'

test('a queue is like a list from which any item may leave', () => {
  const chance = rng(1)
  const queue = new Queue<number>()
  let list: number[] = []
  for (let i = 0; i < 5000; i++) {
    const item = chance.integer(1, 20)
    const what = chance.integer(0, 2)
    if (what === 0) {
      queue.add(item)
      if (!list.includes(item)) list.push(item)
    } else if (what === 1) {
      expect(queue.delete(item)).toBe(list.includes(item))
      list = list.filter(each => each !== item)
    } else {
      expect(queue.shift()).toBe(list.shift())
    }
    expect([queue.first, queue.size]).toEqual([list[0], list.length])
  }
})

test('each of the peer’s channels is seen for the first time once, in any order', () => {
  const chance = rng(2)
  const seen = new Seen()
  const known = new Set<number>()
  for (let i = 0; i < 3000; i++) {
    const index = chance.integer(0, 999)
    expect(seen.see(index)).toBe(!known.has(index))
    known.add(index)
  }
  for (let index = 0; index < 1000; index++) {
    expect(seen.all(1000), 'all').toBe(known.size === 1000)
    expect(seen.see(index)).toBe(!known.has(index))
    known.add(index)
  }
  expect([seen.all(1000), seen.all(1001), seen.next]).toEqual([true, false, 1000])
})

test('so many channels may be missing, and not one more', () => {
  const limit: unknown = expect.objectContaining({ code: 'ERR_PIPE_LIMIT' })
  const seen = new Seen()
  expect(() => seen.see(MAX_MISSING + 1)).toThrow(limit)
  expect(seen.see(MAX_MISSING), 'and what was refused has left nothing').toBe(true)
  expect(() => seen.see(MAX_MISSING + 2)).toThrow(limit)
  expect(() => seen.see(Number.MAX_SAFE_INTEGER)).toThrow(limit)
  expect(seen.see(MAX_MISSING + 1)).toBe(true)
  seen.see(7)
  expect(seen.see(MAX_MISSING + 3)).toBe(true)
})

test('a bucket holds so much, and fills as time passes', () => {
  const bucket = new Bucket(3, 2)
  for (let i = 0; i < 3; i++) {
    expect(bucket.empty(1000)).toBe(false)
    bucket.take(1000)
  }
  expect(bucket.empty(1000)).toBe(true)
  expect(bucket.empty(1499)).toBe(true)
  expect(bucket.empty(1500)).toBe(false)
  expect(bucket.empty(1400), 'a clock that goes back').toBe(false)
  bucket.take(1e9)
  bucket.take(1e9)
  bucket.take(1e9)
  expect(bucket.empty(1e9), 'never more than its size').toBe(true)
})

type Named = Turn & { name: string }
const item = (name: string, priority?: Turn['priority']): Named => ({
  name,
  priority,
  queued: 0,
  spent: 0,
  round: 0,
})

/** Who gets the next turns, if everybody who is there sends so many bytes and has more. */
function order(turns: Turns<Named>, count: number, bytes: number): string {
  let said = ''
  for (let i = 0; i < count; i++) {
    const next = turns.next()
    if (next === undefined) break
    said += next.name
    turns.sent(next, bytes)
    turns.add(next)
  }
  return said
}

test('bulk channels have one turn each, round and round', () => {
  const turns = new Turns<Named>()
  for (const name of 'abc') turns.add(item(name, 'bulk'))
  expect(order(turns, 7, 16_384)).toBe('abcabca')
})

test('interactive ones go first, and after four of their turns a bulk one has one', () => {
  const turns = new Turns<Named>()
  for (const name of 'ab') turns.add(item(name, 'bulk'))
  for (const name of 'XY') turns.add(item(name, 'interactive'))
  expect(QUICK_TURNS).toBe(4)
  expect(order(turns, 15, 16_384)).toBe('XYXYaXYXYbXYXYa')
})

test('a channel is quick by itself until it has sent much, and bulk from then on', () => {
  const turns = new Turns<Named>()
  turns.add(item('b', 'bulk'))
  turns.add({ ...item('t'), queued: 4096 })
  const burst = QUICK_BURST_BYTES / 4096
  expect(order(turns, burst, 4096)).toBe('t'.repeat(burst))
  expect(order(turns, 6, 4 * 4096)).toBe('btbtbt')
})

test('one that sends little for each round of the bulk ones is always quick', () => {
  const turns = new Turns<Named>()
  for (const name of 'ab') turns.add(item(name, 'bulk'))
  const key = item('k')
  for (let round = 0; round < 100; round++) {
    turns.add(key)
    expect(order(turns, 1, QUICK_BYTES)).toBe('k')
    turns.delete(key)
    expect(order(turns, 2, 16_384)).toBe('ab')
  }
})

test('one that sends more than that is not, however often it has nothing to send', () => {
  const turns = new Turns<Named>()
  for (const name of 'ab') turns.add(item(name, 'bulk'))
  const much = { ...item('m'), queued: 16_384 }
  let quick = 0
  for (let round = 0; round < 100; round++) {
    turns.add(much)
    if (turns.firstQuick === much) quick++
    expect(order(turns, 3, 16_384)).toMatch(/^(mab|amb|abm|mba|bma|bam)$/)
    turns.delete(much)
  }
  expect(quick, 'at first').toBe(1)
})

test('after a transfer a channel is quick again when it has rested for 16 rounds', () => {
  const turns = new Turns<Named>()
  const rested = item('r')
  turns.sent(rested, 1e9)
  turns.add(item('b', 'bulk'))
  for (let round = 0; round < 12; round++) {
    expect(turns.isQuick(rested), `round ${round}`).toBe(false)
    order(turns, 1, 16_384)
  }
  order(turns, 1, 16_384)
  expect(turns.isQuick(rested)).toBe(true)
})

test('a round is a turn of each of the bulk ones, and not of one: what rests among many rests longer', () => {
  const turns = new Turns<Named>()
  const rested = item('r')
  turns.sent(rested, 1e9)
  for (const name of 'abcd') turns.add(item(name, 'bulk'))
  order(turns, 4 * 11, 16_384)
  expect(turns.isQuick(rested), 'after 11 rounds of four turns').toBe(false)
  order(turns, 4, 16_384)
  expect(turns.isQuick(rested)).toBe(true)
})

test('one that has more to send than a quick one may is bulk from the start', () => {
  const turns = new Turns<Named>()
  expect(turns.isQuick({ ...item('q'), queued: QUICK_BURST_BYTES })).toBe(true)
  expect(turns.isQuick({ ...item('q'), queued: QUICK_BURST_BYTES + 1 })).toBe(false)
  expect(turns.isQuick({ ...item('q', 'interactive'), queued: 1e9 })).toBe(true)
})
