// bench stripe: what a striping pair costs, beside two naive relays and two HAProxys in a row.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { numberOption, parsed, UsageError } from '../../examples/lib/command.ts'
import { endOnSignal, peersIn, rowsNamed } from '../lib/command.ts'
import { buildPrograms } from './build.ts'
import { obstacle } from './child.ts'
import { type Pass, RunningChain } from './pass.ts'
import { profileOptions, sharesOf, toTable } from './profile.ts'
import { heading, mediansOf, tableHead, toJson, toLines } from './report.ts'
import { round } from './round.ts'
import { chainOf, type Contender, CONTENDERS, type Row, ROWS, WARM_SECONDS } from './rows.ts'

const HELP = `
npm run bench -- stripe [ROW...] [--json] [--rounds N] [--without NAME,...] [--warm S]
  [--profile]

Downloads through a striping pair (bridge, reassemble, stripe, frame, tcp), entry and exit each a
process of its own, and measures what the two cost: beside two chained relays as everybody writes
them, a.pipe(b), and two chained HAProxys, where there is one. The load is a third process. All over
loopback; needs Linux, for /proc. In a round all contenders of a row run at once, and each is loaded
for four seconds while the others are idle, three times: so what else the machine does meets all of
them. One round of all rows takes seven minutes.

  --json          a line of JSON for each figure: row, value, unit, reach, holds, peers
  --rounds N      medians of N rounds, each with new processes; in a round that of its turns (5)
  --without A,B   of naive, haproxy
  --warm S        how long each runs before it is measured, in seconds (${WARM_SECONDS}): V8 has compiled most of
                  what it does by then
  --profile       where the pair's time goes in each row, by layer, from V8's CPU profile
  --list          the rows
  --smoke         one short row, to see that it works
  --help          this text

  npm run bench -- stripe plain-4 tls-4 --rounds 3
`

const OPTIONS = {
  json: { type: 'boolean', default: false },
  rounds: { type: 'string', default: '5' },
  without: { type: 'string', default: '' },
  warm: { type: 'string', default: String(WARM_SECONDS) },
  profile: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  smoke: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

const PROFILE_SECONDS = 4

type Options = ReturnType<typeof parse>

/** Runs the bench with the arguments behind `stripe`. A figure that falls short is a figure. */
export async function stripe(args: string[]): Promise<void> {
  const options = parse(args)
  if (options.help) console.log(HELP.trim())
  else if (options.list) list(options)
  else await start(options, args)
}

function list({ chosen }: Options): void {
  for (const { name, lanes, tls } of chosen) {
    console.log(`${name.padEnd(10)} lanes ${lanes}, ${tls ? 'TLS' : 'plain'}`)
  }
}

async function start(options: Options, args: string[]): Promise<void> {
  const why = obstacle()
  if (why !== undefined) throw new UsageError(`bench stripe ${why}`)
  endOnSignal()
  const programs = await buildPrograms()
  if (options.profile) await profileRows(options, programs)
  else await run(options, programs, args)
}

async function run(options: Options, programs: string, args: readonly string[]): Promise<void> {
  const { chosen, rounds, json } = options
  const { contenders, lacking } = whoCan(options.contenders)
  // What is not of the table keeps clear of the JSON.
  for (const text of heading(rounds, args, lacking)) (json ? console.error : console.log)(text)
  if (!json) console.log(`\n${tableHead()}`)
  for (const row of chosen) {
    const medians = await measure(row, programs, contenders, rounds)
    for (const line of (json ? toJson : toLines)(row, medians)) console.log(line)
  }
}

/** Those that are here, and a line for each that is not. */
function whoCan(contenders: readonly Contender[]) {
  const lacking = contenders.includes('haproxy') && !hasHaproxy() ? ['HAProxy: not installed'] : []
  return {
    contenders: contenders.filter(each => lacking.length === 0 || each !== 'haproxy'),
    lacking,
  }
}

function hasHaproxy(): boolean {
  try {
    execFileSync('haproxy', ['-v'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** The medians of a row's rounds. */
async function measure(
  row: Row,
  programs: string,
  contenders: readonly Contender[],
  rounds: number,
): Promise<Partial<Record<Contender, Pass>>> {
  const passes = new Map<Contender, Pass[]>()
  for (let number = 0; number < rounds; number++) {
    for (const [contender, pass] of await round(row, programs, contenders)) {
      passes.set(contender, [...(passes.get(contender) ?? []), pass])
    }
  }
  return Object.fromEntries([...passes].map(([contender, each]) => [contender, mediansOf(each)]))
}

async function profileRows({ chosen }: Options, programs: string): Promise<void> {
  for (const row of chosen) {
    const folder = mkdtempSync(join(tmpdir(), 'striper-profile-'))
    const options = profileOptions(folder)
    try {
      const chain = await RunningChain.start(chainOf('striper', row)!, programs, options)
      await chain.pass({ seconds: row.warmSeconds })
      const { parcel } = await chain.pass({ seconds: PROFILE_SECONDS })
      await chain.stop()
      const parcels = `parcels of ${parcel!.toFixed(1)} KiB`
      console.log(`${row.name}, both ends, ${parcels}: share of the time that was not idle`)
      for (const line of toTable(sharesOf(folder, programs))) console.log(line)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
}

function parse(args: string[]) {
  const { values, positionals } = parsed({ args, options: OPTIONS, allowPositionals: true })
  const warmSeconds = numberOption('warm', values.warm, 1, 600)
  const chosen = rowsNamed(ROWS, positionals).map(row => ({ ...row, warmSeconds }))
  const without = peersIn(values.without, CONTENDERS, 'striper')
  const contenders = CONTENDERS.filter(each => !without.includes(each))
  const rounds = numberOption('rounds', values.rounds, 1, 1000)
  if (!values.smoke) return { ...values, chosen, contenders, rounds }
  const smoke = { ...ROWS[0]!, warmSeconds: 1, amount: { seconds: 1 }, turns: 1 }
  return { ...values, chosen: [smoke], contenders: ['striper'] as Contender[], rounds: 1 }
}
