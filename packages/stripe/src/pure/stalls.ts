// Stalls: whether a lane stands still and goes on, again and again, as TCP does while it repairs
// what was lost: what came after the loss is there, but nobody may see it for a round trip.
//
// A lane that does so wants more under way, or it is empty by the time that it goes on. One whose
// queue was too short for what we gave it looks the same, and wants less. So what counts are stalls
// of what was sent while the lane had no more than any other; and where more is given, it is for a
// while only, and then it is seen again.
//
// Pure: time is passed in, in ms.

/** So many stalls, each within so long of the one before, and the lane is one that stalls. One or
 *  two happen to every lane. */
const STALLS = 3
const WITHIN_MS = 2000
/** A repair takes a round trip by the lane alone; what is as good as that. */
const REPAIR = 0.9
/** No lane is empty for want of less; in ms. */
const LEAST_MS = 40
/** How long more is given; twice as long each time that it was needed again at once. In ms. */
const LEAST_HOLD_MS = 3000
const MOST_HOLD_MS = 24_000

export class Stalls {
  #count = 0
  #lastAt = -Infinity
  #ms = 0
  #plainSince = Infinity // from then on the lane has no more than any other, and is watched
  #holdMs = LEAST_HOLD_MS

  /** The lane is known, and to be watched. */
  begin(now: number): void {
    if (this.#plainSince === Infinity) this.#plainSince = now
  }

  /** For how long more than a round trip there has to be something under way, in ms; 0 for a lane
   *  that does not stall. */
  lasting(now: number): number {
    return now < this.#plainSince ? this.#ms : 0
  }

  /** It stood still for `ms`, though what was sent at `sentAt` could have been there before;
   *  `loopMs` is a round trip by this lane alone. */
  note(ms: number, sentAt: number, loopMs: number, now: number): void {
    if (ms < Math.max(REPAIR * loopMs, LEAST_MS) || sentAt < this.#plainSince + loopMs) return
    if (now > this.#lastAt + WITHIN_MS) this.#count = 0
    this.#lastAt = now
    if (++this.#count < STALLS) return
    this.#count = 0
    const again = now < this.#plainSince + this.#holdMs
    this.#holdMs = again ? Math.min(2 * this.#holdMs, MOST_HOLD_MS) : LEAST_HOLD_MS
    this.#ms = loopMs + Math.min(ms, loopMs)
    this.#plainSince = now + this.#holdMs
  }
}
