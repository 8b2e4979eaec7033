// Watch: tells when nothing has moved for a while, at the cost of one timer that is not touched per
// chunk.
//
// It looks at a rising number four times in the time allowed, so silence is found out when it has
// lasted that long, and at most a quarter longer.

const LOOKS = 4

/** The longest time that a timer can count, in ms: 24.8 days. */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1

export class Watch {
  readonly #progress: () => number
  readonly #onSilence: () => void
  #timer: ReturnType<typeof setInterval> | undefined
  #seen = 0
  #quietLooks = 0

  constructor(progress: () => number, onSilence: () => void) {
    this.#progress = progress
    this.#onSilence = onSilence
  }

  /** Begins anew: so many ms without progress from now on, and `onSilence` is called once. */
  start(limitMs: number): void {
    this.stop()
    this.#seen = this.#progress()
    this.#quietLooks = 0
    this.#timer = setInterval(this.#look, limitMs / LOOKS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  readonly #look = (): void => {
    const progress = this.#progress()
    if (progress !== this.#seen) {
      this.#seen = progress
      this.#quietLooks = 0
    } else if (++this.#quietLooks === LOOKS) {
      this.stop()
      this.#onSilence()
    }
  }
}
