// Every planted bug is found: the core's source is copied, changed in one place, and simulated.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import type { StripeCore } from '../../src/pure/core.ts'
import { MUTANTS, type Mutant } from './mutants.ts'
import { run } from './run.ts'
import { scenarioOf } from './scenario.ts'

const MOST_SEEDS = 2000
const here = dirname(fileURLToPath(import.meta.url))
const pure = join(here, '../../src/pure')
const copies = mkdtempSync(join(here, '.mutants-')) // in the tree, or its imports would not resolve

afterAll(() => rmSync(copies, { recursive: true, force: true }))

async function planted(mutant: Mutant, index: number): Promise<typeof StripeCore> {
  const directory = join(copies, String(index))
  cpSync(pure, directory, { recursive: true })
  const file = join(directory, mutant.file)
  const source = readFileSync(file, 'utf8')
  const parts = source.split(mutant.find)
  expect(parts, 'the place of the bug is in the source, once').toHaveLength(2)
  writeFileSync(file, parts.join(mutant.replace))
  const module = (await import(join(directory, 'core.ts'))) as { StripeCore: typeof StripeCore }
  return module.StripeCore
}

function seedThatFinds(Core: typeof StripeCore): number | undefined {
  for (let seed = 1; seed <= MOST_SEEDS; seed++) {
    const outcome = run(scenarioOf(seed), (options, now) => new Core(options, now))
    if (outcome.violation !== undefined) return seed
  }
  return undefined
}

for (const [index, mutant] of MUTANTS.entries()) {
  test(`found within ${MOST_SEEDS} seeds: ${mutant.name}`, { timeout: 120_000 }, async () => {
    const Core = await planted(mutant, index)
    expect(seedThatFinds(Core), 'a seed that finds it').toBeDefined()
  })
}
