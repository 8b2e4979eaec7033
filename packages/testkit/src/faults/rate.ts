// rate: a pipe that carries so many bytes a second, each way, and no more.

import type { Layer } from '@striper/core'
import { atLeast } from './check.ts'
import { DelayPipe } from './delay.ts'
import type { Pace } from './line.ts'

const PIECE_MS = 5
const HOLD_MS = 20
const MIN_HELD_BYTES = 16 * 1024
const MAX_PIECE_BYTES = 64 * 1024

export interface RateOptions {
  /** In each direction; neither takes from the other. */
  bytesPerSecond: number
  /** What may pass at once after a pause, in bytes; what the rate carries in 20 ms. There is none
   *  at the start. */
  burstBytes?: number
}

/**
 * Slows a byte pipe to a rate: an upstream of 1 MB/s is `rate({ bytesPerSecond: 1e6 })`. Over
 * seconds the rate is exact, whatever the timers do; bytes come in pieces of about 5 ms.
 *
 * Each direction holds what it carries in 20 ms, at least 16 KiB, and the write or chunk that
 * crosses this; then it stops its source. An end waits for what is held; an abort, from either
 * side, drops it.
 */
export function rate(options: RateOptions): Layer {
  const { bytesPerSecond, burstBytes = bytesPerSecond * (HOLD_MS / 1000) } = options
  atLeast(Number.MIN_VALUE, bytesPerSecond, 'bytesPerSecond')
  atLeast(0, burstBytes, 'burstBytes')
  const maxHeldBytes = Math.max(MIN_HELD_BYTES, bytesPerSecond * (HOLD_MS / 1000))
  return below =>
    new DelayPipe(below, {
      name: 'rate',
      received: evenly(bytesPerSecond, burstBytes),
      sent: evenly(bytesPerSecond, burstBytes),
      maxHeldBytes,
    })
}

/** Each piece is due when the line has carried it: `bytes / rate` after the piece before. */
function evenly(bytesPerSecond: number, burstBytes: number): Pace {
  const bytesPerMs = bytesPerSecond / 1000
  const burstMs = burstBytes / bytesPerMs
  const pieceBytes = Math.ceil(Math.min(MAX_PIECE_BYTES, bytesPerMs * PIECE_MS))
  let free: number | undefined // when the line has carried all that it was given

  return (bytes, now) => {
    const piece = Math.min(bytes, pieceBytes)
    free = Math.max(free ?? now, now - burstMs) + piece / bytesPerMs
    return { bytes: piece, due: free }
  }
}
