// A leg: one direction of a bridge.
//
//   source ── 'data' ──▶ sink.write()      `false` pauses the source until the sink's 'drain'
//   source ── 'end' ───▶ sink.end()
//
// Where the source lends its memory and the sink gives it back, chunks go from one to the other as
// loans, past 'data'. A leg keeps nothing of what passes: a chunk is either still in its source or
// already in its sink. So there is nothing to flush and nothing to lose, and what one leg waits for
// is no matter to the other.

import { isLender, isLoanTaker, NO_BYTES, sizeOf } from '@striper/core'
import type { Borrower, Loan, LoanTaker, Message } from '@striper/core'
import type { Duplex } from 'node:stream'

/** What one leg has done so far: plain counters that only rise, for a display to read as often as
 *  it likes, while the bridge lives and after. `{ ...bridge.left }` is a snapshot. */
export interface LegStats {
  /** Payload bytes given to the sink. */
  readonly bytes: number
  /** Messages or parcels given to the sink; 0 between byte pipes. */
  readonly messages: number
  /** How often the sink was full and the source had to wait. */
  readonly congestions: number
  /** How long the source has waited in all, in ms, a wait that is going on now included. */
  readonly congestedMs: number
}

export class Leg implements Borrower {
  readonly source: Duplex
  readonly #sink: Duplex
  readonly #unitsAreMessages: boolean
  #stats: LegStats | undefined // not before anybody asks: most conversations nobody looks at
  #bytes = NO_BYTES
  #messages = 0
  #congestions = 0
  #waitingSince = -1 // -1: the source is not waiting
  #waitedMs = 0
  #drained: (() => void) | undefined // once the sink has been full
  #ended = false
  /** Whether its source has closed. */
  closed = false

  constructor(source: Duplex, sink: Duplex) {
    this.source = source
    this.#sink = sink
    this.#unitsAreMessages = source.readableObjectMode
  }

  get stats(): LegStats {
    this.#stats ??= Object.defineProperties({} as LegStats, {
      bytes: { enumerable: true, get: () => this.#bytes },
      messages: { enumerable: true, get: () => this.#messages },
      congestions: { enumerable: true, get: () => this.#congestions },
      congestedMs: { enumerable: true, get: () => this.#congestedMs },
    })
    return this.#stats
  }

  get #congestedMs(): number {
    const waiting = this.#waitingSince < 0 ? 0 : performance.now() - this.#waitingSince
    return this.#waitedMs + waiting
  }

  /** Whether the source has ended, and the sink has been told. */
  get ended(): boolean {
    return this.#ended
  }

  /** Rises whenever the source gives something and whenever the sink lets go of something: a full
   *  sink that drains slowly is at work, though nothing can be read meanwhile. */
  get progress(): number {
    const given = this.#unitsAreMessages ? this.#messages : this.#bytes
    return 2 * given - this.#sink.writableLength
  }

  /** From now on what the source has comes by `pass()` or `borrow()`, and then by `end()`. */
  start(): void {
    const { source } = this
    if (isLender(source) && isLoanTaker(this.#sink)) source.lendTo(this)
    source.resume() // whoever had it before may have paused it
  }

  stop(): void {
    if (isLender(this.source)) this.source.lendTo(undefined)
    this.#stopWaiting()
  }

  /** Gives the sink a chunk of the source. */
  pass(chunk: Buffer): void {
    this.#count(chunk, this.#sink.write(chunk))
  }

  /** For a source that lends. */
  borrow(chunk: Message, loan: Loan | undefined): void {
    this.#count(chunk, (this.#sink as Duplex & LoanTaker).writeLent(chunk, loan))
  }

  /** The source has ended. */
  end(): void {
    this.#ended = true
    this.#sink.end()
  }

  #count(chunk: Message, more: boolean): void {
    this.#bytes += sizeOf(chunk)
    if (this.#unitsAreMessages) this.#messages++
    if (!more) this.#wait()
  }

  #wait(): void {
    this.source.pause()
    this.#congestions++
    this.#waitingSince = performance.now()
    // Not before: a listener is memory, and most conversations are idle.
    this.#drained ??= () => {
      if (this.#stopWaiting()) this.source.resume()
    }
    this.#sink.on('drain', this.#drained)
  }

  #stopWaiting(): boolean {
    if (this.#waitingSince < 0) return false
    this.#sink.off('drain', this.#drained!)
    this.#waitedMs = this.#congestedMs
    this.#waitingSince = -1
    return true
  }
}
