// When to dial again: Backoff is for one lane, DialRate for all lanes of a process together.
//
//   failed ── 250 ms ── failed ── 500 ms ── failed ── 1 s ── … ── 30 s ── failed ── 30 s
//      each second that a lane lived, once it was heard, takes one doubling back
//
// Pauses are cut short by chance, so that a thousand clients do not come back in step (Brooker,
// "Exponential Backoff And Jitter", 2015: full jitter). One word from the far end does not make the
// next pause short: a server that takes each lane, answers and drops it would get a storm of them.
// Pure: time is passed in, in ms, and chance as a number from 0 to 1.

/** Life that takes one doubling back, in ms. From the longest pause, 30 s, to the first, 250 ms, it
 *  is seven of them. */
const HALVING_MS = 1000

/** The pauses of one lane. */
export class Backoff {
  /** The first pause, at most, in ms. */
  readonly firstMs: number
  readonly #longestMs: number
  #doublings = 0

  constructor(firstMs: number, longestMs: number) {
    this.firstMs = firstMs
    this.#longestMs = longestMs
  }

  /** A lane was lost that lived for so long, in ms; 0 where it never was heard. How long to wait
   *  before the next dial, in ms. */
  lost(livedMs: number, chance: number): number {
    this.#doublings = Math.max(0, this.#doublings - livedMs / HALVING_MS)
    const mostMs = Math.min(this.firstMs * 2 ** this.#doublings, this.#longestMs)
    if (mostMs < this.#longestMs) this.#doublings++
    return mostMs * chance
  }
}

/** How fast lanes are dialled again in all: so many at once, then so many a second (a token bucket,
 *  which may owe). Each that asks is told when its turn is, and has it. */
export class DialRate {
  readonly #perMs: number
  readonly #burst: number
  #turns: number // that are free; below 0, as many are waited for
  #at = 0

  constructor(perSecond: number, burst: number) {
    this.#perMs = perSecond / 1000
    this.#burst = burst
    this.#turns = burst
  }

  /** How long to wait for a turn from now on, in ms. */
  take(now: number): number {
    const freed = Math.max(0, now - this.#at) * this.#perMs
    this.#turns = Math.min(this.#burst, this.#turns + freed) - 1
    this.#at = now
    return Math.max(0, -this.#turns / this.#perMs)
  }
}
