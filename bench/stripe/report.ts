// The report: a line for each contender of a row for people, a line of JSON for each measure for
// programs.

import { headingOf } from '../lib/command.ts'
import { median } from '../lib/figures.ts'
import { line } from '../lib/table.ts'
import type { Pass } from './pass.ts'
import { type Contender, CONTENDERS, type Measure, type Medians, type Row } from './rows.ts'

/** The middle one of each figure. */
export function mediansOf(passes: readonly Pass[]): Pass {
  const middle = (of: (pass: Pass) => number) => median(passes.map(of))!
  const known = (of: (pass: Pass) => number | undefined) => {
    return of(passes[0]!) === undefined ? undefined : middle(pass => of(pass)!)
  }
  return {
    cpu: middle(pass => pass.cpu),
    speed: middle(pass => pass.speed),
    memory: middle(pass => pass.memory),
    copied: known(pass => pass.copied),
    parcel: known(pass => pass.parcel),
  }
}

/** Whether striper reaches what it should; undefined where one of the two is not known. */
function holds({ better, of, reach }: Measure, medians: Medians): boolean | undefined {
  const value = medians.striper && of(medians.striper)
  const reached = reach?.(medians)
  if (value === undefined || reached === undefined) return undefined
  return better === 'more' ? value >= reached : value <= reached
}

/** One line of JSON for each measure. */
export function toJson({ name, measures }: Row, medians: Medians): string[] {
  return measures.map(measure => {
    const { unit, of, reach } = measure
    const figure = (contender: Contender) => {
      const pass = medians[contender]
      return round(pass && of(pass))
    }
    const peers = Object.fromEntries(
      CONTENDERS.filter(each => each !== 'striper' && medians[each]).map(each => [
        each,
        figure(each),
      ]),
    )
    const known = { reach: round(reach?.(medians)), holds: holds(measure, medians) ?? null }
    return JSON.stringify({
      row: `${name}-${measure.name}`,
      value: figure('striper'),
      unit,
      ...known,
      peers,
    })
  })
}

/** What stands above the table. */
export function heading(
  rounds: number,
  args: readonly string[],
  lacking: readonly string[],
): string[] {
  return [
    ...headingOf('stripe', args),
    `one download over loopback through two relays, medians of ${rounds}; CPU of both relays, memory of the larger`,
    ...lacking,
  ]
}

const WIDTHS = [10, 9, 7, 9, 9, 10, 12, 12, 0]

export function tableHead(): string {
  return line(
    ['row', 'by', 'GB/s', 'CPU s/GB', '÷ naive', 'peak MiB', 'copied B/B', 'KiB a parcel', 'reach'],
    WIDTHS,
    2,
  )
}

/** The lines of a row: striper, and each of the others. */
export function toLines(row: Row, medians: Medians): string[] {
  const { naive } = medians
  return CONTENDERS.flatMap(contender => {
    const pass = medians[contender]
    if (pass === undefined) return []
    const ratio = naive && pass.cpu / naive.cpu
    const verdicts = contender === 'striper' ? verdictsOf(row, medians) : ''
    const figures = [pass.speed, pass.cpu, ratio].map(value => value?.toFixed(2) ?? '–')
    const copied = pass.copied?.toFixed(2) ?? '–'
    const parcel = pass.parcel?.toFixed(1) ?? '–'
    const cells = [...figures, pass.memory.toFixed(0), copied, parcel, verdicts]
    return line([row.name, contender, ...cells], WIDTHS, 2)
  })
}

function verdictsOf({ measures }: Row, medians: Medians): string {
  return measures
    .flatMap(measure => {
      const reach = measure.reach?.(medians)
      if (reach === undefined) return []
      const sign = measure.better === 'more' ? '≥' : '≤'
      const verdict = holds(measure, medians) ? 'yes' : 'NO'
      return `${measure.name} ${sign} ${reach.toFixed(2)}: ${verdict}`
    })
    .join(', ')
}

function round(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value * 1000) / 1000
}
