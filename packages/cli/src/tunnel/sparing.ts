// Sparing: says the same kind of thing only so often, and then how often it was not said. What a
// stranger can cause without end must not fill a disk.

/** So many at once, */
const AT_ONCE = 5
/** and one more after each of these, in ms. */
const EACH_MS = 10_000

/** Decides what is said. Time is passed in, in ms. */
export class Sparing {
  #left = AT_ONCE
  #since: number
  #unsaid = 0

  constructor(now: number) {
    this.#since = now
  }

  /** What to put behind the sentence: '' or `; 12 more like it before`. Undefined: say nothing. */
  take(now: number): string | undefined {
    const more = Math.floor((now - this.#since) / EACH_MS)
    this.#left = Math.min(this.#left + more, AT_ONCE)
    this.#since += more * EACH_MS
    if (this.#left === 0) {
      this.#unsaid++
      return undefined
    }
    this.#left--
    const unsaid = this.#unsaid
    this.#unsaid = 0
    return unsaid === 0 ? '' : `; ${unsaid} more like it before`
  }
}
