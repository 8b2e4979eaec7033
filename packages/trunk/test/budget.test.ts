import { LaneBudget } from '@striper/trunk'
import { expect, test } from 'vitest'

/** A lane that spends what the test says, and what it may. */
class Lane {
  spentBytes = 0
  allowed = NaN
  allow(bytes: number): void {
    this.allowed = bytes
  }
}

const lanes = (count: number) => Array.from({ length: count }, () => new Lane())

test('what is left is shared equally, and anew when a lane comes or goes', () => {
  const budget = new LaneBudget(8_000_000)
  const [a, b, c] = lanes(3) as [Lane, Lane, Lane]
  budget.join(a)
  expect(a.allowed).toBe(8_000_000)
  budget.join(b)
  expect([a.allowed, b.allowed]).toEqual([4_000_000, 4_000_000])
  a.spentBytes = 4_000_000
  budget.leave(a)
  budget.leave(a) // which says nothing more
  expect([budget.spentBytes, budget.leftBytes, b.allowed]).toEqual([
    ...[4_000_000, 4_000_000, 4_000_000],
  ])
  b.spentBytes = 1_000_000
  budget.join(c)
  expect([b.allowed, c.allowed]).toEqual([2_500_000, 1_500_000])
})

test('all lanes together are allowed what is left, whatever each has spent', () => {
  const budget = new LaneBudget(10_000_000)
  const all = lanes(7)
  for (const [i, lane] of all.entries()) {
    budget.join(lane)
    lane.spentBytes = i * 100_000
  }
  budget.bytes = 9_000_000
  const allowed = all.reduce((sum, lane) => sum + lane.allowed, 0)
  expect(allowed).toBeCloseTo(9_000_000, 0)
})

test('the last of it is given in shares of 64 KiB, and one more byte is over', () => {
  const budget = new LaneBudget(100_000)
  const [a, b] = lanes(2) as [Lane, Lane]
  budget.join(a)
  budget.join(b)
  expect([a.allowed, b.allowed]).toEqual([65_536, 65_536])
  a.spentBytes = 99_999
  expect(budget.leftBytes).toBe(1)
  b.spentBytes = 2
  expect(budget.leftBytes).toBe(0)
})

test('it is raised and lowered while lanes spend; who waits is called when there is some again', () => {
  const budget = new LaneBudget(1000)
  const [lane] = lanes(1) as [Lane]
  let calls = 0
  const poor = () => {
    calls++
  }
  budget.join(lane)
  lane.spentBytes = 1000
  budget.await(poor)
  for (const bytes of [1000, 999, 0]) budget.bytes = bytes
  expect([calls, lane.allowed]).toEqual([0, 1000])
  budget.bytes = 1001
  expect([calls, lane.allowed]).toEqual([1, 1001])
  budget.forget(poor)
  budget.bytes = Infinity
  expect([calls, lane.allowed]).toEqual([1, Infinity])
})

test('less than nothing, or no number, is a RangeError', () => {
  expect(() => new LaneBudget(-1)).toThrow('a budget must be 0 bytes or more, got -1')
  expect(() => (new LaneBudget().bytes = NaN)).toThrow(RangeError)
})
