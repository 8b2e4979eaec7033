// What the clients of a server may have it hold, all of them together.
//
//   memory ─┬─ a half: channels, each at its most, which says how many there may be
//           ├─ a quarter: what the windows of all channels may grow by
//           └─ a quarter: what was sent to clients and is not acknowledged, in shares
//
// The first two are counted as they are used (`WindowPool` of mux). The third is set aside when a
// session begins, and given back at its end: so it holds whatever the clients do.

import { LEAST_WINDOW_BYTES } from 'striper'

/** What a channel holds where neither of its ends reads: 64 KiB of its window, and what waits in
 *  the channel and in its connection to be written, 256 KiB each. */
export const CHANNEL_BYTES = (64 + 2 * 256) * 1024
/** A session gets no more than this part of what is left, so that many find room. */
const PART = 1 / 32

/** How the memory is divided, in bytes. */
export function divided(bytes: number) {
  return { channels: bytes / 2, windows: bytes / 4, sessions: bytes / 4 }
}

/** The shares of sessions. The less there is left, the smaller they are; when there is not even the
 *  smallest window of a stripe, there are no more. */
export class Shares {
  /** What there is, in bytes. */
  readonly bytes: number
  #takenBytes = 0

  constructor(bytes: number) {
    this.bytes = bytes
  }

  /** What was taken and not given back, in bytes. */
  get takenBytes(): number {
    return this.#takenBytes
  }

  /** A share of at most so many bytes; undefined where nothing is left. */
  take(mostBytes: number): number | undefined {
    const left = this.bytes - this.#takenBytes
    if (left < LEAST_WINDOW_BYTES) return undefined
    const share = Math.max(Math.min(mostBytes, Math.floor(left * PART)), LEAST_WINDOW_BYTES)
    this.#takenBytes += share
    return share
  }

  give(share: number): void {
    this.#takenBytes -= share
  }
}
