// A scenario: everything that a seed decides before the first event. Each seed first chooses which
// kinds of fault exist for it at all (swarm testing: Groce et al., ISSTA 2012), then how much of
// each.

import { rng, type PathOptions, type Rng } from '@striper/testkit/sim'

/** What happens to a path, or to the session, at a time. */
export interface Fault {
  readonly at: number
  readonly kind: FaultKind
  readonly path: number
  /** How long, in ms, for what passes. */
  readonly ms: number
}

/**
 * - `reset`: the connection is gone at both ends, with what was on it.
 * - `end`: one end closes it cleanly, though nobody asked for that.
 * - `stall`: nothing moves, either way, and nobody can connect.
 * - `deaf`, `mute`: the same, from or to the dialling end only.
 * - `collapse`: a hundredth of the rate.
 * - `leave`: the dialling end removes the lane, as it may.
 * - `restart`: the accepting end forgets everything.
 * - `abort`: the dialling end gives up.
 * - `garbage`: the accepting end sends what no peer should.
 */
export type FaultKind = (typeof HARMLESS)[number] | (typeof FATAL)[number]

/** What a session survives, whatever there is of it. */
const HARMLESS = ['reset', 'end', 'stall', 'deaf', 'mute', 'collapse', 'leave'] as const
/** What ends a session, with an error at both ends. */
const FATAL = ['restart', 'abort', 'garbage'] as const

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

const FAULT_MS = 8000

/** The scenario of a seed. */
export function scenarioOf(seed: number): Scenario {
  const random = rng(seed)
  const paths = Array.from({ length: random.integer(1, 6) }, () => pathOf(random))
  const kinds: FaultKind[] = HARMLESS.filter(() => random.chance(0.4))
  const faults = kinds.length === 0 ? [] : faultsOf(random, kinds, paths.length)
  if (random.chance(0.1)) {
    const at = random.integer(0, FAULT_MS)
    faults.push({ at, kind: random.pick(FATAL), path: 0, ms: 0 })
  }
  return {
    seed,
    paths,
    apps: [appOf(random), appOf(random)],
    faults: faults.sort((a, b) => a.at - b.at),
    schedule: random.pick(['soonest', 'soonest', 'roundRobin', 'untilCongested']),
    redundant: random.chance(0.1),
    windowBytes: random.pick([256, 256, 512]) * 1024,
    healAt: FAULT_MS + random.integer(0, 4000),
  }
}

function pathOf(random: Rng): PathOptions {
  return {
    bytesPerMs: 2 ** random.integer(2, 10),
    delayMs: random.chance(0.1) ? 0 : 2 ** random.integer(0, 8),
    bufferBytes: 2 ** random.integer(11, 16),
  }
}

function faultsOf(random: Rng, kinds: readonly FaultKind[], paths: number): Fault[] {
  return Array.from({ length: random.integer(1, 20) }, () => ({
    at: random.integer(0, FAULT_MS),
    kind: random.pick(kinds),
    path: random.integer(0, paths - 1),
    ms: 2 ** random.integer(4, 13),
  }))
}

function appOf(random: Rng): App {
  const most = random.pick([1, 50, 1400, 4000, 16_000])
  const total = random.pick([0, 1, 1000, 20_000, 60_000, 60_000, 120_000, 600_000])
  const sizes: number[] = []
  for (let bytes = 0; bytes < total && sizes.length < 400;) {
    const size = random.integer(0, most)
    sizes.push(size)
    bytes += size + 1
  }
  const pause = () => (random.chance(0.7) ? 0 : random.integer(1, 30))
  const readFromMs = random.chance(0.3) ? random.integer(0, FAULT_MS) : 0
  return { sizes, writeEveryMs: pause(), readEveryMs: pause(), readFromMs }
}
