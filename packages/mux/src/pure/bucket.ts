// Bucket: a token bucket. It holds so many at most, and fills at a steady rate.
//
// Pure: time is passed in, in ms.

export class Bucket {
  readonly #size: number
  readonly #perSecond: number
  #tokens: number
  #at: number | undefined

  constructor(size: number, perSecond: number) {
    this.#size = size
    this.#perSecond = perSecond
    this.#tokens = size
  }

  /** Takes a token, where there is one. */
  take(now: number): void {
    this.#fill(now)
    this.#tokens = Math.max(0, this.#tokens - 1)
  }

  /** Whether there is not a whole token in it. */
  empty(now: number): boolean {
    this.#fill(now)
    return this.#tokens < 1
  }

  #fill(now: number): void {
    const passed = Math.max(0, now - (this.#at ?? now))
    this.#tokens = Math.min(this.#size, this.#tokens + (passed / 1000) * this.#perSecond)
    this.#at = now
  }
}
