// A stock of chunks that are used again and again. The one given back last goes first: it is still
// in the processor's cache.

import type { Loan } from './loan.ts'

/** Chunks of one size. What is taken and never given back is simply no longer of the stock. */
export class ChunkStock {
  readonly chunkBytes: number
  /** How many wait at most; what is given back beyond that is garbage. */
  keepAtMost: number
  #lent = 0
  readonly #free: Buffer[] = []

  constructor(chunkBytes: number, keepAtMost: number) {
    this.chunkBytes = chunkBytes
    this.keepAtMost = keepAtMost
  }

  /** How many have been taken, and neither released nor kept. */
  get lent(): number {
    return this.#lent
  }

  /** How many wait to be used again. */
  get free(): number {
    return this.#free.length
  }

  take(): ChunkLoan {
    this.#lent++
    // Not of Buffer's pool: the whole of it is ours.
    return new ChunkLoan(this.#free.pop() ?? Buffer.allocUnsafeSlow(this.chunkBytes), this.#back)
  }

  readonly #back = (memory: Buffer | undefined): void => {
    this.#lent--
    if (memory && this.#free.length < this.keepAtMost) this.#free.push(memory)
  }
}

/** A chunk that was taken, until it is given back. */
export class ChunkLoan implements Loan {
  readonly memory: Buffer
  readonly #back: (memory: Buffer | undefined) => void
  #over = false

  constructor(memory: Buffer, back: (memory: Buffer | undefined) => void) {
    this.memory = memory
    this.#back = back
  }

  release(): void {
    this.#settle(this.memory)
  }

  keep(): void {
    this.#settle(undefined)
  }

  #settle(memory: Buffer | undefined): void {
    if (this.#over) return // or it would be lent twice
    this.#over = true
    this.#back(memory)
  }
}

const KEEP_AT_MOST = 64

/** What is read into, in this thread. */
export const chunks = new ChunkStock(256 * 1024, KEEP_AT_MOST)
/** What is read into of whoever has always as much as one read brings. */
export const largeChunks = new ChunkStock(512 * 1024, KEEP_AT_MOST)
