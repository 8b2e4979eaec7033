// The report: one row for each measure of a scenario, for people and for programs.

import { headingOf } from '../lib/command.ts'
import { median } from '../lib/figures.ts'
import { line } from '../lib/table.ts'
import type { Network } from './network.ts'
import { type Contender, CONTENDERS, type Measure, type Scenario, type Values } from './rows.ts'
import type { Trial } from './trials.ts'

export interface Row {
  row: string
  unit: string
  /** Striper's figure, and the others'. */
  values: Values
  /** S, in Mbit/s. */
  S: number
  reach: number | undefined
  /** Whether striper reaches it; undefined where one of the two is not known. */
  holds: boolean | undefined
  measure: Measure
}

/** The rows of a scenario, from its trials. */
export function rowsOf(scenario: Scenario, trials: readonly Trial[]): Row[] {
  const S = median(trials.map(trial => trial.reference.S)) ?? NaN
  return scenario.measures.map(measure => {
    const values = valuesOf(measure, scenario, trials)
    const { striper, ...peers } = values
    const reach = typeof measure.reach === 'number' ? measure.reach : measure.reach(peers)
    const known = striper !== undefined && reach !== undefined
    const holds = known ? atLeastAsGood(measure, striper, reach) : undefined
    const row = [scenario.name, measure.name].filter(Boolean).join('-')
    return { row, unit: measure.unit, values, S, reach, holds, measure }
  })
}

function valuesOf(measure: Measure, scenario: Scenario, trials: readonly Trial[]): Values {
  const { of, over = median } = measure
  const values: Values = {}
  for (const contender of CONTENDERS) {
    const each = trials.flatMap(({ passes, reference }) => {
      const pass = passes[contender]
      return (pass && of(pass, reference, scenario)) ?? []
    })
    const value = each.length > 0 ? over(each) : undefined
    if (value !== undefined) values[contender] = value
  }
  return values
}

function atLeastAsGood({ better }: Measure, value: number, other: number): boolean {
  return better === 'more' ? value >= other : value <= other
}

/** What one trial came to, a line for each measure. */
export function eachOf(scenario: Scenario, trial: Trial): string[] {
  return scenario.measures.map(measure => {
    const values = Object.entries(valuesOf({ ...measure, over: median }, scenario, [trial]))
    const each = values.map(([name, value]) => `${name} ${figure(value)}`).join(', ')
    return `${[scenario.name, measure.name].filter(Boolean).join('-')}: ${each}; ${trial.links.join(' + ')}`
  })
}

/** One line of JSON. */
export function toJson({ row, unit, values, S, reach, holds }: Row): string {
  const { striper, ...peers } = values
  const rounded = Object.fromEntries(
    Object.entries(peers).map(([name, value]) => [name, round(value)]),
  )
  const value = striper === undefined ? null : round(striper)
  const reached = reach === undefined ? null : round(reach)
  const known = { unit, reach: reached, holds: holds ?? null }
  return JSON.stringify({ row, value, ...known, peers: { ...rounded, S: round(S) } })
}

const WIDTHS = [22, 9, 9, 9, 9, 11, 10, 0] as const
const HEAD = ['row', 'striper', 'best TCP', 'S Mbit/s', 'MPTCP', 'round robin', 'reach', 'holds']

/** What stands above the table. */
export function heading(network: Network, rounds: number, args: readonly string[]): string[] {
  const mptcp = network.lacks('mptcp')
  return [
    ...headingOf('wan', args),
    network.title,
    `medians of ${rounds}; S: the sum of one plain TCP on each lane alone, lanes that are alike`,
    'measured once, a lane that changes measured again as it is then',
    ...(mptcp === undefined ? [] : [`MPTCP: ${mptcp}`]),
  ]
}

export function tableHead(): string {
  return line(HEAD, WIDTHS)
}

/** A line of the table. */
export function toLine({ row, unit, values, S, reach, holds, measure }: Row): string {
  const cell = (contender: Contender) => figure(values[contender])
  const sign = measure.better === 'more' ? '≥' : '≤'
  const reached = reach === undefined ? '–' : `${sign} ${figure(reach)}`
  const { striper, mptcp } = values
  const behind =
    striper !== undefined && mptcp !== undefined && !atLeastAsGood(measure, striper, mptcp)
  const verdict = holds === undefined ? '–' : holds ? 'yes' : 'NO'
  const last = `${verdict}${behind ? ', behind MPTCP' : ''}  (${unit})`
  return line(
    [
      row,
      cell('striper'),
      cell('tcp'),
      figure(S),
      cell('mptcp'),
      cell('round-robin'),
      reached,
      last,
    ],
    WIDTHS,
  )
}

function figure(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '–'
  if (!Number.isFinite(value)) return 'never'
  return value >= 1000 ? value.toFixed(0) : value.toFixed(1)
}

/** Three digits behind the point; JSON has no Infinity. */
function round(value: number): number | null {
  return Number.isFinite(value) ? Math.round(value * 1000) / 1000 : null
}
