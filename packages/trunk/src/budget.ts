// LaneBudget: how many bytes may go by some lanes together, whatever becomes of each of them.
//
//   bytes ─┬─ spent by lanes that are gone
//          ├─ spent by lanes that are up
//          └─ left ── in equal shares to the lanes that are up
//
// A stripe lets a lane go when its share is spent. It is then dialled again, and what is left is
// shared anew, until nothing is. So no lane has to be watched, and together they do not spend more
// than there is, but for headers and what is under way.

/** The least that a lane is given, in bytes, so that the last of a budget is not shared for
 *  ever. */
const LEAST_SHARE_BYTES = 64 * 1024

/** A lane that spends. */
export interface Spender {
  /** Bytes of its messages, both ways. */
  readonly spentBytes: number
  /** It may spend so many, those that it has spent counted. */
  allow(bytes: number): void
}

/** Who waits for a budget to be raised. */
export type Poor = () => void

/** A budget for all the lanes that are given it, of one trunk or of several. */
export class LaneBudget {
  readonly #spenders = new Set<Spender>()
  readonly #poor = new Set<Poor>()
  #bytes: number
  #settledBytes = 0

  /** Throws a RangeError where `bytes` is not 0 or more. */
  constructor(bytes = Infinity) {
    this.#bytes = checkedBytes(bytes)
  }

  /** How many bytes there are, in all; Infinity for no limit. May be set at any time: lanes that
   *  are over it are let go, and those that no longer are, dialled. */
  get bytes(): number {
    return this.#bytes
  }

  set bytes(bytes: number) {
    if (checkedBytes(bytes) === this.#bytes) return
    this.#bytes = bytes
    this.#share()
    if (this.leftBytes > 0) for (const poor of [...this.#poor]) poor()
  }

  /** Bytes that went by its lanes, headers counted. */
  get spentBytes(): number {
    let bytes = this.#settledBytes
    for (const spender of this.#spenders) bytes += spender.spentBytes
    return bytes
  }

  /** Bytes that are left, 0 or more. */
  get leftBytes(): number {
    return Math.max(0, this.#bytes - this.spentBytes)
  }

  /** A lane is dialled, and will spend. */
  join(spender: Spender): void {
    this.#spenders.add(spender)
    this.#share()
  }

  /** A lane is gone, and spends no more. */
  leave(spender: Spender): void {
    if (!this.#spenders.delete(spender)) return
    this.#settledBytes += spender.spentBytes
    this.#share()
  }

  /** Calls `poor` when there is something left again, until it is taken back. */
  await(poor: Poor): void {
    this.#poor.add(poor)
  }

  /** Takes an `await` back. */
  forget(poor: Poor): void {
    this.#poor.delete(poor)
  }

  #share(): void {
    const left = this.leftBytes
    const share = Math.max(left / this.#spenders.size, Math.min(left, LEAST_SHARE_BYTES))
    for (const spender of this.#spenders) spender.allow(spender.spentBytes + share)
  }
}

function checkedBytes(bytes: number): number {
  if (bytes >= 0) return bytes
  throw new RangeError(`a budget must be 0 bytes or more, got ${bytes}`)
}
