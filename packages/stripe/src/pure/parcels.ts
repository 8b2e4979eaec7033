// How large parcels should be: what suits the slowest lane that is worth using, and lets some be
// under way in the window.

import type { Lane } from './lane.ts'
import { FAST_PARCEL_MS, MOST_SLOW_PARCEL_BYTES } from './meter.ts'
import { INITIAL_CREDIT } from './wire.ts'

/** A lane with less than this share of the fastest one's rate does not make parcels small. */
const WORTH_USING = 1 / 20
/** The size before any lane is known, in bytes. */
const FIRST_PARCEL_BYTES = 16 * 1024
/** Of the window, so that this many parcels may be under way in it. */
const AT_ONCE = 4

/** Beside the bytes of a parcel, the headers of what stands on the stripe should fit. */
export const HEADERS_BYTES = 64

/** How large the parcels of a stripe should be. */
export class ParcelSizes {
  readonly #lanes: ReadonlyMap<number, Lane>
  /** The smaller of both ends' windows, as far as is known. */
  windowBytes = INITIAL_CREDIT

  constructor(lanes: ReadonlyMap<number, Lane>) {
    this.#lanes = lanes
  }

  /** What suits the lanes, and the window, in bytes. */
  get preferredBytes(): number {
    let fastest = 0
    let sum = 0
    for (const { rate = 0 } of this.#lanes.values()) {
      fastest = Math.max(fastest, rate)
      sum += rate
    }
    // By what lanes can do on average: one of several fast ones seems slow whenever it had little.
    const typical = sum / this.#lanes.size
    let bytes = Infinity
    for (const { meter, lean } of this.#lanes.values()) {
      if (meter.known && (meter.rate ?? 0) < fastest * WORTH_USING) continue
      const suits = meter.parcelBytes(lean, typical)
      bytes = Math.min(bytes, meter.known ? suits : Math.max(suits, untriedBytes(typical)))
    }
    if (!Number.isFinite(bytes)) return FIRST_PARCEL_BYTES
    return Math.min(bytes, Math.max(this.windowBytes, INITIAL_CREDIT) / AT_ONCE)
  }
}

/** What a lane gets at least whose limit is not known. Small parcels are for one that may be slow:
 *  it would stay so for want of what it can take. Among fast ones they are dear for all, and keep
 *  it from showing what it can do. */
function untriedBytes(typical: number): number {
  return typical * FAST_PARCEL_MS > MOST_SLOW_PARCEL_BYTES ? MOST_SLOW_PARCEL_BYTES : 0
}
