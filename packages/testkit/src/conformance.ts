// conformance(): the definition of a pipe, as tests. One suite for every pipe and every stack of
// pipes.
//
//   conformance('frame over TCP', async () => {
//     const [left, right] = await tcpPair()
//     return [frame()(left), frame()(right)]
//   })
//
// A pair goes in, fresh for each test; every test names its rule of docs/contract.md and is run
// both ways round. The suite asks the pipes for their kind, so bytes, messages and parcels all pass
// through here. Read conformance/case.ts next; the cases are in the files beside it, by subject.

import { describe, test } from 'vitest'
import { type Case, type MakePair, runCase, type Traits } from './conformance/case.ts'
import { endingCases } from './conformance/ending.ts'
import { failingCases } from './conformance/failing.ts'
import { identityCases } from './conformance/identity.ts'
import { openingCases } from './conformance/opening.ts'
import { pressureCases } from './conformance/pressure.ts'

export { type Case, type MakePair, runCase, type Traits } from './conformance/case.ts'
export type { RunOptions, Scene } from './conformance/case.ts'

/** Every case of the suite, by rule. */
export const conformanceCases: readonly Case[] = [
  ...identityCases,
  ...openingCases,
  ...endingCases,
  ...failingCases,
  ...pressureCases,
].sort((a, b) => a.rule - b.rule)

/**
 * Declares a vitest suite that checks a kind of pipe against the contract: every case, with the
 * ends as they come and swapped. `makePair` makes a fresh, connected pair each time, whose ends the
 * suite owns and closes; what else belongs to a pair, a listener for one, it must see to itself.
 * `traits` says where this pipe honestly differs; most need none.
 */
export function conformance(name: string, makePair: MakePair, traits: Traits = {}): void {
  describe(name, () => {
    for (const each of conformanceCases) {
      for (const swapped of [false, true]) {
        const title = `rule ${each.rule}: ${each.name}${swapped ? ', ends swapped' : ''}`
        test(title, () => runCase(each, makePair, { ...traits, swapped }))
      }
    }
  })
}
