// Outbox: what was written and is not sent yet. What is urgent overtakes what is not; for parcels,
// which arrive in any order, that is nothing new to the far end.
//
// Pure: time is passed in, in ms.

import { type Loan, type Message, pieces, SharedLoan, sizeOf } from '@striper/core'
import { Fifo } from './fifo.ts'
import type { Parcel } from './lane.ts'
import { END, PARCEL } from './wire.ts'

/** Urgent parcels that may wait, in bytes: more is a backlog like any other. */
export const MOST_URGENT_BYTES = 64 * 1024
/** How long lanes are kept lean after an urgent parcel, in ms. */
const LEAN_MS = 1000

/** A parcel that has no number yet: it gets one when it is sent. */
export type Written = Pick<Parcel, 'type' | 'pieces' | 'bytes' | 'loan'>

export class Outbox {
  readonly #fresh = new Fifo<Written>()
  readonly #urgent = new Fifo<Written>()
  #urgentBytes = 0
  #bytes = 0
  #leanUntil = -Infinity

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes
  }

  get length(): number {
    return this.#fresh.length + this.#urgent.length
  }

  /** What goes next. */
  get head(): Written | undefined {
    return this.#urgent.head ?? this.#fresh.head
  }

  /** Whether what goes next is urgent. */
  get urgent(): boolean {
    return this.#urgent.length > 0
  }

  /** Whether somebody waits for small parcels, so that little should be under way on any lane. */
  lean(now: number): boolean {
    return now < this.#leanUntil
  }

  write(message: Message, loan?: Loan): void {
    const written = toWritten(message, loan && new SharedLoan(loan))
    this.#bytes += written.bytes
    this.#fresh.push(written)
  }

  /** False, and nothing is done, where too much that is urgent waits already. */
  writeUrgent(message: Message, lean: boolean, now: number): boolean {
    const written = toWritten(message, undefined)
    if (this.#urgentBytes + written.bytes > MOST_URGENT_BYTES) return false
    this.#bytes += written.bytes
    if (lean) this.#leanUntil = now + LEAN_MS
    this.#urgentBytes += written.bytes
    this.#urgent.push(written)
    return true
  }

  /** Nothing of what waits will be sent. */
  clear(): void {
    while (this.length > 0) {
      this.head!.loan?.done()
      this.shift()
    }
  }

  end(): void {
    this.#fresh.push({ type: END, pieces: [], bytes: 0, loan: undefined })
  }

  /** Takes what goes next. */
  shift(): void {
    const { urgent } = this
    const written = (urgent ? this.#urgent : this.#fresh).shift()!
    this.#bytes -= written.bytes
    if (urgent) this.#urgentBytes -= written.bytes
  }
}

function toWritten(message: Message, loan: SharedLoan | undefined): Written {
  return { type: PARCEL, pieces: pieces(message), bytes: sizeOf(message), loan }
}
