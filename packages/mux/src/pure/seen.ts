// Seen: which of the peer's channels have been heard of.
//
//   heard of: 0 1 2   4 5     8      ──▶  next 9, missing 3 6 7
//
// The peer numbers its channels one after the other, and parcels come in any order. What is below
// `next` and not missing was heard of; if it is not there any more, it is gone. So a channel that
// is gone costs nothing, however long one before it stays. What is missing is under way, and of
// that there is only so much.

import { PipeError } from '@striper/core'

/** Channels that may be missing: a stripe has at most 8,192 parcels under way. */
export const MAX_MISSING = 16_384

export class Seen {
  #next = 0
  readonly #missing = new Set<number>()

  /** Something came for the peer's channel `index`; whether it is the first that did. Throws
   *  ERR_PIPE_LIMIT where too many before it would be missing. */
  see(index: number): boolean {
    if (index < this.#next) return this.#missing.delete(index)
    if (index - this.#next + this.#missing.size > MAX_MISSING) {
      const sentence = `channel ${index}, ${MAX_MISSING} before it may be missing`
      throw new PipeError('ERR_PIPE_LIMIT', sentence)
    }
    while (this.#next < index) this.#missing.add(this.#next++)
    this.#next++
    return true
  }

  /** One more than the highest index that was heard of. */
  get next(): number {
    return this.#next
  }

  /** Whether the peer's first `count` channels have all been heard of. */
  all(count: number): boolean {
    return this.#next === count && this.#missing.size === 0
  }
}
