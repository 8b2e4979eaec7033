import { rng } from '@striper/testkit'
import { describe, expect, test } from 'vitest'
import { Backoff, DialRate } from '../src/pure/backoff.ts'

describe('the pauses of one lane', () => {
  test('they double from 250 ms to 30 s, and go no further', () => {
    const backoff = new Backoff(250, 30_000)
    const pauses = Array.from({ length: 9 }, () => backoff.lost(0, 1))
    expect(pauses).toEqual([250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
  })

  test('chance cuts each short, and does not change the next', () => {
    const backoff = new Backoff(250, 30_000)
    expect([0.5, 0, 0.25].map(chance => backoff.lost(0, chance))).toEqual([125, 0, 250])
  })

  test('7 s of life take the longest back to the first, 6 s do not', () => {
    for (const [livedMs, pauseMs] of [
      [6000, 500],
      [7000, 250],
      [3_600_000, 250],
    ] as const) {
      const backoff = new Backoff(250, 30_000)
      for (let i = 0; i < 100; i++) backoff.lost(0, 1)
      expect(backoff.lost(livedMs, 1)).toBe(pauseMs)
    }
  })

  test('lanes that live for a second each are dialled again as soon for ever', () => {
    const backoff = new Backoff(250, 30_000)
    const pauses = Array.from({ length: 50 }, () => backoff.lost(1000, 1))
    expect(new Set(pauses)).toEqual(new Set([250]))
  })

  test('a server that takes each lane, answers and drops it gets no storm', () => {
    const backoff = new Backoff(250, 30_000)
    let now = 0
    let dials = 0
    while (now < 60_000) {
      dials++
      now += 50 + backoff.lost(50, 0.5)
    }
    expect(dials).toBeLessThanOrEqual(12)
    for (dials = 0; now < 600_000; dials++) now += 50 + backoff.lost(50, 0.5)
    expect(dials).toBeLessThanOrEqual(9 * 4 + 1)
  })
})

test('F14: 1,000 clients whose server is down for 60 s: 12 dials each at most, and they do not come back as one', () => {
  const chance = rng(35)
  const dials: number[] = [] // when, in ms, of all clients together
  const each = Array.from({ length: 1000 }, () => {
    const backoff = new Backoff(250, 30_000)
    let count = 0
    // All lose their lanes at once, and each dial is refused at once.
    for (let now = backoff.lost(60_000, chance.next()); now < 60_000; count++) {
      dials.push(now)
      now += backoff.lost(0, chance.next())
    }
    return count
  })
  expect(dials.length / 1000, 'each, on average').toBeLessThanOrEqual(12)
  expect(Math.max(...each), 'who has no luck').toBeLessThanOrEqual(20)
  const busiest = (from: number, to: number) => {
    const tenths = new Map<number, number>()
    for (const at of dials) {
      if (at < from || at >= to) continue
      const tenth = Math.floor(at / 100)
      tenths.set(tenth, (tenths.get(tenth) ?? 0) + 1)
    }
    return Math.max(...tenths.values())
  }
  expect(busiest(1000, 60_000), 'in any tenth of a second, behind the first').toBeLessThan(200)
  expect(busiest(20_000, 60_000), 'in any tenth, behind 20 s').toBeLessThan(50)
})

describe('the rate of all dials', () => {
  test('as many as the burst go at once, one more waits for its turn, and so on', () => {
    const rate = new DialRate(100, 3)
    expect([1, 2, 3, 4, 5].map(() => rate.take(1000))).toEqual([0, 0, 0, 10, 20])
  })

  test('turns come back with time, up to the burst', () => {
    const rate = new DialRate(100, 2)
    for (let i = 0; i < 4; i++) rate.take(0)
    expect(rate.take(20)).toBe(10) // two turns came, and had been promised
    expect([1, 2, 3].map(() => rate.take(60_000))).toEqual([0, 0, 10])
  })

  test('in a minute no more have their turn than the burst and the rate', () => {
    const rate = new DialRate(100, 200)
    const turns = Array.from({ length: 10_000 }, () => rate.take(0)).filter(ms => ms <= 60_000)
    expect(turns.length).toBe(6200)
  })

  test('a clock that went back frees no turn, and takes none', () => {
    const rate = new DialRate(100, 2)
    rate.take(5000)
    expect([rate.take(0), rate.take(0)]).toEqual([0, 10])
  })
})
