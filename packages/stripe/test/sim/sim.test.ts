// The real core under seeded faults in virtual time, on every run of the tests. `npm run sim` goes
// on for as long as one likes.

import { expect, test } from 'vitest'
import { StripeCore } from '../../src/pure/core.ts'
import { run } from './run.ts'
import { scenarioOf } from './scenario.ts'

const SEEDS = 400
const makeCore = (...init: ConstructorParameters<typeof StripeCore>) => new StripeCore(...init)

test(`${SEEDS} seeds of faults break no promise`, { timeout: 120_000 }, () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { violation } = run(scenarioOf(seed), makeCore)
    expect(violation, `npm run sim -- --seed=${seed}`).toBeUndefined()
  }
})

test('a seed does the same each time', () => {
  for (const seed of [3, 14, 159]) {
    expect(run(scenarioOf(seed), makeCore)).toEqual(run(scenarioOf(seed), makeCore))
  }
})
