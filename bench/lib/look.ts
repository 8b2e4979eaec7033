// Looks at a program that measured.ts runs: what it holds, when it has come to rest.

import type { Program } from '../../examples/lib/program.ts'
import type { Holdings } from './measured.ts'

/** Looks until two looks, a second apart, show the same descriptors and resources. */
export async function atRest(program: Program): Promise<Holdings> {
  const resting = ({ descriptors, resources }: Holdings) => JSON.stringify([descriptors, resources])
  let last = await look(program)
  for (;;) {
    await new Promise(resolve => setTimeout(resolve, 1000))
    const now = await look(program)
    if (resting(now) === resting(last)) return now
    last = now
  }
}

/** Looks once. */
export async function look(program: Program): Promise<Holdings> {
  const seen = [...program.output.matchAll(/^holds /gm)].length
  program.signal('SIGUSR2')
  const [, json] = await program.printed(new RegExp(`^holds ${seen + 1} (.*)$`, 'm'))
  return JSON.parse(json!) as Holdings
}
