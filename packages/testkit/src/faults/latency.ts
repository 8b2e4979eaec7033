// latency: a pipe on which everything arrives later, each way.

import type { Layer } from '@striper/core'
import { rng, type Rng } from '../rng.ts'
import { atLeast } from './check.ts'
import { DelayPipe } from './delay.ts'
import type { Pace } from './line.ts'

const MAX_HELD_BYTES = 4 * 1024 * 1024

export interface LatencyOptions {
  /** One way, in ms. A round trip through one such layer takes twice this. */
  ms: number
  /** Each chunk takes up to so many ms longer, by chance, but overtakes none; 0. */
  jitterMs?: number
  /** Of the jitter; 1. */
  seed?: number
}

/**
 * Delays everything that passes, ends too, by `ms` in each direction. Says nothing about rate: put
 * it on a `rate()` for a line that is slow and far away.
 *
 * Each direction holds 4 MiB and the write or chunk that crosses this, then stops its source; so it
 * carries at most 4 MiB per `ms`. An end waits for what is held; an abort, from either side, drops
 * it and is not delayed.
 */
export function latency({ ms, jitterMs = 0, seed = 1 }: LatencyOptions): Layer {
  atLeast(0, ms, 'ms')
  atLeast(0, jitterMs, 'jitterMs')
  return below => {
    const chance = rng(seed)
    return new DelayPipe(below, {
      name: 'latency',
      received: later(ms, jitterMs, chance.fork()),
      sent: later(ms, jitterMs, chance.fork()),
      maxHeldBytes: MAX_HELD_BYTES,
    })
  }
}

function later(ms: number, jitterMs: number, chance: Rng): Pace {
  return (bytes, now) => ({ bytes, due: now + ms + jitterMs * chance.next() })
}
