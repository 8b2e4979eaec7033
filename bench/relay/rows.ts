// The rows: what is put through each relay, what is measured of it, and the ratios that are to be
// reached.

import { quantile } from '../lib/figures.ts'
import { conversationsAtMost, type RelayName } from './relays.ts'

/** What one pass through one relay came to. */
export interface Pass {
  gigabytes?: number
  /** How long the load lasted, in s. */
  seconds?: number
  /** CPU time of the relay, in s. */
  cpuSeconds?: number
  peakBytes?: number
  /** Memory that conversations took, in bytes. */
  grownBytes?: number
  /** How many questions or connections there were. */
  count?: number
  /** How long answers took, in ms. */
  answersMs?: readonly number[]
  /** Bytes that were copied between read and write, and how many were read. */
  copied?: number
  read?: number
}

export interface Measure {
  name: string
  unit: string
  better: 'more' | 'less'
  of: (pass: Pass) => number | undefined
}

export type Load =
  | { kind: 'bulk'; conversations: number }
  | { kind: 'transfer'; gigabytes: number }
  | { kind: 'ask'; conversations: number }
  | { kind: 'open'; atOnce: number }
  | { kind: 'idle'; conversations: number }

export interface Row {
  name: string
  about: string
  load: Load
  /** Relays that are not fit for it. */
  without?: readonly RelayName[]
  measures: readonly Measure[]
}

/** A bound on our figure by itself, or on it beside that of a peer in the same round. */
export interface Claim {
  row: string
  measure: string
  over?: RelayName
  reach: number
  better: 'more' | 'less'
}

const MIB = 1024 * 1024

const speed: Measure = {
  ...{ name: 'speed', unit: 'GB/s', better: 'more' },
  of: ({ gigabytes, seconds }) => over(gigabytes, seconds),
}
const cpu: Measure = {
  ...{ name: 'cpu', unit: 'CPU s/GB', better: 'less' },
  of: ({ cpuSeconds, gigabytes }) => over(cpuSeconds, gigabytes),
}
const peak: Measure = {
  ...{ name: 'peak', unit: 'MiB', better: 'less' },
  of: ({ peakBytes }) => over(peakBytes, MIB),
}
const answers = (name: string, share: number): Measure => ({
  ...{ name, unit: 'ms', better: 'less' },
  of: ({ answersMs = [] }) => quantile(answersMs, share),
})
const copied: Measure = {
  ...{ name: 'copied', unit: '% of bytes', better: 'less' },
  of: pass => times(100, over(pass.copied, pass.read)),
}

function bulk(conversations: number): Row {
  return {
    name: `bulk-${conversations}`,
    about: `${conversations} × as much as goes, and 64 bytes there and back beside it`,
    load: { kind: 'bulk', conversations },
    measures: [speed, cpu, peak, answers('ping-p50', 0.5), answers('ping-p99', 0.99), copied],
  }
}

export const ROWS: readonly Row[] = [
  ...[1, 8, 100].map(bulk),
  {
    name: 'ask',
    about: '512 bytes there and back, over 16 conversations',
    load: { kind: 'ask', conversations: 16 },
    measures: [
      {
        ...{ name: 'cpu', unit: 'CPU µs each', better: 'less' },
        of: ({ cpuSeconds, count }) => times(1e6, over(cpuSeconds, count)),
      },
      {
        ...{ name: 'rate', unit: 'a CPU s', better: 'more' },
        of: ({ cpuSeconds, count }) => over(count, cpuSeconds),
      },
      answers('p50', 0.5),
      answers('p99', 0.99),
    ],
  },
  {
    name: 'open',
    about: 'connections accepted, answered with an end, and closed, 20 at once',
    load: { kind: 'open', atOnce: 20 },
    measures: [
      {
        ...{ name: 'rate', unit: 'a second', better: 'more' },
        of: ({ count, seconds }) => over(count, seconds),
      },
      {
        ...{ name: 'cpu', unit: 'CPU µs each', better: 'less' },
        of: ({ cpuSeconds, count }) => times(1e6, over(cpuSeconds, count)),
      },
    ],
  },
  {
    name: 'idle',
    about: `memory of ${conversationsAtMost} idle conversations, 10,000 where descriptors allow it`,
    load: { kind: 'idle', conversations: conversationsAtMost },
    without: ['socat'], // a process for each
    measures: [
      {
        ...{ name: 'memory', unit: 'KiB each', better: 'less' },
        of: ({ grownBytes, count }) => over(grownBytes, times(1024, count)),
      },
    ],
  },
  {
    name: 'ten',
    about: 'one transfer of 10 GB',
    load: { kind: 'transfer', gigabytes: 10 },
    measures: [peak, speed, cpu],
  },
]

/** One short pass, to see that it works. */
export const SMOKE: Row = { ...bulk(1), name: 'smoke' }

export const CLAIMS: readonly Claim[] = [
  { row: 'bulk-1', measure: 'cpu', over: 'pipe', reach: 0.65, better: 'less' },
  { row: 'bulk-8', measure: 'cpu', over: 'pipe', reach: 0.65, better: 'less' },
  { row: 'bulk-1', measure: 'cpu', over: 'haproxy', reach: 1.25, better: 'less' },
  { row: 'bulk-8', measure: 'cpu', over: 'haproxy', reach: 1.25, better: 'less' },
  { row: 'bulk-1', measure: 'speed', over: 'haproxy', reach: 0.9, better: 'more' },
  { row: 'bulk-8', measure: 'speed', over: 'haproxy', reach: 0.9, better: 'more' },
  { row: 'ask', measure: 'cpu', over: 'pipe', reach: 1, better: 'less' },
  { row: 'ask', measure: 'p99', over: 'pipe', reach: 1, better: 'less' },
  { row: 'idle', measure: 'memory', over: 'pipe', reach: 1.1, better: 'less' },
  { row: 'ten', measure: 'peak', reach: 96, better: 'less' },
]

function over(value: number | undefined, by: number | undefined): number | undefined {
  return value === undefined || by === undefined || by === 0 ? undefined : value / by
}

function times(factor: number, value: number | undefined): number | undefined {
  return value === undefined ? undefined : factor * value
}
