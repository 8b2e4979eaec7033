// The real core under seeded faults in virtual time, on every run of the tests. `npm run sim` goes
// on for as long as one likes.

import { afterAll, expect, test } from 'vitest'
import { StripeCore } from '../../src/pure/core.ts'
import { MUTANTS } from './mutants.ts'
import { Plantation } from './plant.ts'
import { type MakeCore, run } from './run.ts'
import { scenarioOf, type Scenario } from './scenario.ts'
import { ddmin, printed, shrink } from './shrink.ts'

const SEEDS = 1000
const plantation = new Plantation()
afterAll(() => plantation.remove())
const makeCore: MakeCore = (...init) => new StripeCore(...init)

test(`${SEEDS} seeds of faults break no promise`, { timeout: 120_000 }, () => {
  let faults = 0
  for (let seed = 1; seed <= SEEDS; seed++) {
    const outcome = run(scenarioOf(seed), makeCore)
    expect(outcome.violation, `npm run sim -- --seed ${seed} --shrink`).toBeUndefined()
    faults += outcome.faults
  }
  expect(faults, 'faults that happened').toBeGreaterThan(5 * SEEDS)
})

test('a seed does the same each time', () => {
  for (let seed = 1; seed <= 30; seed++) {
    expect(run(scenarioOf(seed), makeCore)).toEqual(run(scenarioOf(seed), makeCore))
  }
})

test('every kind of fault happens, and each is survived or fails as it should', () => {
  const seen = new Set<string>()
  for (let seed = 1; seed <= 200; seed++) {
    for (const { kind } of scenarioOf(seed).faults) seen.add(kind)
  }
  expect(seen.size).toBe(17)
})

// Numbers are u64 on the wire and doubles in the core: a session that is so old does the same.
for (const [name, first] of [
  ['2^32', 2 ** 32 - 20],
  ['2^48', 2 ** 48 - 20],
] as const) {
  test(`numbers that pass ${name} change nothing`, { timeout: 60_000 }, async () => {
    const old = await plantation.plant(
      { file: 'sender.ts', find: '#next = 0', replace: `#next = ${first}` },
      { file: 'sender.ts', find: '#floor = 0', replace: `#floor = ${first}` },
      { file: 'receiver.ts', find: '#floor = 0', replace: `#floor = ${first}` },
    )
    const lies = ['hostile', 'garbage', 'flipUnseen'] // which depend on the numbers
    const honest = (each: Scenario) => !each.faults.some(({ kind }) => lies.includes(kind))
    for (const scenario of Array.from({ length: 100 }, (_, i) => scenarioOf(i + 1)).filter(
      honest,
    )) {
      const young = run(scenario, makeCore)
      const { violation, trace } = run(scenario, old)
      expect([violation, trace], `seed ${scenario.seed}`).toEqual([undefined, young.trace])
    }
  })
}

test('ddmin finds the least part that fails', () => {
  const items = Array.from({ length: 40 }, (_, i) => i)
  const needs = (...wanted: number[]) => {
    return (some: readonly number[]) => wanted.every(each => some.includes(each))
  }
  expect(ddmin(items, needs(3))).toEqual([3])
  expect(ddmin(items, needs(3, 17, 39))).toEqual([3, 17, 39])
  expect(ddmin(items, needs())).toEqual([])
  expect(ddmin(items, needs(...items))).toEqual(items)
})

/** What one seed of a planted bug comes to when it is shrunk. */
async function shrunk(bug: string) {
  const mutant = MUTANTS.find(({ name }) => name.startsWith(bug))!
  const planted = await plantation.plant(mutant)
  const fails = (scenario: Scenario) => run(scenario, planted).rule === rule
  const scenarios = Array.from({ length: 2000 }, (_, i) => scenarioOf(i + 1))
  const large = scenarios.find(each => each.faults.length > 8 && run(each, planted).rule)!
  const { rule } = run(large, planted)
  return { large, least: shrink(large, fails), fails }
}

for (const [bug, most] of [
  ['a lane is lost and nothing is sent again', 1],
  ['a lane takes the place of another', 2],
] as const) {
  test(`what is found is shrunk: ${bug}`, { timeout: 120_000 }, async () => {
    const { large, least, fails } = await shrunk(bug)
    expect(fails(least), 'it still fails').toBe(true)
    expect(least.faults.length, 'faults').toBeLessThanOrEqual(most)
    expect(least.paths.length, 'paths').toBeLessThanOrEqual(2)
    expect(least.apps.flatMap(({ sizes }) => sizes).length, 'messages').toBeLessThanOrEqual(10)
    expect(printed(least).split('\n').length).toBeLessThan(12)
    for (const [index] of least.faults.entries()) {
      const faults = least.faults.filter((_, i) => i !== index)
      expect(fails({ ...least, faults }), 'without one of its faults').toBe(false)
    }
    expect(run(least, makeCore).violation, 'without the bug').toBeUndefined()
    expect(large.faults.length).toBeGreaterThan(8)
  })
}
