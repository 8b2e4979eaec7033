// npm run sim: the simulator by hand. Runs seeds until the time is over, or one seed with its
// scenario, or the least of it that still fails.

import { parseArgs } from 'node:util'
import { StripeCore } from '../../src/pure/core.ts'
import { type MakeCore, type Outcome, run } from './run.ts'
import { type Scenario, scenarioOf } from './scenario.ts'
import { printed, shrink } from './shrink.ts'

const HELP = `npm run sim -- [--seconds N] [--from SEED] [--keep-on]
    Runs as many seeds as fit into N seconds (60), from SEED (1) on. Stops at the first that breaks
    a promise, shrinks it and prints it; --keep-on goes on. Says each minute how far it is, and at
    the end what it did. The exit code is 1 where something was found.
npm run sim -- --seed SEED [--shrink]
    One seed: its scenario and what came of it. With --shrink, what fails is made as small as can
    be, and that is printed.`

const MINUTE_MS = 60_000
/** Each seed of so many is run twice, to see that it does the same. */
const TWICE = 100

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    shrink: { type: 'boolean' },
    from: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '60' },
    'keep-on': { type: 'boolean' },
    help: { type: 'boolean' },
  },
})
const makeCore: MakeCore = (options, now) => new StripeCore(options, now)

if (values.help) say(HELP)
else if (values.seed !== undefined) one(number('seed', values.seed))
else sweep(number('from', values.from), number('seconds', values.seconds))

function say(line: string): void {
  process.stdout.write(line + '\n')
}

function number(name: string, text: string): number {
  const value = Number(text)
  if (text !== '' && Number.isSafeInteger(value) && value >= 0) return value
  process.stderr.write(`--${name} takes a whole number, got '${text}'\n`)
  process.exit(2)
}

function one(seed: number): void {
  const scenario = scenarioOf(seed)
  say(`seed ${seed}\n${printed(scenario)}`)
  const outcome = run(scenario, makeCore)
  say(JSON.stringify(outcome, undefined, 1))
  if (outcome.rule === undefined) return
  process.exitCode = 1
  if (values.shrink) small(scenario, outcome)
}

/** Shrinks what failed, and prints it with the line that does it again. */
function small(scenario: Scenario, { rule }: Outcome): void {
  let runs = 0
  const least = shrink(scenario, each => {
    runs++
    return run(each, makeCore).rule === rule
  })
  say(`shrunk in ${runs} runs:\n${printed(least)}`)
  say(`  ${run(least, makeCore).violation ?? ''}`)
  say(`  npm run sim -- --seed ${scenario.seed} --shrink`)
}

function sweep(from: number, seconds: number): void {
  const start = performance.now()
  const usage = process.cpuUsage()
  let [seeds, events, faults, virtualMs, found, saidAt] = [0, 0, 0, 0, 0, start]
  const report = () => {
    const took = ((performance.now() - start) / 1000).toFixed(1)
    const { user, system } = process.cpuUsage(usage) // others may have the core meanwhile
    const cpu = (user + system) / 1e6
    const rate = (count: number) => Math.round(count / cpu)
    say(
      `${seeds} seeds, ${faults} faults, ${events} events in ${took} s, ${found} found; a second ` +
        `of CPU: ${rate(seeds)} seeds, ${rate(faults)} faults, ${rate(virtualMs / 1000)} s`,
    )
  }
  while (performance.now() - start < seconds * 1000) {
    const seed = from + seeds++
    const scenario = scenarioOf(seed)
    const outcome = run(scenario, makeCore)
    events += outcome.events
    faults += outcome.faults
    virtualMs += outcome.virtualMs
    const differs = seed % TWICE === 0 && run(scenario, makeCore).trace !== outcome.trace
    if (outcome.rule !== undefined || differs) {
      found++
      process.exitCode = 1
      say(`seed ${seed}: ${outcome.violation ?? 'not the same when it is run again'}`)
      if (values['keep-on']) say(`  npm run sim -- --seed ${seed} --shrink`)
      else if (outcome.rule !== undefined) small(scenario, outcome)
      if (!values['keep-on']) break
    }
    if (performance.now() - saidAt >= MINUTE_MS) {
      saidAt = performance.now()
      report()
    }
  }
  report()
}
