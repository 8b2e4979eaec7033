// The report: a line for each figure with all relays side by side, and the ratios that are to be
// reached.

import { cpus } from 'node:os'
import { median } from '../lib/figures.ts'
import { line } from '../lib/table.ts'
import { RELAYS, type RelayName, versionOf } from './relays.ts'
import { type Claim, CLAIMS, type Measure, type Pass, type Row } from './rows.ts'

/** What each relay came to in each round of a row; undefined where a pass came to nothing. */
export type Rounds = readonly Partial<Record<RelayName, Pass>>[]

export interface Figure {
  row: string
  value: number | undefined
  unit: string
  reach: number | undefined
  /** Whether it reaches it; undefined where there is nothing to reach, or no figure. */
  holds: boolean | undefined
  better: 'more' | 'less'
  peers: Partial<Record<RelayName, number>>
}

/** The figures of a row: the bridge's, and beside it the peers'. */
export function figuresOf(row: Row, rounds: Rounds): Figure[] {
  return row.measures.map(measure => {
    const { bridge: value, ...peers } = valuesOf(measure, rounds)
    const name = `${row.name}-${measure.name}`
    const { unit, better } = measure
    return { row: name, value, unit, reach: undefined, holds: undefined, better, peers }
  })
}

/** What a row claims: the median over the rounds of the bridge's figure, or of its ratio to that of
 *  a peer in the same round. */
export function claimsOf(row: Row, rounds: Rounds): Figure[] {
  return CLAIMS.filter(claim => claim.row === row.name).map(claim => {
    const measure = row.measures.find(({ name }) => name === claim.measure)!
    const value = median(rounds.flatMap(round => claimed(claim, measure, round) ?? []))
    const { reach, better } = claim
    const holds =
      value === undefined ? undefined : better === 'more' ? value >= reach : value <= reach
    const name = [row.name, claim.measure, ...(claim.over ? ['/', claim.over] : [])]
    const unit = claim.over ? `bridge ÷ ${claim.over}` : measure.unit
    return { row: name.join('-').replace('-/-', '/'), value, unit, reach, holds, better, peers: {} }
  })
}

function claimed(claim: Claim, { of }: Measure, round: Rounds[number]): number | undefined {
  const own = round.bridge && of(round.bridge)
  if (claim.over === undefined) return own
  const peer = round[claim.over]
  const other = peer && of(peer)
  return own === undefined || other === undefined || other === 0 ? undefined : own / other
}

function valuesOf({ of }: Measure, rounds: Rounds): Partial<Record<RelayName, number>> {
  const values: Partial<Record<RelayName, number>> = {}
  for (const name of RELAYS) {
    const value = median(rounds.flatMap(round => (round[name] && of(round[name])) ?? []))
    if (value !== undefined) values[name] = value
  }
  return values
}

/** One line of JSON. */
export function toJson({ row, value, unit, reach, holds, peers }: Figure): string {
  const rounded = Object.entries(peers).map(([name, peer]) => [name, round(peer)] as const)
  const known = { row, value: value === undefined ? null : round(value), unit }
  const reached = { reach: reach ?? null, holds: holds ?? null }
  return JSON.stringify({ ...known, ...reached, peers: Object.fromEntries(rounded) })
}

const WIDTHS = [22, ...RELAYS.map(() => 9), 0]

/** What stands above the table. */
export function heading(command: string, rounds: number, sender: string, missing: string[]) {
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ')
  const cores = cpus()
  const versions = [`node ${process.versions.node}`]
  const asked = { haproxy: '-v', nginx: '-v', socat: '-V' }
  for (const [name, flag] of Object.entries(asked)) {
    if (!missing.some(each => each.startsWith(name)))
      versions.push(`${name} ${versionOf(name, flag)}`)
  }
  return [
    command,
    `${date} UTC, ${versions.join(', ')}`,
    `${cores.length} × ${cores[0]?.model ?? 'unknown'}, loopback, each relay one thread; sent by ${sender}`,
    `medians of ${rounds}, relays in turn`,
    ...missing,
  ]
}

export function tableHead(): string {
  return line(['row', ...RELAYS, ''], WIDTHS)
}

/** A line of the table. */
export function toLine({ row, value, unit, peers }: Figure): string {
  const values = RELAYS.map(name => figure(name === 'bridge' ? value : peers[name]))
  return line([row, ...values, `(${unit})`], WIDTHS)
}

/** A line of the ratios. */
export function toClaim({ row, value, unit, reach, holds, better }: Figure): string {
  const verdict = holds === undefined ? '–' : holds ? 'yes' : 'NO'
  const bound = `${better === 'more' ? '≥' : '≤'} ${reach}`
  return `${row.padEnd(22)}  ${figure(value).padStart(9)}  ${bound.padStart(9)}  ${verdict}  (${unit})`
}

function figure(value: number | undefined): string {
  if (value === undefined) return '–'
  return value >= 1000 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

const round = (value: number) => Math.round(value * 1000) / 1000
