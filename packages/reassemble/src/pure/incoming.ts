// Incoming: the receiving half of a stream. Parcels go in, in any order; bytes come out, in theirs.
//
//   arrived:   [0..64k)  [128k..192k)      ──▶ [0..64k) comes out, [128k..192k) is held
//   then:      [64k..128k)                 ──▶ [64k..192k) comes out
//
// Pure: no streams, no clock. What waits here, in order or out of it, is at most the credit that
// was given; a peer that sends beyond it has broken the protocol.

import { compact, type Message, NO_BYTES, PipeError, sizeOf } from '@striper/core'
import { INITIAL_CREDIT } from './wire.ts'

/** Where a window begins, in bytes, unless it may not be as large. */
const FIRST_WINDOW_BYTES = 4 * 1024 * 1024
/** Parcels that may wait. A writer never has as many under way (docs/wire.md), and small ones that
 *  wait in order are joined. */
export const MAX_HELD_PARCELS = 16_384

/** Up to this size, in bytes, what waits is joined with what comes right behind it. */
const MAX_JOINED_BYTES = 4096

export class Incoming {
  readonly #maxWindow: number
  #window: number
  readonly #held = new Map<number, Message>() // by offset
  #heldBytes = 0
  #released = NO_BYTES // bytes that the reader took
  #limit = NO_BYTES + INITIAL_CREDIT // credit as the peer was told
  #furthest = NO_BYTES // offset after the last byte that came
  #end: number | undefined
  #peakHeldBytes = 0
  #lastAt = NO_BYTES // offset of the parcel that waits and came last
  #block = EMPTY // memory that it is in, where it is joined of several, and may be continued
  #grownAt = NO_BYTES // a writer that was blocked below this knows nothing of the window as it is

  /** `windowBytes` is what may wait here at most, in bytes, at least INITIAL_CREDIT. The window
   *  begins with `firstBytes`, INITIAL_CREDIT or more, and doubles when the writer is blocked while
   *  the reader waits. */
  constructor(windowBytes: number, firstBytes = FIRST_WINDOW_BYTES) {
    this.#maxWindow = windowBytes
    this.#window = Math.min(windowBytes, firstBytes)
  }

  /** What may wait here now, in bytes. */
  get window(): number {
    return this.#window
  }

  /** How large the window would be if it grew once more, in bytes. */
  get nextWindow(): number {
    return Math.min(this.#window * 2, this.#maxWindow)
  }

  /** Bytes that the reader took, and so the offset of the next. */
  get offset(): number {
    return this.#released
  }

  /** Parcels that wait for the reader or for bytes before them. */
  get parcels(): number {
    return this.#held.size
  }

  /** The most that ever waited here, in bytes. */
  get peakHeld(): number {
    return this.#peakHeldBytes
  }

  /** Bytes that wait for the reader or for bytes before them. */
  get held(): number {
    return this.#heldBytes
  }

  /** Whether everything up to the end has arrived, taken or not: no more credit is needed. */
  get arrived(): boolean {
    return this.#end !== undefined && this.#released + this.#heldBytes === this.#end
  }

  /** Whether everything up to the end has been taken. */
  get ended(): boolean {
    return this.#released === this.#end
  }

  /** A parcel came. True: these very bytes are held, and not a copy. Throws ERR_PIPE_PROTOCOL or
   *  ERR_PIPE_LIMIT where it may not be. */
  data(offset: number, bytes: Message): boolean {
    const length = sizeOf(bytes)
    const end = offset + length
    if (length === 0) throw protocol('parcel without bytes')
    if (offset < this.#released || this.#held.has(offset)) {
      throw cameTwice(offset)
    }
    if (end > (this.#end ?? Infinity)) throw beyondEnd(end, this.#end!)
    // Overlapping parcels cannot make more of the window than there is.
    if (end > this.#limit || this.#released + this.#heldBytes + length > this.#limit) {
      throw beyondCredit(end, this.#limit)
    }
    const held = this.#join(offset, bytes) ?? this.#hold(offset, bytes)
    this.#heldBytes += length
    this.#furthest = Math.max(this.#furthest, end)
    return held === bytes
  }

  #hold(offset: number, bytes: Message): Message {
    if (this.#held.size >= MAX_HELD_PARCELS) {
      throw new PipeError('ERR_PIPE_LIMIT', `more than ${MAX_HELD_PARCELS} parcels wait`)
    }
    const held = offset === this.#released ? bytes : compact(bytes)
    this.#held.set(offset, held)
    this.#lastAt = offset
    this.#block = EMPTY
    return held
  }

  /** Joins a small parcel with the one that came last, if that waits, is small, and ends where this
   *  one begins. Or a reader that has stopped, of a writer that writes a few bytes at a time, would
   *  have too many parcels long before it had too many bytes. */
  #join(offset: number, bytes: Message): Buffer | undefined {
    if (!(bytes instanceof Uint8Array)) return undefined // what is in pieces is large
    const last = this.#held.get(this.#lastAt)
    if (!(last instanceof Uint8Array) || this.#lastAt + last.length !== offset) return undefined
    const length = last.length + bytes.length
    if (length > MAX_JOINED_BYTES) return undefined
    if (length > this.#block.length) {
      this.#block = Buffer.allocUnsafe(2 * length)
      last.copy(this.#block)
    }
    bytes.copy(this.#block, last.length)
    const joined = this.#block.subarray(0, length)
    this.#held.set(this.#lastAt, joined)
    return joined
  }

  /** The end is known. Throws ERR_PIPE_PROTOCOL where it was known to be elsewhere. */
  end(offset: number): void {
    if (this.#end !== undefined) throw protocol('the end came twice')
    if (offset < this.#furthest) throw protocol(`bytes beyond the end ${offset}`)
    this.#end = offset
  }

  /** Takes the next bytes in order; undefined while they have not come. */
  next(): Message | undefined {
    const bytes = this.#held.get(this.#released)
    if (bytes === undefined) return undefined
    this.#held.delete(this.#released)
    const length = sizeOf(bytes)
    this.#released += length
    this.#heldBytes -= length
    return bytes
  }

  /** The reader wants more, and there is nothing in order for it. */
  wanting(): void {
    this.#peakHeldBytes = Math.max(this.#peakHeldBytes, this.#heldBytes)
  }

  /** The writer had used the credit up to `limit`, while the reader wanted more: it is the window
   *  that both wait for, and it grows. It grows once for each time that the writer uses it. */
  blocked(limit: number): void {
    if (limit < this.#grownAt) return
    this.#window = this.nextWindow
    this.#grownAt = this.#limit + 1
  }

  /** New credit worth telling the peer, or undefined. Telling it is then the caller's duty. */
  grant(): number | undefined {
    const limit = this.#released + this.#window
    if (this.#end !== undefined || limit - this.#limit < this.#window / 4) return undefined
    this.#limit = limit
    return limit
  }
}

const EMPTY = Buffer.alloc(0)

// Sentences are made here, and not where they are thrown: V8 would write the numbers in them out
// for every parcel that is in order as well (decision 0097).

function cameTwice(offset: number): PipeError {
  return protocol(`bytes at ${offset} came twice`)
}

function beyondEnd(bytes: number, end: number): PipeError {
  return protocol(`bytes up to ${bytes} of ${end}`)
}

function beyondCredit(bytes: number, limit: number): PipeError {
  return new PipeError('ERR_PIPE_LIMIT', `bytes up to ${bytes}, credit up to ${limit}`)
}

function protocol(sentence: string): PipeError {
  return new PipeError('ERR_PIPE_PROTOCOL', sentence)
}
