// Outgoing: the sending half of a stream. Bytes go in, parcels come out, as far as the reader's
// credit goes.
//
// Pure: no streams, no clock.

import { ByteQueue, NO_BYTES } from '@striper/core'
import { INITIAL_CREDIT } from './wire.ts'

/** Beyond this many pieces a parcel is cheaper to join than to write in pieces. */
const MAX_PIECES = 8

export class Outgoing {
  readonly #queue = new ByteQueue()
  #sent = NO_BYTES
  #limit = NO_BYTES + INITIAL_CREDIT
  #blockedAt: number | undefined

  /** Bytes that are not sent yet. */
  get queued(): number {
    return this.#queue.length
  }

  /** Bytes that are sent, and so the offset of the next. */
  get offset(): number {
    return this.#sent
  }

  /** Whether `next` would give something. */
  get ready(): boolean {
    return this.#queue.length > 0 && this.#sent < this.#limit
  }

  /** The limit that keeps what is queued from being sent, if that is so; each limit once. */
  takeBlocked(): number | undefined {
    if (this.#queue.length === 0 || this.#sent < this.#limit) return undefined
    if (this.#blockedAt === this.#limit) return undefined
    this.#blockedAt = this.#limit
    return this.#limit
  }

  write(chunk: Buffer): void {
    this.#queue.push(chunk)
  }

  /** Credit came. It may come out of order, so a lower limit than the present is an old one. */
  credit(limit: number): void {
    if (limit > this.#limit) this.#limit = limit
  }

  /** The next bytes to send, at most `maxBytes`, in pieces; undefined where there are none or no
   *  credit. */
  next(maxBytes: number): Buffer[] | undefined {
    const queue = this.#queue
    let rest = Math.min(maxBytes, queue.length, this.#limit - this.#sent)
    if (rest <= 0) return undefined
    this.#sent += rest
    const parts: Buffer[] = []
    while (rest > 0) {
      const part = parts.length < MAX_PIECES - 1 ? queue.takeUpTo(rest) : queue.take(rest)
      parts.push(part)
      rest -= part.length
    }
    return parts
  }
}
