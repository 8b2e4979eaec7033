// npm run sim: the simulator by hand. Runs seeds until the time is over, or one seed with its
// scenario.

import { parseArgs } from 'node:util'
import { StripeCore } from '../../src/pure/core.ts'
import { run } from './run.ts'
import { scenarioOf } from './scenario.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    from: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '60' },
    'keep-on': { type: 'boolean' },
    help: { type: 'boolean' },
  },
})

if (values.help) {
  say(`npm run sim -- [--seconds N] [--from SEED] [--keep-on]
    as many seeds as fit into the time; stops at the first that finds something, unless told to keep on
npm run sim -- --seed SEED
    one seed, with its scenario`)
} else if (values.seed !== undefined) {
  const scenario = scenarioOf(Number(values.seed))
  say(JSON.stringify(scenario, undefined, 1))
  const outcome = run(scenario, (options, now) => new StripeCore(options, now))
  say(JSON.stringify(outcome, undefined, 1))
} else {
  sweep(Number(values.from), Number(values.seconds))
}

function say(line: string): void {
  process.stdout.write(line + '\n')
}

function sweep(from: number, seconds: number): void {
  const start = performance.now()
  let [seeds, events, faults, virtualMs] = [0, 0, 0, 0]
  while (performance.now() - start < seconds * 1000) {
    const seed = from + seeds++
    const outcome = run(scenarioOf(seed), (options, now) => new StripeCore(options, now))
    events += outcome.events
    faults += outcome.faults
    virtualMs += outcome.virtualMs
    if (outcome.violation !== undefined) {
      say(`seed ${seed}: ${outcome.violation}\n  npm run sim -- --seed=${seed}`)
      process.exitCode = 1
      if (!values['keep-on']) break
    }
  }
  const took = (performance.now() - start) / 1000
  const rate = (count: number) => Math.round(count / took)
  say(
    `${seeds} seeds, ${faults} faults, ${events} events in ${took.toFixed(1)} s: ` +
      `${rate(seeds)} seeds/s, ${rate(faults)} faults/s, ${rate(virtualMs / 1000)} × real time`,
  )
}
