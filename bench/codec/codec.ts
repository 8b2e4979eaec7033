// bench codec: nanoseconds a message in each layer. The layers are in layers.ts.

import { numberOption, parsed, UsageError } from '../../examples/lib/command.ts'
import { headingOf } from '../lib/command.ts'
import { median } from '../lib/figures.ts'
import { line } from '../lib/table.ts'
import { type Below, LAYERS, type Layered } from './layers.ts'
import { costOf } from './measure.ts'

const HELP = `
npm run bench -- codec [LAYER...] [--json] [--rounds N]

What a message of 64 B, 4 KiB and 64 KiB costs in each layer, from one end to the other, both ends in
this process and joined in memory: nanoseconds of CPU, less those of what is below the layer.

  --json       a line of JSON for each figure: row, value, unit, reach, holds, peers
  --rounds N   medians of N rounds, in each of which the layers take turns (5)
  --help       this text
`

const OPTIONS = {
  json: { type: 'boolean', default: false },
  rounds: { type: 'string', default: '5' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

type Options = ReturnType<typeof parse>

const SIZES = [64, 4096, 65_536]
const WIDTHS = [16, 9, 9, 9, 9]

/** Runs the bench with the arguments behind `codec`. */
export async function codec(args: string[]): Promise<void> {
  const options = parse(args)
  if (options.help) console.log(HELP.trim())
  else await run(options, args)
}

async function run({ json, rounds, chosen }: Options, args: string[]): Promise<void> {
  // What they stand on is measured with them.
  const below = new Set(chosen.flatMap(layer => layer.below ?? []))
  const measured = LAYERS.filter(layer => chosen.includes(layer) || below.has(layer.name as Below))
  const costs = new Map<string, number[]>()
  for (let round = 0; round < rounds; round++) {
    for (const layer of measured) {
      for (const bytes of SIZES) {
        const key = keyOf(layer.name, bytes)
        costs.set(key, [...(costs.get(key) ?? []), await costOf(layer, bytes)])
      }
    }
  }
  const cost = (name: string, bytes: number) => median(costs.get(keyOf(name, bytes))!)!
  if (!json) for (const text of heading(args, rounds)) console.log(text)
  for (const { name, below } of chosen) {
    const figures = SIZES.map(bytes => {
      return Math.max(cost(name, bytes) - (below === undefined ? 0 : cost(below, bytes)), 0)
    })
    if (json) for (const line of toJson(name, figures)) console.log(line)
    else {
      const shown = figures.map(figure => figure.toFixed(0))
      console.log(line([name, ...shown, below ?? 'nothing'], WIDTHS))
    }
  }
}

function keyOf(name: string, bytes: number): string {
  return `${name} ${bytes}`
}

function heading(args: readonly string[], rounds: number): string[] {
  return [
    ...headingOf('codec', args),
    `CPU ns a message, both ends, less what is below; medians of ${rounds}`,
    '',
    line(['layer', '64 B', '4 KiB', '64 KiB', 'over'], WIDTHS),
  ]
}

function toJson(name: string, figures: readonly number[]): string[] {
  return figures.map((figure, index) => {
    const row = `${name.replaceAll(/\W+/g, '-')}-${SIZES[index]}`
    const value = Math.round(figure)
    return JSON.stringify({ row, value, unit: 'CPU ns', reach: null, holds: null, peers: {} })
  })
}

function parse(args: string[]) {
  const { values, positionals } = parsed({ args, options: OPTIONS, allowPositionals: true })
  const known = LAYERS.map(({ name }) => name)
  const unknown = positionals.find(name => !known.includes(name))
  if (unknown !== undefined)
    throw new UsageError(`no layer '${unknown}', there is ${known.join(', ')}`)
  const chosen: readonly Layered[] =
    positionals.length > 0 ? LAYERS.filter(({ name }) => positionals.includes(name)) : LAYERS
  return { ...values, chosen, rounds: numberOption('rounds', values.rounds, 1, 1000) }
}
