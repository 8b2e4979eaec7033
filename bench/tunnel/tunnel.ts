// bench tunnel: what the tunnel of examples/tunnel.ts carries, endures and holds. The rows are in
// rows.ts, and that of idle channels here, for it has two programs of its own.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { newSecret } from 'striper'
import { numberOption, UsageError } from '../../examples/lib/command.ts'
import { Lab, labObstacle } from '../wan/lab.ts'
import { median } from '../wan/measure.ts'
import { type Figure, ROWS, type Sizes, type TunnelRow } from './rows.ts'
import { child, Scene } from './scene.ts'

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

const IDLE = 'idle'
const ABOUT_IDLE = 'the heap of --count (10000) idle channels, at each end'
const LIMIT_MS = 300_000

/** Runs the bench with the arguments behind `tunnel`. The exit code is 1 where a row came to
 *  nothing; one that falls short is a figure like any other. */
export async function tunnel(args: string[]): Promise<void> {
  const { help, list, chosen, rounds, json, ...sizes } = parse(args)
  if (help) {
    console.log(HELP.trim())
    return
  }
  if (list) {
    const all = [...ROWS, { name: IDLE, about: ABOUT_IDLE }]
    for (const { name, about } of all) console.log(`${name.padEnd(18)} ${about}`)
    return
  }
  process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))
  const print = (text: string) => (json ? console.error(text) : console.log(text))
  const needsLab = chosen.some(name => ROWS.some(row => row.name === name && row.links))
  const obstacle = needsLab ? await labObstacle() : undefined
  const lab = needsLab && obstacle === undefined ? new Lab() : undefined
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`
  print(['npm run bench -- tunnel', ...args].join(' '))
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ')
  print(`${date} UTC, node ${process.versions.node}, ${machine}, medians of ${rounds}`)
  if (lab) print(lab.title)
  for (const name of chosen) {
    const row = ROWS.find(each => each.name === name)
    if (row?.links && !lab) {
      print(`${name}: needs the lab (${obstacle})`)
      process.exitCode = 1
      continue
    }
    try {
      const figures: Figure[][] = []
      for (let i = 0; i < rounds; i++) {
        figures.push(row ? await measure(row, sizes, lab) : await idle(sizes))
      }
      for (const figure of medians(figures)) console.log((json ? toJson : toLine)(name, figure))
    } catch (error) {
      console.error(`${name}: ${(error as Error).message}`)
      process.exitCode = 1
    }
  }
}

async function measure(row: TunnelRow, sizes: Sizes, lab: Lab | undefined): Promise<Figure[]> {
  const field = row.links && (await lab!.open(row.links))
  try {
    const scene = new Scene({ ...row.layout, field })
    try {
      await scene.open()
      return await row.run(scene, sizes)
    } finally {
      await scene.close()
    }
  } finally {
    await field?.close()
  }
}

async function idle({ count = 10_000 }: Sizes): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'striper-idle-'))
  const key = join(folder, 'key')
  writeFileSync(key, newSecret().reveal(), { mode: 0o600 })
  const server = child('./idle.ts', [], 'server', key)
  const port = (await server.hear('port', LIMIT_MS)) as number
  const client = child('./idle.ts', [], 'client', key, `${port}`, `${count + 10}`)
  const look = async () => {
    const heard = server.hear('heap', LIMIT_MS)
    server.say({})
    return (await heard) as number
  }
  try {
    const clientBefore = (await client.hear('before', LIMIT_MS)) as number
    const serverBefore = await look()
    const heard = client.hear('heap', LIMIT_MS)
    client.say({})
    const each = (after: number, before: number) => (after - before) / count / 1024
    const [clientKiB, serverKiB] = [
      each((await heard) as number, clientBefore),
      each(await look(), serverBefore),
    ]
    const unit = 'KiB of heap each'
    return [
      { name: 'client', value: clientKiB, unit, reach: 6, better: 'less' },
      { name: 'server', value: serverKiB, unit, reach: 6, better: 'less' },
    ]
  } finally {
    for (const end of [server, client]) end.stop()
    rmSync(folder, { recursive: true })
  }
}

/** Of each figure, the median of the rounds. */
function medians(rounds: readonly Figure[][]): Figure[] {
  return rounds[0]!.map((figure, i) => {
    return { ...figure, value: median(rounds.map(round => round[i]!.value))! }
  })
}

function holds({ value, reach, better }: Figure): boolean | null {
  if (reach === undefined) return null
  return better === 'more' ? value >= reach : value <= reach
}

function toJson(row: string, figure: Figure): string {
  const { name, value, unit, reach = null } = figure
  const rounded = Math.round(value * 1000) / 1000
  return JSON.stringify({
    row: `${row}-${name}`,
    value: rounded,
    unit,
    reach,
    holds: holds(figure),
  })
}

function toLine(row: string, figure: Figure): string {
  const { name, value, unit, reach, better } = figure
  const reached = reach === undefined ? '' : `${better === 'more' ? '≥' : '≤'} ${reach}`
  const verdict = { true: 'yes', false: 'NO', null: '' }[String(holds(figure))]!
  const cells = [`${row}-${name}`.padEnd(26), value.toFixed(2).padStart(10), reached.padStart(8)]
  return `${cells.join('  ')}  ${verdict.padEnd(3)}  (${unit})`
}

function parse(args: string[]) {
  const { values, positionals } = parseOrExplain(args)
  const names = [...ROWS.map(({ name }) => name), IDLE]
  const unknown = positionals.find(name => !names.includes(name))
  if (unknown !== undefined)
    throw new UsageError(`no row '${unknown}'; --list says which there are`)
  const sized = (name: 'count' | 'seconds') => {
    const text = values[name]
    return text === undefined ? undefined : numberOption(name, text, 1, 1_000_000)
  }
  const chosen = positionals.length > 0 ? positionals : names
  const rounds = numberOption('rounds', values.rounds, 1, 1000)
  return { ...values, chosen, rounds, count: sized('count'), seconds: sized('seconds') }
}

function parseOrExplain(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: true })
  } catch (error) {
    const [sentence = ''] = (error as Error).message.split('. ') // what follows is advice at length
    throw new UsageError(sentence, { cause: error })
  }
}
