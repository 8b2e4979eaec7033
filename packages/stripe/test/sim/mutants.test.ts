// Every planted bug is found: the core's source is copied, changed in one place, and simulated.

import { afterAll, expect, test } from 'vitest'
import { MUTANTS, type Mutant } from './mutants.ts'
import { Plantation } from './plant.ts'
import { type MakeCore, run } from './run.ts'
import { scenarioOf } from './scenario.ts'
import type { Rule } from './violation.ts'

const MOST_SEEDS = 2000
const INVARIANTS: Rule[] = ['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7', 'I8', 'I9', 'I10']
const plantation = new Plantation()
afterAll(() => plantation.remove())

/** The first seed that breaks the promise that the bug is there to break, or any. */
function seedThatFinds(makeCore: MakeCore, { breaks }: Mutant): number | undefined {
  for (let seed = 1; seed <= MOST_SEEDS; seed++) {
    const { rule } = run(scenarioOf(seed), makeCore)
    if (breaks === undefined ? rule !== undefined : rule === breaks) return seed
  }
  return undefined
}

for (const mutant of MUTANTS) {
  test(`found within ${MOST_SEEDS} seeds: ${mutant.name}`, { timeout: 120_000 }, async () => {
    const makeCore = await plantation.plant(mutant)
    expect(seedThatFinds(makeCore, mutant), 'a seed that finds it').toBeDefined()
  })
}

test('each invariant is broken by a planted bug', () => {
  const broken = new Set(MUTANTS.map(({ breaks }) => breaks))
  expect(INVARIANTS.filter(rule => !broken.has(rule))).toEqual([])
})
