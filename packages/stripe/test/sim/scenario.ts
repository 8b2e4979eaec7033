// A scenario: everything that a seed decides before the first event. Each seed first chooses which
// kinds of fault exist for it at all (swarm testing: Groce et al., ISSTA 2012), how long and how
// large it is, then how much of each. Most are short, with many faults in little time; a few are
// long.

import { rng, type PathOptions, type Rng } from '@striper/testkit/sim'

/** What happens to a path, or to an end of the session, at a time. */
export interface Fault {
  readonly at: number
  readonly kind: FaultKind
  readonly path: number
  /** The end that it happens to: 0 dials, 1 accepts. */
  readonly end: 0 | 1
  /** How long, in ms, for what passes. */
  readonly ms: number
}

/**
 * What a session survives:
 *
 * - `reset`: the connection is gone at both ends, with what was on it.
 * - `finish`: one end closes it cleanly, though nobody asked for that.
 * - `stall`: nothing moves, either way, and nobody can connect.
 * - `oneWay`: the same for what goes to one end.
 * - `collapse`: a hundredth of the rate.
 * - `leave`: an end removes the lane, as it may.
 * - `churn`: lanes are added and removed every few ms.
 * - `withhold`: ACKs to an end do not arrive, and then in any order.
 * - `flip`: a bit of what goes to an end is flipped, and what is below the lane finds it: TLS.
 * - `twin`: a lane comes with a number that is up already.
 * - `pause`: the process of an end is stopped, and all that came meanwhile comes at once.
 * - `retune`: an end changes weight, backup and budget of a lane, or is redundant, or not.
 *
 * And what it does not, which has to be an error at each end that is left:
 *
 * - `restart`: the accepting end has forgotten everything; or the dialling end never comes back.
 * - `abort`: an end gives up.
 * - `garbage`: an end is sent what no peer should send.
 * - `hostile`: an end is replaced by one that lies (hostile.ts).
 * - `flipUnseen`: a bit is flipped, and nothing is below that would find it.
 */
export type FaultKind = (typeof HARMLESS)[number] | (typeof FATAL)[number]

const HARMLESS = [
  ...['reset', 'finish', 'stall', 'oneWay', 'collapse', 'leave'],
  ...['churn', 'withhold', 'flip', 'twin', 'pause', 'retune'],
] as const
const FATAL = ['restart', 'abort', 'garbage', 'hostile', 'hostile', 'flipUnseen'] as const

/** What a program at an end does. */
export interface App {
  /** The sizes of what it writes. */
  readonly sizes: readonly number[]
  /** The pause before each write, in ms; 0: as fast as it may. */
  readonly writeEveryMs: number
  /** The pause before each read, in ms; 0: as it comes. */
  readonly readEveryMs: number
  /** When it begins to read. */
  readonly readFromMs: number
}

export interface Scenario {
  readonly seed: number
  readonly paths: readonly PathOptions[]
  readonly apps: readonly [App, App]
  readonly faults: readonly Fault[]
  readonly schedule: 'soonest' | 'roundRobin' | 'untilCongested'
  readonly windowBytes: number
  readonly redundant: boolean
  /** When all paths are healed, and no more faults come. */
  readonly healAt: number
}

/** How long a scenario is, and how much is in it. */
interface Shape {
  readonly faultMs: number
  readonly messages: number
  readonly faults: number
  /** Large messages, large windows and fast paths that collapse: much is copied. */
  readonly bulk?: boolean
}

const SHORT: Shape = { faultMs: 500, messages: 30, faults: 24 }
const MIDDLE: Shape = { faultMs: 3000, messages: 60, faults: 24 }
const LONG: Shape = { faultMs: 10_000, messages: 400, faults: 40 }
const BULK: Shape = { faultMs: 2000, messages: 300, faults: 40, bulk: true }
const SHAPES = [...Array<Shape>(24).fill(SHORT), ...Array<Shape>(14).fill(MIDDLE), ...[LONG, BULK]]

/** The scenario of a seed. */
export function scenarioOf(seed: number): Scenario {
  const random = rng(seed)
  const shape = random.pick(SHAPES)
  const count = random.pick([1, 2, 2, 3, 3, 4, 6, shape === LONG ? 32 : 8])
  const paths = Array.from({ length: count }, () => pathOf(random, shape))
  const kinds: FaultKind[] = shape.bulk
    ? ['collapse', 'stall']
    : HARMLESS.filter(() => random.chance(0.4))
  const faults = kinds.length === 0 ? [] : faultsOf(random, shape, kinds, count)
  if (random.chance(0.2)) faults.push(faultOf(random, shape, FATAL, count))
  return {
    seed,
    paths,
    apps: [appOf(random, shape), appOf(random, shape)],
    faults: faults.sort((a, b) => a.at - b.at),
    schedule: random.pick(['soonest', 'soonest', 'roundRobin', 'untilCongested']),
    redundant: random.chance(0.1),
    windowBytes: (shape.bulk ? 4096 : random.pick([256, 256, 512, 4096])) * 1024,
    healAt: shape.faultMs + random.integer(0, shape.faultMs),
  }
}

function pathOf(random: Rng, shape: Shape): PathOptions {
  return {
    bytesPerMs: 2 ** random.integer(shape.bulk ? 8 : 2, 12),
    delayMs: random.chance(0.1) ? 0 : 2 ** random.integer(0, 8),
    bufferBytes: 2 ** random.integer(11, 16),
  }
}

function faultsOf(random: Rng, shape: Shape, kinds: readonly FaultKind[], paths: number): Fault[] {
  const count = random.integer(1, shape.faults)
  return Array.from({ length: count }, () => faultOf(random, shape, kinds, paths))
}

function faultOf(random: Rng, shape: Shape, kinds: readonly FaultKind[], paths: number): Fault {
  return {
    at: random.integer(0, shape.faultMs),
    kind: random.pick(kinds),
    path: random.integer(0, paths - 1),
    end: random.chance(0.5) ? 1 : 0,
    ms: 2 ** random.integer(4, 13),
  }
}

/** What is written lasts as long as the faults do, or is there at once. */
function appOf(random: Rng, shape: Shape): App {
  const most = shape.bulk ? 60_000 : random.pick([1, 50, 1400, 4000, 16_000, 60_000])
  const count = random.chance(0.1) ? 0 : random.integer(shape.bulk ? 100 : 1, shape.messages)
  const sizes = Array.from({ length: count }, () => random.integer(0, most))
  const pause = (messages: number) => {
    return random.chance(0.5) ? 0 : Math.ceil((random.next() * shape.faultMs) / messages)
  }
  const readFromMs = random.chance(0.2) ? random.integer(0, shape.faultMs) : 0
  const [writeEveryMs, readEveryMs] = shape.bulk
    ? [random.pick([0, 30]), 0]
    : [pause(Math.max(count, 1)), pause(shape.messages)]
  return { sizes, writeEveryMs, readEveryMs, readFromMs }
}
