// Alarm: one timer that is set again and again, mostly to a later time than it has; it then just
// looks again when it fires, which costs less than a timer for each message.

export class Alarm {
  readonly #ring: () => void
  #timer: ReturnType<typeof setTimeout> | undefined
  #at = Infinity

  /** Calls `ring` at the time that was set, or before; never in the tick in which it is set. */
  constructor(ring: () => void) {
    this.#ring = ring
  }

  /** Sets it to a time of `performance.now()`; undefined stops it. */
  set(at: number | undefined): void {
    if (at !== undefined && at >= this.#at) return
    clearTimeout(this.#timer)
    this.#at = at ?? Infinity
    if (at === undefined) return
    this.#timer = setTimeout(
      () => {
        this.#at = Infinity
        this.#ring()
      },
      Math.max(at - performance.now(), 0),
    )
  }
}
