// stall: a pipe on which, from a certain byte on, nothing moves; for a while or for ever.

import type { Layer } from '@striper/core'
import { atLeast, wholeNumber } from './check.ts'
import { DelayPipe } from './delay.ts'
import type { Pace } from './line.ts'

const MAX_HELD_BYTES = 256 * 1024

export interface StallOptions {
  /** How many bytes pass before, both directions together. With 0 it stalls from the beginning. */
  afterBytes: number
  /** How long nothing moves, in ms; for ever. */
  ms?: number
}

/**
 * Stops both directions, ends too, once `afterBytes` bytes have passed, and lets them go on after
 * `ms`, once and for all. The pipes on both sides of it stay open and say nothing, as over a
 * network that swallows everything.
 *
 * Each direction holds 256 KiB and the write or chunk that crosses this, then stops its source.
 * Nothing is lost when it goes on. An end waits for what is held; an abort, from either side, drops
 * it and passes.
 */
export function stall({ afterBytes, ms = Infinity }: StallOptions): Layer {
  wholeNumber(0, afterBytes, 'afterBytes')
  atLeast(0, ms, 'ms')
  return below => {
    const pace = stopping(afterBytes, ms)
    const maxHeldBytes = MAX_HELD_BYTES
    return new DelayPipe(below, { name: 'stall', received: pace, sent: pace, maxHeldBytes })
  }
}

function stopping(afterBytes: number, ms: number): Pace {
  let left = afterBytes
  let over = performance.now() + ms
  return (bytes, now) => {
    if (left === 0) return { bytes, due: Math.max(now, over) }
    const piece = Math.min(bytes, left)
    left -= piece
    if (left === 0) over = now + ms
    return { bytes: piece, due: now }
  }
}
