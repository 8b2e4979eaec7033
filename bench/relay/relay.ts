// bench relay: what a bridge between two sockets costs, beside the naive relay and native ones. The
// rows are in rows.ts.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'
import { numberOption, parsed, UsageError } from '../../examples/lib/command.ts'
import { endOnSignal, peersIn, rowsNamed } from '../lib/command.ts'
import { Bench, iperfObstacle } from './passes.ts'
import { lacks, RELAYS, type RelayName } from './relays.ts'
import { claimsOf, type Figure, figuresOf, heading, tableHead, toClaim } from './report.ts'
import { toJson, toLine } from './report.ts'
import { type Pass, type Row, ROWS, SMOKE } from './rows.ts'

const HELP = `
npm run bench -- relay [ROW...] [--json] [--rounds N] [--seconds S] [--without NAME,...] [--list]

Puts the same load through bridge(tcp, tcp), a.pipe(b), HAProxy, nginx stream and socat in turn, each
a process of one thread on loopback, and tells what each costs. What is not installed is left out, and
a line says so. The load comes from iperf3, or where that is missing from a generator of its own, and is
a process of its own too. The two relays in JavaScript are built first, as users run them. Needs Linux.

  --json          a line of JSON for each figure: row, value, unit, reach, holds, peers
  --rounds N      medians of N rounds (5)
  --seconds S     how long each load lasts (3)
  --without A,B   of pipe, haproxy, nginx, socat
  --own           our own generator, iperf3 or not
  --each          what each round came to, on stderr
  --list          the rows
  --smoke         one short row, to see that it works
  --help          this text

  npm run bench -- relay bulk-1 ask --rounds 3 --without nginx,socat
`

const OPTIONS = {
  json: { type: 'boolean', default: false },
  rounds: { type: 'string', default: '5' },
  seconds: { type: 'string', default: '3' },
  without: { type: 'string', default: '' },
  own: { type: 'boolean', default: false },
  each: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  smoke: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

type Options = ReturnType<typeof parse>
type Round = Partial<Record<RelayName, Pass>>

/** Runs the bench with the arguments behind `relay`. The exit code is 1 where a pass through the
 *  bridge came to nothing; a figure that falls short is a figure like any other. */
export async function relay(args: string[]): Promise<void> {
  const options = parse(args)
  if (options.help) console.log(HELP.trim())
  else if (options.list)
    for (const { name, about } of ROWS) console.log(`${name.padEnd(10)} ${about}`)
  else await run(options, ['npm run bench -- relay', ...args].join(' '))
}

async function run(options: Options, command: string): Promise<void> {
  endOnSignal()
  if (process.platform !== 'linux') throw new UsageError('figures of processes need Linux')
  // What is not of the table keeps clear of the JSON.
  const print = (text: string) => (options.json ? console.error(text) : console.log(text))
  const missing = RELAYS.flatMap(name => lacks(name) ?? [])
  const relays = RELAYS.filter(name => !options.without.includes(name) && !lacks(name))
  const obstacle = options.own ? 'iperf3 is not to be used' : iperfObstacle()
  const sender = obstacle === undefined ? 'iperf3' : `our own generator (${obstacle})`
  for (const text of heading(command, options.rounds, sender, missing)) print(text)
  const folder = mkdtempSync(join(tmpdir(), 'striper-relay-'))
  try {
    await compile(folder)
    const place = { folder, serve: join(folder, 'serve.cjs') }
    const bench = await Bench.start(place, join(folder, 'load.cjs'), obstacle === undefined)
    await measure(bench, options, relays)
    bench.stop()
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function measure(bench: Bench, options: Options, relays: RelayName[]): Promise<void> {
  const { json } = options
  if (!json) console.log(`\n${tableHead()}`)
  const claims: Figure[] = []
  for (const row of options.chosen) {
    const rounds: Round[] = []
    while (rounds.length < options.rounds) rounds.push(await roundOf(bench, row, options, relays))
    for (const figure of figuresOf(row, rounds)) console.log(json ? toJson(figure) : toLine(figure))
    claims.push(...claimsOf(row, rounds))
    if (rounds.some(({ bridge }) => bridge === undefined)) process.exitCode = 1
  }
  if (claims.length === 0) return
  if (!json) console.log(`\n${'to be reached'.padEnd(22)}      found      reach  holds`)
  for (const claim of claims) console.log(json ? toJson(claim) : toClaim(claim))
}

async function roundOf(
  bench: Bench,
  row: Row,
  { seconds, each }: Options,
  relays: RelayName[],
): Promise<Round> {
  const round: Round = {}
  for (const name of relays) {
    if (row.without?.includes(name)) continue
    status(`${row.name} ${name}`)
    try {
      round[name] = await bench.pass(name, row.load, seconds)
    } catch (error) {
      console.error(`${row.name} ${name}: ${(error as Error).message}`)
    }
    status('')
  }
  if (each) for (const figure of figuresOf(row, [round])) console.error(toLine(figure))
  return round
}

/** Builds the programs that run beside this one, each as one file. */
async function compile(folder: string): Promise<void> {
  const file = (path: string) => fileURLToPath(new URL(path, import.meta.url))
  await build({
    config: false,
    entry: { serve: file('./serve.ts'), load: file('./load.ts') },
    format: ['cjs'],
    outExtension: () => ({ js: '.cjs' }),
    outDir: folder,
    noExternal: [/.*/],
    esbuildOptions: settings => {
      settings.conditions = ['@striper/source']
    },
    target: 'node20',
    silent: true,
    splitting: false,
  })
}

/** On a terminal, what is being done, until there is something better to show in its place. */
function status(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[0K${text}`)
}

function parse(args: string[]) {
  const { values, positionals } = parsed({ args, options: OPTIONS, allowPositionals: true })
  const without = peersIn(values.without, RELAYS, 'bridge')
  const chosen = rowsNamed(ROWS, positionals)
  const rounds = numberOption('rounds', values.rounds, 1, 1000)
  const seconds = numberOption('seconds', values.seconds, 1, 3600)
  if (!values.smoke) return { ...values, chosen, without, rounds, seconds }
  return { ...values, chosen: [SMOKE], without, rounds: 1, seconds: 1 }
}
