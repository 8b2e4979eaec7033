// The rows of the table: what is measured, over which lanes, and what is to be reached.
//
// A scenario has links, in the words of wan.c, and lanes, one on each link unless it says
// otherwise. One plain TCP on each lane alone makes S, their sum; then each contender has all lanes
// at once. One run of a scenario gives a row for each of its measures.

import { rng } from '@striper/testkit/faults'
import { quantile } from '../lib/figures.ts'
import type { Pass } from './ask.ts'
import { goodput, leastSecond, longestGapMs, secondsUntil } from './measure.ts'
import { steadyGoodput } from './measure.ts'

/** Something happens to a link while bytes flow; `to` as on the standard input of wan. */
export interface LinkEvent {
  at: number
  link: number
  to: string
}

export interface Scenario {
  name: string
  /** What a reader should know, in a line. */
  about: string
  /** One list of links for each trial; of a single one, each round is a trial. */
  links: readonly (readonly string[])[]
  /** Lanes on each link; 1. */
  lanesEach?: number
  seconds: number
  /** When the steady state begins; second 2. */
  steadyFrom?: number
  events?: readonly LinkEvent[]
  reset?: { lane: number; at: number }
  questions?: { bytes: number; count: number }
  windowBytes?: number
  /** Why MPTCP is not in the row. */
  noMptcp?: string
  /** Whether our own fault layers can stand in for the lab. */
  loopback?: boolean
  measures: readonly Measure[]
}

/** What all contenders of one trial are held against, in Mbit/s. */
export interface Reference {
  /** The sum of one plain TCP on each lane alone. */
  S: number
  /** The same over the lanes as they are when the last event is over. */
  later: number
  /** One plain TCP on the best lane. */
  best: number
}

export type Contender = 'striper' | 'tcp' | 'mptcp' | 'round-robin'
export const CONTENDERS: readonly Contender[] = ['striper', 'tcp', 'mptcp', 'round-robin']
/** The value of each contender that has one. */
export type Values = Partial<Record<Contender, number>>

export interface Measure {
  /** Follows the scenario's name. */
  name?: string
  unit: string
  better: 'more' | 'less'
  /** The figure to reach; it may depend on the peers' in the same run. */
  reach: number | ((peers: Values) => number | undefined)
  /** The figure of one pass. */
  of: (pass: Pass, reference: Reference, scenario: Scenario) => number | undefined
  /** The figure of all passes of a contender; their median. */
  over?: (values: readonly number[]) => number | undefined
}

const link = (rate: number, delay: number, more = '') => `rate=${rate} delay=${delay}${more}`
const times = (count: number, spec: string) => Array.from({ length: count }, () => spec)
const firstEvent = ({ events = [], reset }: Scenario) => events[0]?.at ?? reset?.at ?? 0

const share = (reach: Measure['reach'], more: Partial<Measure> = {}): Measure => ({
  unit: '% of S',
  better: 'more',
  reach,
  of: (pass, { S }, scenario) => (100 * steadyGoodput(pass, scenario)) / S,
  ...more,
})
const ofBest = (reach: number, more: Partial<Measure> = {}): Measure => ({
  unit: '% of the best lane',
  better: 'more',
  reach,
  of: (pass, { best }, scenario) => (100 * steadyGoodput(pass, scenario)) / best,
  ...more,
})
const firstSecond: Measure = {
  name: 'first-second',
  unit: '% of S',
  better: 'more',
  reach: 60,
  of: (pass, { S }) => (100 * goodput(pass, 0, 1)) / S,
}
const copies: Measure = {
  name: 'copies',
  unit: '% sent again',
  better: 'less',
  reach: 2,
  of: ({ sent }) => sent && (100 * sent.copiedBytes) / sent.bytes,
}
const held: Measure = {
  name: 'held',
  unit: 'parcels a lane',
  better: 'less',
  reach: 4,
  of: ({ held }, _reference, { links }) =>
    held && held.peakBytes / held.parcelBytes / links[0]!.length,
}
const gap = (reach: number): Measure => ({
  name: 'gap',
  unit: 'ms without a byte',
  better: 'less',
  reach,
  of: (pass, _reference, scenario) => longestGapMs(pass, firstEvent(scenario)),
})
/** The worst of the seconds from the next after the event on, beside what S is by then. */
const secondsAfter = (reach: number): Measure => ({
  name: 'seconds',
  unit: '% of S by then',
  better: 'more',
  reach,
  of: (pass, { later }, scenario) =>
    (100 * leastSecond(pass, firstEvent(scenario) + 1, scenario.seconds)) / later,
})
const healing: Measure = {
  unit: 's until 95 % of S',
  better: 'less',
  reach: 2,
  of: (pass, { S }, { events = [] }) => secondsUntil(pass, events.at(-1)!.at, 0.95 * S),
}

const answered = (name: string, quantileOf: number, limit: (tcp: number) => number): Measure => ({
  name,
  unit: 'ms',
  better: 'less',
  reach: ({ tcp }) => (tcp === undefined ? undefined : limit(tcp)),
  of: ({ answersMs }) => quantile(answersMs, quantileOf),
})

function bulk(name: string, links: string[], measures: Measure[], more: Partial<Scenario> = {}) {
  const about = more.about ?? inWords(links, more.lanesEach)
  return { name, links: [links], seconds: 8, measures, ...more, about } satisfies Scenario
}

