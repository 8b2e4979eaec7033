// How large parcels should be: what suits the slowest lane that is worth using, and lets some be
// under way in the window.

import type { Lane } from './lane.ts'
import { INITIAL_CREDIT } from './wire.ts'

/** A lane with less than this share of the fastest one's rate does not make parcels small. */
const WORTH_USING = 1 / 20
/** The size before any lane is known, in bytes. */
const FIRST_PARCEL_BYTES = 16 * 1024
/** Of the window, so that this many parcels may be under way in it. */
const AT_ONCE = 4

/** The size of parcels, in bytes; `windowBytes` is the smaller of both ends' windows. */
export function parcelBytesOf(lanes: ReadonlyMap<number, Lane>, windowBytes: number): number {
  let fastest = 0
  let sum = 0
  for (const { rate = 0 } of lanes.values()) {
    fastest = Math.max(fastest, rate)
    sum += rate
  }
  let bytes = Infinity
  for (const { meter, lean } of lanes.values()) {
    // One whose limit is not known would stay slow for want of parcels that it can take.
    const worth = !meter.known || (meter.rate ?? 0) >= fastest * WORTH_USING
    // By what lanes can do on average: one of several fast ones seems slow whenever it had little.
    if (worth) bytes = Math.min(bytes, meter.parcelBytes(lean, sum / lanes.size))
  }
  if (!Number.isFinite(bytes)) return FIRST_PARCEL_BYTES
  return Math.min(bytes, Math.max(windowBytes, INITIAL_CREDIT) / AT_ONCE)
}
