// The rows: so many lanes, plain or with TLS, beside the relays that people have instead.

import type { Amount } from './load.ts'
import type { Chain, Pass } from './pass.ts'

export type Contender = 'striper' | 'naive' | 'haproxy'
export const CONTENDERS: readonly Contender[] = ['striper', 'naive', 'haproxy']

/** What a contender's passes came to: medians. */
export type Medians = Readonly<Partial<Record<Contender, Pass>>>

/** A figure that something is to be reached in. */
export interface Measure {
  readonly name: string
  readonly unit: string
  readonly better: 'more' | 'less'
  readonly of: (pass: Pass) => number | undefined
  /** What striper has to reach, from what the others did; undefined where that is not known. */
  readonly reach?: (peers: Medians) => number | undefined
}

export interface Row {
  readonly name: string
  readonly lanes: number
  readonly tls: boolean
  /** How long each contender runs before it is measured, in seconds. */
  readonly warmSeconds: number
  /** What goes through each contender in one of its turns, and how many those are in a round. */
  readonly amount: Amount
  readonly turns: number
  readonly measures: readonly Measure[]
}

/** Relays run for days; V8 has compiled what they do by then. */
export const WARM_SECONDS = 5
const TURNS = 3
const GB = 1e9

const cpu: Measure = {
  name: 'cpu',
  unit: 'CPU s/GB',
  better: 'less',
  of: pass => pass.cpu,
}
const speed: Measure = {
  name: 'speed',
  unit: 'GB/s',
  better: 'more',
  of: pass => pass.speed,
}
const memory: Measure = {
  name: 'memory',
  unit: 'MiB',
  better: 'less',
  of: pass => pass.memory,
}
const copied: Measure = {
  name: 'copied',
  unit: 'bytes a byte',
  better: 'less',
  of: pass => pass.copied,
}

/** A measure that is to be so many times what two naive relays come to. */
function timesNaive(measure: Measure, times: number): Measure {
  const reach = ({ naive }: Medians) => {
    const value = naive && measure.of(naive)
    return value === undefined ? undefined : value * times
  }
  return { ...measure, reach }
}

function row(lanes: number, tls: boolean): Row {
  const four = lanes === 4
  const cpuReach = tls ? 1 : 0.85
  return {
    name: `${tls ? 'tls' : 'plain'}-${lanes}`,
    lanes,
    tls,
    warmSeconds: WARM_SECONDS,
    amount: { seconds: 4 },
    turns: TURNS,
    measures: [
      four ? timesNaive(cpu, cpuReach) : cpu,
      four && !tls ? timesNaive(speed, 1) : speed,
      memory,
      copied,
    ],
  }
}

export const ROWS: readonly Row[] = [
  ...[1, 2, 4, 8].map(lanes => row(lanes, false)),
  ...[1, 2, 4, 8].map(lanes => row(lanes, true)),
  {
    name: 'large',
    lanes: 4,
    tls: false,
    warmSeconds: WARM_SECONDS,
    amount: { bytes: 10 * GB },
    turns: 1,
    measures: [{ ...memory, reach: () => 128 }, cpu, speed],
  },
]

/** What carries a contender's bytes in a row; undefined where it has nothing like it. */
export function chainOf(contender: Contender, { lanes, tls }: Row): Chain | undefined {
  if (contender === 'striper') return { by: 'pair', lanes, tls }
  if (contender === 'naive') return { by: 'naive', tls }
  return tls ? undefined : { by: 'haproxy' }
}
