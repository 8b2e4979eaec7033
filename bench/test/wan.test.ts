// What the wan bench makes of what arrived when.

import { expect, test } from 'vitest'
import { median, quantile } from '../lib/figures.ts'
import type { Pass } from '../wan/ask.ts'
import { goodput, leastSecond, longestGapMs, secondsUntil, steadyGoodput } from '../wan/measure.ts'
import { rowsOf, toJson } from '../wan/report.ts'
import { type Scenario, scenarios } from '../wan/rows.ts'
import type { Trial } from '../wan/trials.ts'

const MEGABIT = 125_000 // bytes

/** A pass in which so many Mbit/s arrived, second by second. */
function passOf(...megabits: number[]): Pass {
  const bins = megabits.flatMap(each => Array.from({ length: 100 }, () => (each * MEGABIT) / 100))
  return { bins, gaps: [], answersMs: [] }
}

test('goodput is the mean between two times', () => {
  const pass = passOf(0, 10, 20, 30)
  expect(goodput(pass, 1, 3)).toBeCloseTo(15)
  expect(goodput(pass, 0.5, 1.5)).toBeCloseTo(5)
})

test('the steady state is seconds 2 to 8, or what there is of them', () => {
  expect(steadyGoodput(passOf(0, 0, 6, 6, 6, 6, 6, 6, 99, 99), { seconds: 10 })).toBeCloseTo(6)
  expect(steadyGoodput(passOf(0, 0, 4, 6), { seconds: 4 })).toBeCloseTo(5)
  expect(steadyGoodput(passOf(0, 2, 4), { seconds: 3, steadyFrom: 1 })).toBeCloseTo(3)
})

test('the least second is one of those asked for', () => {
  expect(leastSecond(passOf(1, 1, 8, 5, 9), 2, 5)).toBeCloseTo(5)
})

test('the longest gap is one that was not over before', () => {
  const gaps = [
    { at: 100, ms: 900 },
    { at: 3990, ms: 150 },
    { at: 6000, ms: 40 },
  ]
  expect(longestGapMs({ ...passOf(1), gaps }, 4)).toBe(150)
  expect(longestGapMs({ ...passOf(1), gaps }, 5)).toBe(40)
  expect(longestGapMs({ ...passOf(1), gaps }, 7)).toBe(0)
})

test('a path has healed when half a second has its share', () => {
  expect(secondsUntil(passOf(8, 6, 6, 8, 8), 1, 7.9)).toBeCloseTo(1.98, 1)
  expect(secondsUntil(passOf(8, 6, 6, 6, 6), 1, 7.9)).toBe(Infinity)
})

test('medians and quantiles', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
  expect(median([])).toBeUndefined()
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1)
  expect(quantile(hundred, 0.5)).toBe(50)
  expect(quantile(hundred, 0.99)).toBe(99)
  expect(quantile([], 0.5)).toBeUndefined()
})

const all = scenarios(10)
const scenario = (name: string) => all.find(each => each.name === name)!
/** A trial in which S is 80 Mbit/s and the best lane 20. */
const trial = (striper: Pass, more: Trial['passes'] = {}): Trial => ({
  links: [],
  reference: { S: 80, later: 60, best: 20 },
  passes: { striper, ...more },
})
const even = (megabits: number, seconds = 10) => passOf(...Array<number>(seconds).fill(megabits))

test('a row is the median of its trials beside that of each peer', () => {
  const trials = [70, 80, 78].map(each => trial(even(each), { mptcp: even(60) }))
  const [row] = rowsOf(scenario('equal-4'), trials)
  expect(row).toMatchObject({ row: 'equal-4', S: 80, reach: 99, holds: false })
  expect(row!.values.striper).toBeCloseTo(97.5)
  expect(row!.values.mptcp).toBeCloseTo(75)
})

test('where something happens, seconds count from the next one on and beside what is left', () => {
  const pass = passOf(80, 80, 80, 80, 30, 60, 60, 57, 60, 60)
  const gaps = [{ at: 3990, ms: 210 }]
  const [gap, seconds] = rowsOf(scenario('collapse'), [trial({ ...pass, gaps })])
  expect(gap).toMatchObject({ row: 'collapse-gap', holds: true, values: { striper: 210 } })
  expect(seconds!.row).toBe('collapse-seconds')
  expect(seconds!.values.striper).toBeCloseTo(95)
})

test('answers are held against those over plain TCP', () => {
  const answers = (ms: number): Pass => ({ ...passOf(0), answersMs: [ms, ms, ms] })
  const [p50, p99] = rowsOf(scenario('ask-64'), [trial(answers(23), { tcp: answers(20) })])
  expect(p50).toMatchObject({ row: 'ask-64-p50', reach: 22, holds: false })
  expect(p99).toMatchObject({ row: 'ask-64-p99', reach: 24, holds: true })
})

test('pairs are counted, and held against MPTCP', () => {
  const trials = [19, 19.5, 40].map(each => trial(even(each, 7), { mptcp: even(20, 7) }))
  const [floor, middle, least] = rowsOf(scenario('pairs'), trials)
  expect(floor!.values.striper).toBeCloseTo(66.7, 1)
  expect(middle).toMatchObject({ row: 'pairs-median', holds: false, reach: 25 })
  expect(least!.values.striper).toBeCloseTo(23.75)
})

test('a row that came to nothing holds nothing, and is JSON all the same', () => {
  const nothing: Trial = { links: [], reference: { S: 80, later: 80, best: 20 }, passes: {} }
  const lines = rowsOf(scenario('heal'), [nothing]).map(toJson)
  expect(lines).toEqual([
    '{"row":"heal","value":null,"unit":"s until 95 % of S","reach":2,"holds":null,"peers":{"S":80}}',
  ])
})

test('random pairs are the same each time, and within their bounds', () => {
  const { links } = scenario('pairs')
  expect(links).toEqual(scenarios(10).at(-1)!.links)
  for (const words of links.flat()) {
    const [, rate, delay, queue, loss] = /^rate=(.+) delay=(.+) queue=(.+) loss=(.+)$/
      .exec(words)!
      .map(Number)
    expect(rate).toSatisfy((value: number) => value >= 1 && value <= 50)
    expect(delay).toSatisfy((value: number) => value >= 2.5 && value <= 100)
    expect(queue).toSatisfy((value: number) => value >= 10 && value <= 200)
    expect(loss).toSatisfy((value: number) => value >= 0 && value <= 1)
  }
})

test('no two rows have one name', () => {
  const rowNames = (each: Scenario) => rowsOf(each, []).map(({ row }) => row)
  const names = all.flatMap(rowNames)
  expect(new Set(names).size).toBe(names.length)
})
