// What the owner of a lane may say of it, and redundancy: first by hand, with one StripeCore whose
// clock we turn; then over real pipes.

import { type MessagePipe, ready, whole } from '@striper/core'
import { soonest, stripe, type LaneProperties, type StripePipe } from '@striper/stripe'
import { expect, test } from 'vitest'
import { StripeCore } from '../src/pure/core.ts'
import * as wire from '../src/pure/wire.ts'
import { memoryLanes, openStripes, SMALL, times } from './scene.ts'

const BYTES = 1000
const RTT_MS = 20

/** A core with lanes that are measured, each with its rate in bytes a ms, and a far end that
 *  acknowledges when it is told to. */
class Scene {
  now = 0
  readonly core = new StripeCore(
    { windowBytes: 2 ** 20, schedule: soonest, redundant: false, noLaneTimeoutMs: 60_000 },
    0,
  )
  #ends: number[] = []
  #leaves: number[] = []

  constructor(...rates: number[]) {
    for (const [lane, rate] of rates.entries()) this.up(lane, rate)
    this.run()
  }

  up(lane: number, rate: number): void {
    const { meter } = this.core.laneUp(lane, '', this.now)
    const stamp = meter.sent(0, this.now)
    meter.acked(rate * RTT_MS, this.now, stamp, 0, this.now + RTT_MS)
    this.run()
  }

  lane(number: number) {
    return this.core.lanes.get(number)!
  }

  /** What the core does now: the lanes and numbers of what it sends, as `lane:number`. */
  run(): string[] {
    const sent: string[] = []
    for (let output = this.core.poll(this.now); output; output = this.core.poll(this.now)) {
      if (output.do === 'end') this.#ends.push(output.lane)
      if (output.do !== 'send') continue
      const message = wire.decode(whole(output.message))
      if (message.type === wire.LEAVE) this.#leaves.push(output.lane)
      if (message.type === wire.PARCEL) sent.push(`${output.lane}:${message.number}`)
    }
    return sent
  }

  /** Writes parcels, one after the other; where they went. */
  write(count: number, bytes = BYTES): string[] {
    return times(count, () => {
      this.core.write(Buffer.alloc(bytes))
      return this.run()
    }).flat()
  }

  /** The far end has all that was sent on these lanes. */
  ack(...lanes: number[]): string[] {
    this.now += RTT_MS
    const entries = lanes.map(lane => ({ lane, received: this.lane(lane).sent, delayMs: 0 }))
    const message = wire.encodeAck({ floor: 0, limit: 2 ** 20, lanes: entries })
    this.core.receive(lanes[0]!, message, this.now)
    return this.run()
  }

  /** Parcels come in on a lane. */
  hear(lane: number, first: number, count: number): void {
    for (let number = first; number < first + count; number++) {
      const header = wire.encodeNumbered(wire.PARCEL, number)
      this.core.receive(lane, Buffer.concat([header, Buffer.alloc(BYTES)]), this.now)
    }
    this.run()
  }

  /** The clock, until something was sent that is a parcel. */
  untilSent(): string[] {
    for (let ticks = 0; ticks < 1000; ticks++) {
      this.now = Math.max(this.now, this.core.deadline!)
      this.core.tick(this.now)
      const sent = this.run()
      if (sent.length > 0) return sent
    }
    return []
  }

