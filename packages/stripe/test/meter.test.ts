// What a lane is taken for, from acknowledgements alone. The network here is a queue: a rate, a
// distance, and nothing else.

import { expect, test } from 'vitest'
import { Lane, type Parcel } from '../src/pure/lane.ts'
import { PARCEL } from '../src/pure/wire.ts'

/** A lane over a network that carries `rate` bytes a ms and takes `distanceMs` there and back. */
class Road {
  now = 0
  readonly lane = new Lane(0, 'lane', 0)
  #freeAt = 0
  #events: { at: number; happen: () => void }[] = []
  rate: number
  distanceMs: number
  ackDelayMs = 0 // the far end's, which it tells
  pings = 0
  longestQueueMs = 0

  constructor(rate: number, distanceMs: number) {
    this.rate = rate
    this.distanceMs = distanceMs
  }

  /** Sends all that there is room for, for so long. */
  run(ms: number, parcelBytes = 8192): void {
    const until = this.now + ms
    for (;;) {
      while (this.lane.open) this.#send(parcelBytes)
      const [next] = this.#events
      if (next === undefined || next.at > until) return
      this.#events.shift()
      this.now = next.at
      next.happen()
      if (this.lane.wantsPing) this.ping()
    }
  }

  ping(): void {
    const token = ++this.pings
    this.lane.pinged(token, this.now)
    this.#later(this.#through(1), () => this.lane.ponged(token, this.now))
  }

  #send(bytes: number): void {
    const parcel: Parcel = {
      ...{ number: 0, type: PARCEL, pieces: [], bytes },
      ...{ loan: undefined, lanes: [], dueAt: Infinity, arrived: false, waiting: false },
    }
    this.lane.send(parcel, false, this.now)
    const received = this.lane.sent
    this.#later(this.#through(bytes) + this.ackDelayMs, () => {
      this.lane.ack(received, this.ackDelayMs, this.now, () => undefined)
    })
  }

  /** When what is sent now has come there, and the answer back. */
  #through(bytes: number): number {
    this.longestQueueMs = Math.max(this.longestQueueMs, this.#freeAt - this.now)
    this.#freeAt = Math.max(this.now, this.#freeAt) + bytes / this.rate
    return this.#freeAt + this.distanceMs
  }

  #later(at: number, happen: () => void): void {
    this.#events.push({ at, happen })
    this.#events.sort((a, b) => a.at - b.at)
  }
}

test('the rate and the round trip are found, and what is under way keeps the lane full', () => {
  const road = new Road(2500, 20)
  road.ping()
  road.run(3000)
  expect(road.lane.rate).toBeCloseTo(2500, -2)
  expect(road.lane.rtt).toBeCloseTo(20, 0)
  expect(road.lane.known).toBe(true)
  expect(road.lane.inFlight).toBeGreaterThan(2500 * 20)
})

test('regression: the queue that we keep is not taken for distance, however long it stands', () => {
  const road = new Road(2500, 20)
  road.ping()
  road.run(5000)
  const room = road.lane.room
  road.longestQueueMs = 0
  road.run(60_000)
  expect(road.lane.rtt).toBeCloseTo(20, 0)
  expect(road.lane.room).toBeLessThan(1.05 * room)
  expect(road.longestQueueMs).toBeLessThan(60)
  expect(road.pings, 'each ten seconds or so').toBeLessThan(8)
  expect(road.pings).toBeGreaterThan(4)
})

test('a way that has become longer is found to be', () => {
  const road = new Road(2500, 20)
  road.ping()
  road.run(5000)
  road.distanceMs = 80
  road.run(30_000)
  expect(road.lane.rtt).toBeCloseTo(80, 0)
  expect(road.lane.rate).toBeCloseTo(2500, -2)
})

test('to ask for the round trip costs next to nothing', () => {
  const road = new Road(2500, 20)
  road.ping()
  road.run(5000)
  const before = road.lane.bytesOut
  road.run(40_000)
  expect(road.lane.bytesOut - before).toBeGreaterThan(0.995 * 2500 * 40_000)
})

test('a lane is not late while its TCP may be repairing a loss', () => {
  const { meter } = new Lane(0, 'lane', 0)
  for (let at = 0; at < 3000; at += 100) meter.roundTrip(100, at)
  expect(meter.margin).toBe(60)
  // What comes back on a faster lane says nothing of the way back by this one.
  meter.loop(200, 3000, true)
  expect(meter.margin).toBeGreaterThan(200)
})

test('regression: a slow lane that was slower for a while does not stop and wait for ever', () => {
  const road = new Road(150, 14) // 1.2 Mbit/s
  road.ackDelayMs = 20
  road.ping() // 14 ms: a parcel takes 27 more
  road.run(2000, 4096)
  road.rate = 20
  road.run(1000, 4096)
  road.lane.meter.disbelieve(road.now)
  road.rate = 150
  road.run(1000, 4096)
  const { acked } = road.lane
  road.run(4000, 4096)
  expect((road.lane.acked - acked) * 4096).toBeGreaterThan(0.8 * 150 * 4000)
})

test('a lane that is far away has room for slow start to double in, until its limit is known', () => {
  const roomIn = (distanceMs: number) => {
    const road = new Road(4000, distanceMs)
    road.run(2.5 * distanceMs)
    const { rate = 0, rtt = 0, known, room } = road.lane
    return [known, Math.round(room / rate / rtt)]
  }
  expect(roomIn(150)).toEqual([false, 6])
  expect(roomIn(40)).toEqual([false, 2])
})

const KIB = 1024
test.each([
  [0.05 * KIB, 4 * KIB], // bytes a ms, bytes
  [1 * KIB, 20 * KIB],
  [12 * KIB, 64 * KIB], // 100 Mbit/s
  [15 * KIB, 64 * KIB],
  [50 * KIB, 200 * KIB],
  [500 * KIB, 511 * KIB],
])(
  'of a lane of %d bytes a ms parcels have %d: 20 ms of it, or 4 where it is fast',
  (rate, bytes) => {
    const road = new Road(rate, 10)
    road.ping()
    road.run(2000, Math.min(65_536, Math.max(4096, rate * 5)))
    const found = road.lane.meter.parcelBytes(false)
    expect(Math.abs(found / bytes - 1)).toBeLessThan(0.1)
  },
)

test('a near lane whose first PING met a busy machine has no more room for that', () => {
  const quick = new Lane(0, 'quick', 0)
  const late = new Lane(1, 'late', 0)
  for (const [lane, loopMs] of [
    [quick, 4],
    [late, 45],
  ] as const) {
    lane.meter.loop(loopMs, loopMs, false)
    lane.meter.roundTrip(2, loopMs)
    const stamp = lane.meter.sent(0, 100)
    lane.meter.acked(2_000_000, 100, stamp, 0, 102)
    expect(lane.known).toBe(false)
  }
  expect(quick.meter.room(false, 1)).toBeGreaterThan(0)
  expect(late.meter.room(false, 1)).toBe(quick.meter.room(false, 1))
})
