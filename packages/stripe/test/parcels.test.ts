// How large parcels are, by what all lanes can do.

import { expect, test } from 'vitest'
import { Lane, type Parcel } from '../src/pure/lane.ts'
import { ParcelSizes } from '../src/pure/parcels.ts'
import { PARCEL } from '../src/pure/wire.ts'

const KIB = 1024
const WINDOW = 16 * KIB * KIB

/** A lane that takes so many bytes a ms, as was measured with enough to send. */
function laneOf(number: number, rate: number): Lane {
  const lane = new Lane(number, `lane ${number}`, 0)
  for (let now = 0; !lane.known; now += 10) {
    const parcel: Parcel = {
      ...{ number: 0, type: PARCEL, pieces: [], bytes: rate * 10, loan: undefined },
      ...{ lanes: [], dueAt: Infinity, arrived: false, waiting: false },
    }
    lane.send(parcel, false, now)
    lane.ack(lane.sent, 0, now + 10, () => undefined)
  }
  return lane
}

function preferred(lanes: ReadonlyMap<number, Lane>): number {
  const sizes = new ParcelSizes(lanes)
  sizes.windowBytes = WINDOW
  return sizes.preferredBytes
}

const KBYTES = 1000 // bytes a ms: 8 Mbit/s
test.each([
  ['alike and slow', [12, 12, 12, 12], 64],
  ['alike and fast', [300, 300, 300, 300], 511],
  ['fast, and one that had little to do of late', [300, 300, 300, 30], 511],
  ['fast, and one that takes 20 ms for less', [150, 150, 150, 8], 156],
  ['two fast ones, and one much slower', [100, 100, 6], 117],
  ['fast, and one that is not worth using', [300, 300, 2], 511],
])('lanes that are %s: %j MB/s have parcels of some %i KiB', (_, rates, most) => {
  const lanes = new Map(rates.map((rate, number) => [number, laneOf(number, rate * KBYTES)]))
  const bytes = preferred(lanes)
  const slowestWorth = Math.min(...rates.filter(rate => rate >= Math.max(...rates) / 20))
  expect(bytes).toBeLessThanOrEqual(20 * slowestWorth * KBYTES)
  expect(Math.abs(bytes / (most * KIB) - 1)).toBeLessThan(0.25)
})

test.each([
  ['fast ones', 100, 64],
  ['slow ones', 10, 16],
])('a lane that nothing is known of beside %s of %i MB/s has parcels of %i KiB', (_, rate, kib) => {
  const lanes = new Map([0, 1, 2].map(number => [number, laneOf(number, rate * KBYTES)]))
  lanes.set(3, new Lane(3, 'lane 3', 0))
  expect(preferred(lanes)).toBe(kib * KIB)
})
