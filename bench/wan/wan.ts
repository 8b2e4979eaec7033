// bench wan: how well lanes add up, beside one plain TCP, kernel MPTCP and round robin. The rows
// are in rows.ts.

import { numberOption, parsed } from '../../examples/lib/command.ts'
import { endOnSignal, peersIn, rowsNamed } from '../lib/command.ts'
import { labObstacle } from '../lib/lab.ts'
import { Loopback } from './loopback.ts'
import { Namespaces } from './namespaces.ts'
import type { Network } from './network.ts'
import { eachOf, heading, rowsOf, tableHead, toJson, toLine } from './report.ts'
import { type Contender, CONTENDERS, type Scenario, scenarios, SMOKE } from './rows.ts'
import { measure, type Settings, type Trial } from './trials.ts'

const HELP = `
npm run bench -- wan [ROW...] [--json] [--rounds N] [--pairs N] [--without NAME,...] [--list]

Measures striper, one plain TCP on the best lane, kernel MPTCP and striper's round robin over the
lanes of each row, in a network of two namespaces, and holds striper against what is to be reached.
Needs root, ip, cc and /dev/net/tun; without them a few rows run over loopback, through layers that
make lanes slow. All rows with all rounds take more than two hours: name some.

  --json          a line of JSON for each row: row, value, unit, reach, holds, peers
  --rounds N      medians of N rounds (5)
  --pairs N       random pairs in the row 'pairs', a round each (100)
  --without A,B   of mptcp, round-robin, tcp; without tcp, S is what the lanes' rates should carry
  --each          what each round came to, and over which links, on stderr as soon as it is done
  --list          the rows, and how long each takes
  --smoke         one short row, to see that it works
  --help          this text

  WAN_CC=bbr      another congestion control than cubic
  TRACE=100       the sender prints the state of its lanes every 100 ms, on stderr

  npm run bench -- wan collapse --rounds 1 --without mptcp,round-robin
`

const OPTIONS = {
  json: { type: 'boolean', default: false },
  rounds: { type: 'string', default: '5' },
  pairs: { type: 'string', default: '100' },
  without: { type: 'string', default: '' },
  each: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  smoke: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

type Options = ReturnType<typeof parse>

/** Runs the bench with the arguments behind `wan`. The exit code is 1 where a row came to nothing;
 *  one that falls short is a figure like any other. */
export async function wan(args: string[]): Promise<void> {
  const options = parse(args)
  if (options.help) console.log(HELP.trim())
  else if (options.list) list(options)
  else await run(options, args)
}

async function run(options: Options, args: string[]): Promise<void> {
  endOnSignal()
  const obstacle = await labObstacle()
  const network = obstacle === undefined ? new Namespaces() : new Loopback(obstacle)
  // What is not of the table keeps clear of the JSON.
  const print = (text: string) => (options.json ? console.error(text) : console.log(text))
  for (const text of heading(network, options.rounds, args)) print(text)
  if (!options.json) console.log(`\n${tableHead()}`)
  const settings = {
    ...options,
    onProgress: (what: string) => status(what),
    onFailure: (what: string) => {
      status('')
      console.error(what)
    },
    onTrial: (scenario: Scenario, trial: Trial) => {
      if (options.each) for (const text of eachOf(scenario, trial)) console.error(text)
    },
  }
  for (const scenario of options.chosen) {
    const refusal = network.refuses(scenario)
    if (refusal === undefined) await measureOne(scenario, network, settings, options.json)
    else refused(scenario, refusal, options.named, print)
  }
}

async function measureOne(
  scenario: Scenario,
  network: Network,
  settings: Settings,
  json: boolean,
): Promise<void> {
  const trials = await measure(scenario, network, settings)
  const rows = rowsOf(scenario, trials)
  status('')
  for (const row of rows) {
    console.log(json ? toJson(row) : toLine(row))
    if (row.values.striper === undefined) process.exitCode = 1
  }
}

/** A row that cannot be had here is a failure where it was asked for by name. */
function refused(
  { name }: Scenario,
  why: string,
  named: boolean,
  print: (text: string) => void,
): void {
  print(`${name}: ${why}`)
  if (named) process.exitCode = 1
}

/** On a terminal, what is being done, until there is something better to show in its place. */
function status(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[0K${text}`)
}

function list({ chosen, rounds, without }: Options): void {
  for (const scenario of chosen) {
    const { name, about } = scenario
    const minutes = estimate(scenario, rounds, without) / 60
    console.log(`${name.padEnd(18)} ${minutes.toFixed(1).padStart(5)} min  ${about}`)
  }
}

/** About how long a scenario takes, in s: each pass has its own, and a second around it. */
function estimate(scenario: Scenario, rounds: number, without: readonly Contender[]): number {
  const { links, seconds, noMptcp } = scenario
  const gone = noMptcp === undefined ? without : [...without, 'mptcp']
  const count = CONTENDERS.filter(each => each !== 'tcp' && !gone.includes(each)).length
  const alone = without.includes('tcp') ? 0 : new Set(links[0]).size
  const trials = links.length > 1 ? links.length : rounds
  return trials * (count + alone) * (seconds + 1)
}

function parse(args: string[]) {
  const { values, positionals } = parsed({ args, options: OPTIONS, allowPositionals: true })
  const all = scenarios(numberOption('pairs', values.pairs, 2, 10_000))
  const chosen = rowsNamed(all, positionals)
  const named = positionals.length > 0
  const without = peersIn(values.without, CONTENDERS, 'striper')
  const rounds = numberOption('rounds', values.rounds, 1, 1000)
  const { smoke } = values
  if (!smoke) return { ...values, named, chosen, without, rounds }
  const peers: Contender[] = ['mptcp', 'round-robin']
  return { ...values, named, chosen: [SMOKE], without: peers, rounds: 1 }
}
