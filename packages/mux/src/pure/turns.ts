// Turns: which channel sends next.
//
//   quick   o ──▶ o ──▶ ┐
//                       ├─▶ one parcel each, in turn; quick ones first, but after four of them
//   bulk    o ──▶ o ──▶ ┘   one of the others, where any waits
//
// A channel is quick because it was opened as interactive, or because it sends little: at most
// 16 KiB at once, and in the long run 4 KiB for each round of the bulk ones. A terminal does, or a
// request, and a transfer cannot. One that was opened as bulk is never quick. And nobody is
// starved: of five turns the bulk channels have one, and all that the quick ones leave.
//
// It is deficit round robin (Shreedhar and Varghese, SIGCOMM 1995) where no deficit is ever left,
// for a parcel is cut to the size of the turn. That those who send little go first is from DRR++
// (MacGregor and Shi, ICC 2000), which RFC 8290 made known.
//
// Pure, and O(1) in the number of channels.

import { Queue } from './queue.ts'
import type { Priority } from './wire.ts'

/** What a channel may send for each round of the bulk ones, and stay quick: in bytes. */
export const QUICK_BYTES = 4 * 1024
/** How far above that it may be in one go. */
export const QUICK_BURST_BYTES = 16 * 1024
/** A channel that has sent more than it may owes no more than this: it is quick again when it has
 *  rested for 16 rounds. */
const MAX_SPENT_BYTES = QUICK_BURST_BYTES + 12 * QUICK_BYTES
/** Turns of quick channels in a row, while a bulk one waits. */
export const QUICK_TURNS = 4

/** What a channel is to those who take turns. The figures are for `Turns` alone. */
export interface Turn {
  readonly priority: Priority | undefined
  /** Bytes that it has to send. */
  readonly queued: number
  /** Bytes that it has sent of late. */
  spent: number
  /** The round in which `spent` was right. */
  round: number
}

export class Turns<T extends Turn> {
  readonly #quick = new Queue<T>()
  readonly #bulk = new Queue<T>()
  #round = 0
  #left = 0 // turns of the bulk channels in this round
  #quickInARow = 0

  /** A channel has something to send. One that waits already keeps its place. */
  add(item: T): void {
    if (this.#quick.has(item) || this.#bulk.has(item)) return
    if (this.isQuick(item)) this.#quick.add(item)
    else this.#bulk.add(item)
  }

  delete(item: T): void {
    this.#quick.delete(item)
    this.#bulk.delete(item)
  }

  /** The quick channel whose turn is next, not taken. */
  get firstQuick(): T | undefined {
    return this.#quick.first
  }

  /** Takes the channel whose turn it is; `sent` has to follow, and `add` if it has more. */
  next(): T | undefined {
    const quick = this.#quick.first
    if (quick && (this.#bulk.size === 0 || this.#quickInARow < QUICK_TURNS)) return this.take(quick)
    const item = this.#bulk.first
    if (item === undefined) return undefined
    this.#quickInARow = 0
    if (this.#left === 0) {
      this.#round++
      this.#left = this.#bulk.size
    }
    this.#left--
    this.#bulk.delete(item)
    return item
  }

  /** Takes a quick channel. */
  take(quick: T): T {
    this.#quickInARow++
    if (this.#bulk.size === 0) this.#round++ // nobody else waits: a round takes no time
    this.#quick.delete(quick)
    return quick
  }

  /** A channel has sent so many bytes. */
  sent(item: T, bytes: number): void {
    this.#settle(item)
    item.spent = Math.min(item.spent + bytes, MAX_SPENT_BYTES)
  }

  /** Whether a channel goes first. */
  isQuick(item: T): boolean {
    if (item.priority !== undefined) return item.priority === 'interactive'
    this.#settle(item)
    return item.spent + item.queued <= QUICK_BURST_BYTES
  }

  #settle(item: T): void {
    item.spent = Math.max(0, item.spent - (this.#round - item.round) * QUICK_BYTES)
    item.round = this.#round
  }
}
