// Which lanes stall, from how long they stood still.

import { expect, test } from 'vitest'
import { Meter, type Stamp } from '../src/pure/meter.ts'
import { Stalls } from '../src/pure/stalls.ts'

const LOOP_MS = 100

/** A lane known from 0 on, that stands still for `ms` at each of `times`. */
function lane(times: readonly number[], ms = LOOP_MS): Stalls {
  const stalls = new Stalls()
  stalls.begin(0)
  for (const at of times) stalls.note(ms, at - ms, LOOP_MS, at)
  return stalls
}

test('three stalls within two seconds of each other make a lane one that stalls', () => {
  expect(lane([1000, 2000]).lasting(2000)).toBe(0)
  expect(lane([1000, 3000, 5001]).lasting(5001), 'too far apart').toBe(0)
  expect(lane([1000, 3000, 5000]).lasting(5000)).toBe(2 * LOOP_MS)
})

test('it is for three seconds, and for as long again each time that it was needed again at once', () => {
  const stalls = lane([1000, 2000, 3000])
  expect([stalls.lasting(5999), stalls.lasting(6000)]).toEqual([2 * LOOP_MS, 0])
  for (const at of [6300, 6600, 6900]) stalls.note(LOOP_MS, at - LOOP_MS, LOOP_MS, at)
  expect([stalls.lasting(12_899), stalls.lasting(12_900)]).toEqual([2 * LOOP_MS, 0])
})

const notStalls: [string, Stalls][] = [
  ['shorter than a repair takes', lane([1000, 1500, 2000, 2500], 0.8 * LOOP_MS)],
  ['of what was sent before the lane was known', lane([150, 160, 170, 180])],
]
for (const [name, stalls] of notStalls) {
  test(`stalls ${name} do not count`, () => {
    expect(stalls.lasting(2500)).toBe(0)
  })
}

test('stalls of what was sent while the lane had more do not count: they may come of that', () => {
  const stalls = lane([1000, 2000, 3000])
  for (const at of [4000, 5000, 6050]) stalls.note(LOOP_MS, at - LOOP_MS, LOOP_MS, at)
  expect(stalls.lasting(6050)).toBe(0)
})

test('a lane that nobody knows has no more than any other', () => {
  const stalls = new Stalls()
  for (const at of [1000, 2000, 3000]) stalls.note(LOOP_MS, at - LOOP_MS, LOOP_MS, at)
  expect(stalls.lasting(3000)).toBe(0)
})

/** A lane with a round trip of 100 ms that gets 1000 bytes each 10 ms, and stands still for 100 ms
 *  each second from the third on, alone or with all others. How much time of it may be under way,
 *  in ms. */
function roomMs(stallsWithAll: boolean): number {
  const meter = new Meter(0, 0)
  meter.roundTrip(LOOP_MS, 0)
  const stamps: Stamp[] = []
  const ack = (count: number, now: number) => {
    const acked = stamps.splice(0, count)
    meter.acked(1000 * count, acked[0]!.sentAt, acked.at(-1)!, 0, now)
  }
  for (let now = 0; now < 6000; now += 10) {
    const still = now > 2000 ? now % 1000 : 0
    if (stamps.length >= 10 && still <= 500) ack(1, now)
    if (still === 600) {
      if (stallsWithAll) meter.paused(100)
      ack(10, now)
    }
    if (still > 600) ack(1, now)
    stamps.push(meter.sent(1000 * stamps.length, now))
  }
  expect(meter.known).toBe(true)
  return meter.room(false, 40) / meter.rate!
}

test('a lane that stalls gets two round trips more, but not where all lanes stood still', () => {
  expect(roomMs(true)).toBeCloseTo(140)
  expect(roomMs(false)).toBeGreaterThan(280)
})
