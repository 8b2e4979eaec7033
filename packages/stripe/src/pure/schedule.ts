// Schedules: which lane gets the next parcel. Each is a pure function over a read-only view of the lanes.

/** What a schedule sees of a lane that may take a parcel now. */
export interface LaneView {
  readonly number: number
  readonly label: string
  /** Bytes a ms; undefined while nothing is known. */
  readonly rate: number | undefined
  /** The least round trip of late, in ms; undefined while nothing is known. */
  readonly rtt: number | undefined
  /** Bytes that were given to it and are not acknowledged. */
  readonly inFlight: number
  /** When it last had its turn: the larger, the later; 0 for never. */
  readonly lastTurn: number
}

/**
 * Picks one of `lanes`, which all have room, for a parcel of `bytes`; or undefined, to wait until something
 * changes. There is at least one lane. It must not wait where nothing is under way on any lane.
 */
export type Schedule = (lanes: readonly LaneView[], bytes: number) => LaneView | undefined

/** Each lane in turn: the one whose turn is longest ago. */
export const roundRobin: Schedule = lanes => least(lanes, lane => lane.lastTurn)

/** The same lane as long as it has room: of those that have, the one that had its turn last. */
export const untilCongested: Schedule = lanes => least(lanes, lane => -lane.lastTurn)

/** The lane that would deliver it first: (bytes under way + parcel) ÷ rate + half a round trip. A lane of
 *  which nothing is known gets its first parcels at once: there is no other way to learn of it. */
export const soonest: Schedule = (lanes, bytes) =>
  least(lanes, ({ inFlight, rate, rtt }) => {
    if (rate === undefined || rtt === undefined) return inFlight
    return (inFlight + bytes) / rate + rtt / 2
  })

function least(
  lanes: readonly LaneView[],
  measure: (lane: LaneView) => number,
): LaneView | undefined {
  let best: LaneView | undefined
  let bestValue = Infinity
  for (const lane of lanes) {
    const value = measure(lane)
    if (value >= bestValue) continue
    best = lane
    bestValue = value
  }
  return best
}
