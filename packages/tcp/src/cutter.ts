// Cutter: chunks for reads of which nobody knows how much they bring.
//
//   chunk │ read │ read, by another socket │ room for the next │
//           loan   loan                       it goes back when all loans are over
//
// With a chunk for each read, what comes in small pieces would hold many times its size in memory
// until its reader has taken it, and the processor's cache would never see a chunk again.

import { type ChunkLoan, type ChunkStock, type Loan, Share } from '@striper/core'

export class Cutter {
  readonly #stock: ChunkStock
  readonly #leastBytes: number
  #last: OpenChunk | undefined

  /** A chunk with room for less than `leastBytes` gets no further read. */
  constructor(stock: ChunkStock, leastBytes: number) {
    this.#stock = stock
    this.#leastBytes = leastBytes
  }

  /** A chunk for one read, which is to be followed by `cut()` or `leave()` before the next. */
  open(): OpenChunk {
    const last = this.#last
    if (last && !last.over && last.room >= this.#leastBytes) return last
    return (this.#last = new OpenChunk(this.#stock.take()))
  }
}

/** A chunk that is being filled. */
export class OpenChunk {
  readonly memory: Buffer
  /** How many of its bytes are lent, or were: the next read goes behind them. */
  filled = 0
  /** It has gone back: nobody has any of it. */
  over = false
  readonly #loan: ChunkLoan
  #parts = 0 // that are lent
  #kept = false

  constructor(loan: ChunkLoan) {
    this.memory = loan.memory
    this.#loan = loan
  }

  /** Bytes that the next read may bring. */
  get room(): number {
    return this.memory.length - this.filled
  }

  /** The bytes that a read has brought, and their loan. */
  cut(bytes: number): { chunk: Buffer; loan: Loan } {
    const end = this.filled + bytes
    const chunk = this.memory.subarray(this.filled, end)
    this.filled = end
    this.#parts++
    return { chunk, loan: new Share(this.#settle) }
  }

  /** The read has brought nothing that stays here. */
  leave(): void {
    if (this.#parts === 0) this.#end()
  }

  /** One loan is over. */
  readonly #settle = (kept: boolean): void => {
    this.#kept ||= kept
    if (--this.#parts === 0) this.#end()
  }

  #end(): void {
    this.over = true
    if (this.#kept) this.#loan.keep()
    else this.#loan.release()
  }
}
