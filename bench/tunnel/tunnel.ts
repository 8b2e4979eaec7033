// bench tunnel: what the tunnel of examples/tunnel.ts carries, endures and holds. The rows are in
// rows.ts.

import { numberOption, parsed } from '../../examples/lib/command.ts'
import { endOnSignal, headingOf, rowsNamed } from '../lib/command.ts'
import { Lab, labObstacle } from '../lib/lab.ts'
import { type Figure, medians, toJson, toLine } from './figure.ts'
import type { Sizes, TunnelRow } from './row.ts'
import { ROWS } from './rows.ts'

const HELP = `
npm run bench -- tunnel [ROW...] [--json] [--rounds N] [--count N] [--seconds S] [--list]

Starts the tunnel of examples/tunnel.ts, a target behind it and clients before it, and holds what comes of it
against what is to be reached. Rows with links need root, ip, cc and /dev/net/tun, as bench wan does;
the others run over loopback, anywhere.

  --json       a line of JSON for each figure: row, value, unit, reach, holds
  --rounds N   medians of N rounds (1)
  --count N    so many connections, in the rows that say so
  --seconds S  so long, in the rows that say so
  --list       the rows
  --help       this text

  npm run bench -- tunnel capped-ip echo
  npm run bench -- tunnel killed --seconds 20
`

const OPTIONS = {
  json: { type: 'boolean', default: false },
  rounds: { type: 'string', default: '1' },
  count: { type: 'string' },
  seconds: { type: 'string' },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

/** Runs the bench with the arguments behind `tunnel`. The exit code is 1 where a row came to
 *  nothing; one that falls short is a figure like any other. */
export async function tunnel(args: string[]): Promise<void> {
  const { help, list, chosen, rounds, json, ...sizes } = parse(args)
  if (help) console.log(HELP.trim())
  else if (list) for (const { name, about } of chosen) console.log(`${name.padEnd(18)} ${about}`)
  else await run(args, chosen, rounds, json, sizes)
}

async function run(
  args: string[],
  chosen: readonly TunnelRow[],
  rounds: number,
  json: boolean,
  sizes: Sizes,
): Promise<void> {
  endOnSignal()
  // What is not of the table keeps clear of the JSON.
  const print = (text: string) => (json ? console.error(text) : console.log(text))
  const needsLab = chosen.some(({ links }) => links)
  const obstacle = needsLab ? await labObstacle() : undefined
  const lab = needsLab && obstacle === undefined ? new Lab() : undefined
  for (const text of headingOf('tunnel', args)) print(text)
  print(`medians of ${rounds}${lab ? `; ${lab.title}` : ''}`)
  for (const row of chosen) {
    try {
      if (row.links && !lab) throw new Error(`needs the lab (${obstacle})`)
      const figures: Figure[][] = []
      for (let i = 0; i < rounds; i++) figures.push(await measure(row, sizes, lab))
      for (const each of medians(figures)) console.log((json ? toJson : toLine)(row.name, each))
    } catch (error) {
      console.error(`${row.name}: ${(error as Error).message}`)
      process.exitCode = 1
    }
  }
}

async function measure(row: TunnelRow, sizes: Sizes, lab: Lab | undefined): Promise<Figure[]> {
  const links = row.links && (await lab!.open(row.links))
  try {
    return await row.measure(links, sizes)
  } finally {
    await links?.close()
  }
}

function parse(args: string[]) {
  const { values, positionals } = parsed({ args, options: OPTIONS, allowPositionals: true })
  const sized = (name: 'count' | 'seconds') => {
    const text = values[name]
    return text === undefined ? undefined : numberOption(name, text, 1, 1_000_000)
  }
  const chosen = rowsNamed(ROWS, positionals)
  const rounds = numberOption('rounds', values.rounds, 1, 1000)
  return { ...values, chosen, rounds, count: sized('count'), seconds: sized('seconds') }
}