  /** The lanes that were told to leave, and to end. */
  get gone() {
    return { leaves: this.#leaves, ends: this.#ends }
  }
}

const by = (lane: number, sent: readonly string[]) =>
  sent.filter(each => each.startsWith(`${lane}:`)).length

for (const [weight, share] of [
  [1, 20],
  [0.5, 13], // it is chosen as though it took twice as long
  [0.25, 8],
  [3, 30],
] as const) {
  test(`weight ${weight} beside 1: ${share} of a short backlog of 40 parcels, or one or two off`, () => {
    const scene = new Scene(10, 10)
    scene.lane(1).weight = weight
    const seen = new Set<string>() // the oldest may be copied to the quicker one
    const sent = scene.write(40, 100).filter(each => {
      const [, number] = each.split(':')
      return !seen.has(number!) && seen.add(number!)
    })
    expect(sent).toHaveLength(40)
    expect(Math.abs(by(1, sent) - share), `${by(1, sent)} by it`).toBeLessThanOrEqual(2)
  })
}

test('a weight is no limit: under an endless writer the lane fills all the same', () => {
  const scene = new Scene(1000, 1000)
  scene.lane(1).weight = 0.5
  scene.core.mode.endless = true
  scene.write(200)
  expect(scene.lane(1).inFlight).toBeGreaterThanOrEqual(scene.lane(1).room)
})

test('a weight that changes counts from the next parcel on', () => {
  const scene = new Scene(1000, 1000)
  scene.lane(1).weight = 0.001
  expect(by(1, scene.write(10))).toBe(0)
  scene.lane(1).weight = 1000
  expect(by(1, scene.write(10))).toBe(10)
})

test('a backup is not used while another lane works, however full that is', () => {
  const scene = new Scene(100, 1000)
  scene.lane(1).backup = true
  scene.core.mode.endless = true
  const sent = scene.write(200)
  expect(by(0, sent)).toBe(sent.length)
  expect(scene.core.backlog, 'what has no room waits').toBe(true)
  expect(scene.lane(1).reason).toBe('backup: others work')
})

const losses: [string, (scene: Scene) => void][] = [
  ['is gone', scene => scene.core.laneDown(0, scene.now)],
  ['is asked to leave', scene => scene.core.leave(0)],
  ['is let go by the far end', scene => scene.core.receive(0, wire.encodeLeave(), scene.now)],
]
for (const [name, lose] of losses) {
  test(`a backup takes what is written next when the last other lane ${name}`, () => {
    const scene = new Scene(1000, 10)
    scene.lane(1).backup = true
    expect(scene.write(2)).toEqual(['0:0', '0:1'])
    lose(scene)
    const again = scene.run()
    if (name === 'is gone') expect(again, 'and what was lost with it').toEqual(['1:0', '1:1'])
    expect(scene.write(1)).toEqual(['1:2'])
  })
}

test('a backup takes what is under way on a lane in the event that finds it silent', () => {
  const scene = new Scene(1000, 1000)
  scene.lane(1).backup = true
  scene.write(2)
  expect(scene.untilSent()).toEqual(['1:0', '1:1'])
  expect(scene.lane(0).state).toBe('suspect')
})

test('a backup rests again as soon as another lane is up', () => {
  const scene = new Scene(1000)
  scene.lane(0).backup = true
  expect(scene.write(2)).toEqual(['0:0', '0:1'])
  scene.up(1, 10)
  expect(scene.write(2)).toEqual(['1:2', '1:3'])
})

test('a lane stops at its budget, which the last parcel may cross, and leaves once', () => {
  const scene = new Scene(1000, 10)
  scene.lane(0).budgetBytes = 2500
  const sent = scene.write(6)
  expect(by(0, sent), 'parcels of 1000 bytes').toBe(3)
  scene.ack(0)
  expect(scene.gone).toEqual({ leaves: [0], ends: [0] })
  scene.ack(0, 1)
  scene.ack(0, 1)
  expect(by(0, scene.write(3))).toBe(0)
  expect(scene.gone, 'exactly once').toEqual({ leaves: [0], ends: [0] })
  expect(scene.lane(0).reason).toBe('over budget')
})

test('what comes in counts for the budget as well, and both ways together', () => {
  for (const [out, incoming, spent] of [
    [0, 3, true],
    [0, 2, false],
    [1, 2, true],
    [2, 0, false],
  ] as const) {
    const scene = new Scene(1000)
    scene.lane(0).budgetBytes = 3 * BYTES
    scene.write(out)
    scene.hear(0, 0, incoming)
    expect(scene.lane(0).spent, `${out} out, ${incoming} in`).toBe(spent)
    scene.core.receive(0, wire.encodeToken(wire.PONG, 0), scene.now)
    scene.run()
    expect(scene.gone.leaves).toEqual(spent ? [0] : [])
  }
})

test('a budget of nothing takes nothing, and one that is raised in time goes on', () => {
  const scene = new Scene(1000)
  scene.lane(0).budgetBytes = 0
  expect(scene.write(2)).toEqual([])
  scene.lane(0).budgetBytes = 2 * BYTES
  expect(scene.run()).toEqual(['0:0', '0:1'])
  scene.lane(0).budgetBytes = Infinity
  expect(scene.ack(0)).toEqual([])
  expect(scene.write(1)).toEqual(['0:2'])
  expect(scene.gone.leaves).toEqual([])
  scene.lane(0).budgetBytes = BYTES // below what it has used
  scene.ack(0)
  expect(scene.gone).toEqual({ leaves: [0], ends: [0] })
})

test('redundant: each parcel goes on the two lanes that would deliver it first', () => {
  const scene = new Scene(10, 1000, 100, 2)
  scene.core.mode.redundant = true
  expect(scene.write(2, 10)).toEqual(['1:0', '2:0', '1:1', '2:1'])
})

test('redundant, with one lane: each parcel once', () => {
  const scene = new Scene(1000)
  scene.core.mode.redundant = true
  expect(scene.write(2)).toEqual(['0:0', '0:1'])
})

test('redundancy is switched while it runs, and counts from the next parcel on', () => {
  const scene = new Scene(1000, 100)
  expect(scene.write(1, 10)).toEqual(['0:0'])
  scene.core.mode.redundant = true
  expect(scene.write(1, 10)).toEqual(['0:1', '1:1'])
  scene.core.mode.redundant = false
  expect(scene.write(1, 10)).toEqual(['0:2'])
})

test('the copy of a parcel whose first has arrived is not sent again when its lane is lost', () => {
  const scene = new Scene(1000, 100)
  scene.core.mode.redundant = true
  scene.write(1)
  scene.ack(0)
  expect(scene.core.totals.retainedBytes).toBe(0)
  scene.core.laneDown(1, scene.now)
  expect(scene.run()).toEqual([])
})

// Over real pipes.

/** Writes `count` parcels, each when the one before has arrived; how often each arrived. */
async function oneByOne(near: StripePipe, far: StripePipe, count: number): Promise<number[]> {
  const seen = Array.from({ length: count }, () => 0)
  for (let i = 0; i < count; i++) {
    const parcel = Buffer.alloc(100)
    parcel.writeUInt32BE(i)
    const arrived = new Promise<Buffer>(resolve => far.once('data', resolve))
    near.write(parcel)
    seen[(await arrived).readUInt32BE(0)]!++
  }
  return seen
}

function end(...pipes: StripePipe[]): void {
  for (const pipe of pipes) pipe.on('error', () => undefined).destroy()
}

/** Two stripes with two lanes; the first lane of the dialling one has these properties. */
async function stripes(
  properties: LaneProperties,
): Promise<[StripePipe, StripePipe, MessagePipe[]]> {
  const lanes = memoryLanes(2)
  const near = stripe(SMALL)
  const far = stripe({ ...SMALL, role: 'accept', session: near.session })
  for (const [, lane] of lanes) far.addLane(lane)
  for (const [index, [lane]] of lanes.entries()) near.addLane(lane, index === 0 ? properties : {})
  await Promise.all([near, far].map(ready))
  return [near, far, lanes.map(([lane]) => lane)]
}

const COUNT = 100
const once = times(COUNT, () => 1)
const out = (pipe: StripePipe, lane: number) =>
  pipe.lanes.find(({ number }) => number === lane)?.bytesOut ?? 0

test('over pipes: a lane of little weight gets little of what is written bit by bit', async () => {
  const [near, far] = await stripes({ weight: 1e-6 })
  expect(await oneByOne(near, far, COUNT)).toEqual(once)
  expect(out(near, 0)).toBeLessThan(out(near, 1) / 2)
  end(near, far)
})

test('over pipes: a backup gets nothing until the other lane is gone, and then everything', async () => {
  const [near, far, [, lane]] = await stripes({ backup: true })
  expect(await oneByOne(near, far, COUNT)).toEqual(once)
  expect(out(near, 0)).toBe(0)
  lane!.destroy()
  expect(await oneByOne(near, far, COUNT)).toEqual(once)
  expect(out(near, 0)).toBeGreaterThan(0)
  end(near, far)
})

test('over pipes: a lane whose budget is spent ends, and nothing is lost', async () => {
  const [near, far, [lane]] = await stripes({ budgetBytes: 1000 })
  const closed = new Promise(resolve => lane!.once('close', resolve))
  expect(await oneByOne(near, far, COUNT)).toEqual(once)
  near.setLane(lane!, { budgetBytes: 0 }) // where the other was always quicker
  expect(await oneByOne(near, far, COUNT)).toEqual(once)
  await closed
  expect(lane!.errored, 'it ended, and was not cut').toBeNull()
  expect(near.lanes.map(({ number }) => number)).toEqual([1])
  end(near, far)
})

test('over pipes: redundant parcels arrive once, and their copies are dropped', async () => {
  const [near, far] = await openStripes(memoryLanes(2), { ...SMALL, redundant: true })
  expect(await oneByOne(near, far, COUNT)).toEqual(once)
  expect(near.stripeStats.copiedBytes).toBeGreaterThan(50 * COUNT)
  near.redundant = false
  const copied = near.stripeStats.copiedBytes
  expect(await oneByOne(near, far, COUNT)).toEqual(once)
  expect(near.stripeStats.copiedBytes).toBe(copied)
  expect(far.stripeStats.duplicates).toBeGreaterThan(0)
  end(near, far)
})
