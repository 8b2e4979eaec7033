// What the relay bench makes of its passes.

import { expect, test } from 'vitest'
import { median, quantile } from '../lib/figures.ts'
import { claimsOf, figuresOf, type Rounds, toClaim, toJson } from '../relay/report.ts'
import { CLAIMS, ROWS } from '../relay/rows.ts'

const row = (name: string) => ROWS.find(each => each.name === name)!
/** A round of bulk in which each relay took so much CPU for a gigabyte in a second. */
const round = (bridge: number, pipe: number, haproxy: number) => {
  const pass = (cpuSeconds: number) => ({ gigabytes: 2, seconds: 1, cpuSeconds: 2 * cpuSeconds })
  return { bridge: pass(bridge), pipe: pass(pipe), haproxy: pass(haproxy) }
}

test('a figure is the median over the rounds, beside that of each peer', () => {
  const figures = figuresOf(row('bulk-1'), [round(3, 5, 1), round(1, 6, 2), round(2, 7, 9)])
  expect(figures[1]).toMatchObject({
    row: 'bulk-1-cpu',
    value: 2,
    unit: 'CPU s/GB',
    peers: { pipe: 6, haproxy: 2 },
  })
})

test('a ratio is taken within each round, and then the median', () => {
  const rounds = [round(1, 2, 1), round(4, 5, 1), round(3, 10, 3)]
  const [cpu] = claimsOf(row('bulk-1'), rounds)
  expect(cpu).toMatchObject({ row: 'bulk-1-cpu/pipe', value: 0.5, reach: 0.65, holds: true })
  const [worse] = claimsOf(row('bulk-1'), [round(4, 5, 1)])
  expect(worse).toMatchObject({ value: 0.8, holds: false })
  expect(toClaim(worse!)).toMatch(/0\.80 +≤ 0\.65 +NO/)
})

test('more is better where it is, and a bound may have no peer', () => {
  const speeds = (bridge: number): Rounds => [
    { bridge: { gigabytes: bridge, seconds: 1 }, haproxy: { gigabytes: 2, seconds: 1 } },
  ]
  const holds = (rounds: Rounds) =>
    claimsOf(row('bulk-1'), rounds).find(({ row }) => row === 'bulk-1-speed/haproxy')!.holds
  expect([holds(speeds(1.9)), holds(speeds(1.7))]).toEqual([true, false])
  const [peak] = claimsOf(row('ten'), [{ bridge: { peakBytes: 97 * 2 ** 20 } }])
  expect(peak).toMatchObject({ row: 'ten-peak', value: 97, holds: false })
})

test('a pass that came to nothing holds nothing, and is JSON all the same', () => {
  const [cpu] = claimsOf(row('ask'), [{}])
  expect(toJson(cpu!)).toBe(
    '{"row":"ask-cpu/pipe","value":null,"unit":"bridge ÷ pipe","reach":1,"holds":null,"peers":{}}',
  )
})

test('medians and quantiles', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
  expect(median([])).toBeUndefined()
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1)
  expect(quantile(hundred, 0.99)).toBe(99)
  expect(quantile([], 0.5)).toBeUndefined()
})

test('each claim is about a measure that there is', () => {
  for (const { row: name, measure } of CLAIMS) {
    expect(row(name).measures.map(each => each.name)).toContain(measure)
  }
})
