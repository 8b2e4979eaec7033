// Schedules: which lane gets the next parcel. Each is a pure function over a read-only view of the
// lanes.

import { FAR_LOOPS, FAR_MS } from './meter.ts'

/** What a schedule sees of a lane. */
export interface LaneView {
  readonly number: number
  readonly label: string
  /** Whether it may take a parcel now. One that may not is shown because it may be worth waiting
   *  for. */
  readonly open: boolean
  /** Bytes a ms; undefined while nothing is known. */
  readonly rate: number | undefined
  /** Whether that is the lane's limit; if not, it may be much faster. */
  readonly known: boolean
  /** The least round trip of late, in ms; undefined while nothing is known. */
  readonly rtt: number | undefined
  /** Bytes that were given to it and are not acknowledged. */
  readonly inFlight: number
  /** How much it is preferred, beside a lane of weight 1. */
  readonly weight: number
  /** When it last had its turn: the larger, the later; 0 for never. */
  readonly lastTurn: number
}

/** What is to be scheduled. */
export interface Need {
  /** The size of the parcel. */
  readonly bytes: number
  /** Whether the writer is held back, so that there is always more to send. */
  readonly endless: boolean
  /** How much later than by the best lane a parcel may arrive and not fill the reader's window, in
   *  ms. */
  readonly lagMs: number
}

/**
 * Picks one of the lanes that are open, of which there is at least one; or undefined, to wait. It
 * is asked again when anything changes. It may wait only for a lane that has bytes under way, or it
 * would wait for ever.
 */
export type Schedule = (lanes: readonly LaneView[], need: Need) => LaneView | undefined

/** Each lane in turn: the open one whose turn is longest ago. */
export const roundRobin: Schedule = lanes => least(lanes, lane => lane.lastTurn, isOpen)

/** The same lane as long as it has room: the open one that had its turn last. */
export const untilCongested: Schedule = lanes => least(lanes, lane => -lane.lastTurn, isOpen)

/** What a lane with a tenth of all the lanes' rate may delay, in ms; one with less, less. */
const SMOOTH_MS = 150
const FULL_SHARE = 10
/** What a lane may delay whose limit is not known. */
const UNKNOWN_MS = 250

/**
 * The lane that would deliver the parcel first. Where that one is full and there is little to send,
 * waiting for it beats a slower lane (ECF: Lim et al., CoNEXT 2017). Where there is always more,
 * every lane that is open helps, unless the parcel would come so late by it that the window fills
 * meanwhile, or that what comes in order comes in jerks.
 */
export const soonest: Schedule = (lanes, { bytes, endless, lagMs }) => {
  // A loop and no helpers: it is asked for every parcel.
  let first: LaneView | undefined
  let next: LaneView | undefined // of those that are open
  let firstMs = Infinity
  let nextMs = Infinity
  for (const lane of lanes) {
    const { open } = lane
    if (!open && lane.rate === undefined) continue
    const ms = deliveryMs(lane, bytes) / lane.weight
    if (ms < firstMs) {
      first = lane
      firstMs = ms
    }
    if (open && ms < nextMs) {
      next = lane
      nextMs = ms
    }
  }
  if (first === next) return first
  if (!endless || next === undefined) return undefined
  const late = nextMs - firstMs
  return late <= Math.min(lagMs, bearableMs(next, lanes)) ? next : undefined
}

/** How much later than by the best lane a parcel may come by this one, so that what comes in order
 *  stays smooth: a lane that adds little may delay little. One that is far away is borne with
 *  longer, or it could never be full. */
function bearableMs(lane: LaneView, lanes: readonly LaneView[]): number {
  const { rate = 0, rtt = 0 } = lane
  // It may well be faster than it looks.
  if (!lane.known) return rtt >= FAR_MS ? FAR_LOOPS * rtt : UNKNOWN_MS
  return Math.max(SMOOTH_MS * Math.min(1, (FULL_SHARE * rate) / ratesOf(lanes)), 1.5 * rtt)
}

/** What lanes deliver together, as far as it is known, in bytes a ms. */
export function ratesOf(lanes: Iterable<Pick<LaneView, 'rate'>>): number {
  let rates = 0
  for (const lane of lanes) rates += lane.rate ?? 0
  return rates
}

/** When a lane would deliver a parcel of `bytes`, in ms from now: after what is under way on it. Of
 *  an unknown lane the best is believed, for there is no other way to learn of it. */
export function deliveryMs({ inFlight, rate, rtt }: LaneView, bytes: number): number {
  if (rate === undefined || rtt === undefined) return inFlight / 1e6
  return (inFlight + bytes) / rate + rtt / 2
}

function isOpen(lane: LaneView): boolean {
  return lane.open
}

function least(
  lanes: readonly LaneView[],
  measure: (lane: LaneView) => number,
  counts: (lane: LaneView) => boolean,
): LaneView | undefined {
  let best: LaneView | undefined
  let bestValue = Infinity
  for (const lane of lanes) {
    if (!counts(lane)) continue
    const value = measure(lane)
    if (value >= bestValue) continue
    best = lane
    bestValue = value
  }
  return best
}