/** `2 × (rate=20 delay=10) + rate=5 delay=50` */
function inWords(links: readonly string[], lanesEach = 1): string {
  const counted = [...new Set(links)].map(spec => {
    const count = lanesEach * links.filter(each => each === spec).length
    return count === 1 ? spec : `${count} × (${spec})`
  })
  return counted.join(' + ')
}

function asking(name: string, bytes: number): Scenario {
  const p50 = answered('p50', 0.5, tcp => tcp + 2)
  const p99 = answered('p99', 0.99, tcp => tcp * 1.2)
  const questions = { bytes, count: 300 }
  const about = `300 questions of ${bytes} B and answers as long; the first lane is the best`
  const links = [link(20, 10), link(20, 100)]
  return bulk(name, links, [p50, p99], { seconds: 15, questions, about })
}

const LAST = [{ at: 4, link: 3 }] as const
const four20 = times(4, link(20, 10))
const four30ms = [link(40, 30), link(20, 30), link(10, 30), link(4, 30)]
const capped = (mode: string) => [link(200, 20, ` cap=8 mode=${mode} burst=64`)]
const cappedMore = { lanesEach: 8, noMptcp: 'one lane an address' }

/** Two random lanes: rate and round trip even on a logarithmic scale, the rest on a linear one. */
function randomPairs(count: number, seed: number): string[][] {
  const chance = rng(seed)
  const even = (low: number, high: number) => low + chance.next() * (high - low)
  const log = (low: number, high: number) => Math.exp(even(Math.log(low), Math.log(high)))
  const one = () => {
    const [rate, rtt, queue] = [log(1, 50), log(5, 200), even(10, 200)]
    const loss = chance.chance(1 / 3) ? chance.next() : 0
    const rest = ` queue=${queue.toFixed(0)} loss=${loss.toFixed(2)}`
    return link(Number(rate.toFixed(1)), Number((rtt / 2).toFixed(1)), rest)
  }
  return Array.from({ length: count }, () => [one(), one()])
}

function pairs(count: number): Scenario {
  const notUnder = (values: readonly number[]) =>
    (100 * values.filter(value => value >= 97).length) / values.length
  const least = (values: readonly number[]) => Math.min(...values)
  const above = ({ mptcp }: Values) => mptcp
  return {
    name: 'pairs',
    about: `${count} random pairs of lanes, 7 s each`,
    links: randomPairs(count, 1),
    seconds: 7,
    measures: [
      ofBest(98, { name: 'floor', unit: '% at 97 % of best or more', over: notUnder }),
      share(above, { name: 'median' }),
      share(above, { name: 'least', over: least }),
    ],
  }
}

/** All scenarios, with so many random pairs. */
export function scenarios(pairCount: number): Scenario[] {
  const loopback = true
  return [
    bulk('equal-2', times(2, link(20, 10)), [share(99)], { loopback }),
    bulk('equal-4', four20, [share(99), copies, held], { loopback }),
    bulk('equal-8', times(8, link(20, 10)), [share(99)]),
    bulk('equal-4x100', times(4, link(100, 10)), [share(99)]),
    bulk('unequal-2', [link(50, 10), link(5, 10)], [share(99)], { loopback }),
    bulk('unequal-4', four30ms, [share(99), firstSecond, copies]),
    bulk('delays', [link(20, 5), link(20, 50)], [share(98), copies], { loopback }),
    bulk('delays-far-first', [link(20, 50), link(20, 5)], [share(98)]),
    bulk('fast-near', [link(50, 5), link(5, 50)], [share(98)]),
    bulk('fast-far', [link(5, 5), link(50, 50)], [share(98)]),
    bulk('deep-queue', [link(50, 10), link(5, 10, ' queue=1600')], [share(99)]),
    bulk('capped-shaped', capped('shape'), [share(98)], cappedMore),
    bulk('capped-policed', capped('police'), [share(92)], cappedMore),
    bulk('hopeless', [link(50, 10), link(0.2, 10)], [ofBest(97)]),
    bulk('short-window', [link(20, 5), link(20, 50)], [ofBest(97)], {
      windowBytes: 125_000, // a quarter of 40 Mbit/s for the longest round trip, 100 ms
      noMptcp: 'its window is its own',
      about: 'window held to a quarter of need',
    }),
    bulk('collapse', four20, [gap(250), secondsAfter(95)], {
      seconds: 10,
      events: [{ ...LAST[0], to: 'rate=1' }],
      about: 'one of four falls to 1 Mbit/s at 4 s',
    }),
    bulk('blackhole', four20, [gap(250), secondsAfter(98)], {
      seconds: 10,
      events: [{ ...LAST[0], to: 'off' }],
      about: 'one of four swallows everything from 4 s on',
    }),
    bulk('reset', four20, [gap(120)], {
      reset: { lane: 3, at: 4 },
      noMptcp: 'cannot be reset from outside',
      about: 'one of four is reset at 4 s, by the receiver; one round trip is 20 ms',
    }),
    bulk('heal', four20, [healing], {
      seconds: 12,
      events: [
        { at: 3, link: 3, to: 'off' },
        { at: 6, link: 3, to: 'on' },
      ],
      about: 'one of four swallows everything from 3 s to 6 s',
    }),
    asking('ask-64', 64),
    asking('ask-1k', 1024),
    asking('ask-16k', 16 * 1024),
    pairs(pairCount),
  ]
}

/** For CI: whether it runs at all, in a few seconds. */
export const SMOKE: Scenario = bulk('smoke', times(2, link(20, 10)), [share(90)], {
  seconds: 3,
  steadyFrom: 1,
  loopback: true,
})
