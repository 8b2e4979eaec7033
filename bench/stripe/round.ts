// One round of a row: all contenders run at once, each in processes of its own, and are loaded in
// turns, while the others are idle. What else the machine does meets all of them this way; where
// one runs after the other, that is more than what is to be seen.

import { type Pass, RunningChain } from './pass.ts'
import { mediansOf } from './report.ts'
import { chainOf, type Contender, type Row } from './rows.ts'

/** What each contender's turns came to: medians, and the peak of its memory. */
export async function round(
  row: Row,
  programs: string,
  contenders: readonly Contender[],
): Promise<Map<Contender, Pass>> {
  const chains = new Map<Contender, RunningChain>()
  const passes = new Map<Contender, Pass[]>()
  try {
    for (const contender of contenders) {
      const chain = chainOf(contender, row)
      if (chain) chains.set(contender, await RunningChain.start(chain, programs))
    }
    for (const chain of chains.values()) await chain.pass({ seconds: row.warmSeconds })
    for (let turn = 0; turn < row.turns; turn++) {
      const order = turn % 2 === 0 ? [...chains] : [...chains].reverse()
      for (const [contender, chain] of order) {
        const pass = await chain.pass(row.amount)
        passes.set(contender, [...(passes.get(contender) ?? []), pass])
      }
    }
  } finally {
    await Promise.all([...chains.values()].map(chain => chain.stop()))
  }
  return new Map([...passes].map(([contender, each]) => [contender, overall(each)]))
}

function overall(passes: readonly Pass[]): Pass {
  return { ...mediansOf(passes), memory: passes.at(-1)!.memory }
}
