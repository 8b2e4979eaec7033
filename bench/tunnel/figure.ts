// Figures of a row, and how they are shown. Pure.

import { median } from '../lib/figures.ts'

/** One figure of a row. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly reach?: number
  readonly better: 'more' | 'less'
}

/** A figure that has to be at least so much. */
export function least(name: string, value: number, unit: string, reach: number): Figure {
  return { name, value, unit, reach, better: 'more' }
}

/** A figure that may be at most so much; or, without `reach`, one that is only shown. */
export function most(name: string, value: number, unit: string, reach?: number): Figure {
  return { name, value, unit, ...(reach === undefined ? {} : { reach }), better: 'less' }
}

/** Of each figure, the median of the rounds. */
export function medians(rounds: readonly (readonly Figure[])[]): Figure[] {
  return rounds[0]!.map((figure, i) => {
    return { ...figure, value: median(rounds.map(round => round[i]!.value))! }
  })
}

function holds({ value, reach, better }: Figure): boolean | null {
  if (reach === undefined) return null
  return better === 'more' ? value >= reach : value <= reach
}

/** One line of JSON. */
export function toJson(row: string, figure: Figure): string {
  const { name, unit, reach = null } = figure
  const value = Math.round(figure.value * 1000) / 1000
  return JSON.stringify({ row: `${row}-${name}`, value, unit, reach, holds: holds(figure) })
}

/** A line for people. */
export function toLine(row: string, figure: Figure): string {
  const { name, value, unit, reach, better } = figure
  const reached = reach === undefined ? '' : `${better === 'more' ? '≥' : '≤'} ${reach}`
  const verdict = { true: 'yes', false: 'NO', null: '' }[String(holds(figure))]!
  const cells = [`${row}-${name}`.padEnd(26), value.toFixed(2).padStart(10), reached.padStart(8)]
  return `${cells.join('  ')}  ${verdict.padEnd(3)}  (${unit})`
}
