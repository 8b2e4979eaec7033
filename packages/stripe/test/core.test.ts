// The protocol by hand: one StripeCore, a clock that we turn, and a far end that says what we like.

import { type Message, whole } from '@striper/core'
import { soonest } from '@striper/stripe'
import { expect, test } from 'vitest'
import { StripeCore } from '../src/pure/core.ts'
import type { Output } from '../src/pure/output.ts'
import * as wire from '../src/pure/wire.ts'

const WINDOW = 1024 * 1024
const NO_LANE_MS = 60_000
const KiB = 1024

/** What the core has done, with the messages decoded. */
type Done = (Output & { said?: wire.StripeMessage })[]

/** A core with some lanes up, and what it has done since it was asked last. */
class Bench {
  now = 0
  readonly core: StripeCore
  readonly outputs: Done = []

  constructor(lanes: number, windowBytes = WINDOW) {
    const options = { schedule: soonest, redundant: false, noLaneTimeoutMs: NO_LANE_MS }
    this.core = new StripeCore({ windowBytes, ...options }, 0)
    for (let lane = 0; lane < lanes; lane++) this.core.laneUp(lane, `lane ${lane}`, 0)
    this.run()
  }

  /** Does all that can be done now; what it was, with the messages decoded. */
  run() {
    const done: Done = []
    for (let output = this.core.poll(this.now); output; output = this.core.poll(this.now)) {
      if (output.do === 'send') {
        const said = wire.decode(whole([...toPieces(output.message)]))
        done.push({ ...output, said })
      } else {
        if (output.do === 'drop') this.core.laneDown(output.lane, this.now)
        done.push(output)
      }
    }
    this.outputs.push(...done)
    return done
  }

  /** Turns the clock, and ticks whenever it is due on the way. */
  wait(ms: number) {
    const until = this.now + ms
    const done: Done = []
    for (let i = 0; i < 100_000; i++) {
      const { deadline } = this.core
      if (deadline === undefined || deadline > until) break
      this.now = Math.max(this.now, deadline)
      this.core.tick(this.now)
      done.push(...this.run())
    }
    this.now = until
    return done
  }

  hear(lane: number, message: Buffer) {
    this.core.receive(lane, message, this.now)
    return this.run()
  }

  ack(ack: Partial<wire.Ack>, onLane = 0) {
    return this.hear(onLane, wire.encodeAck({ floor: 0, limit: 0, lanes: [], ...ack }))
  }

  write(bytes: number) {
    this.core.write(Buffer.alloc(bytes))
    return this.run()
  }
}

function toPieces(message: Message): readonly Buffer[] {
  return message instanceof Uint8Array ? [message] : message
}

/** `lane:number` of the parcels and ENDs that were sent. */
const numbered = (done: Done) =>
  done.flatMap(each =>
    each.do === 'send' && each.said && 'number' in each.said
      ? [`${each.lane}:${each.said.number}`]
      : [],
  )
const said = (done: Done, type: number) =>
  done.flatMap(each => (each.do === 'send' && each.said?.type === type ? [each] : []))
const kinds = (done: Done) => done.map(each => each.do).filter(what => what !== 'send')
const failure = (done: Done) => {
  const failed = done.find(each => each.do === 'failed')
  return failed?.do === 'failed' ? failed.error : undefined
}
const parcel = (number: number, text = 'parcel') =>
  Buffer.concat([wire.encodeNumbered(wire.PARCEL, number), Buffer.from(text)])

test('what is acknowledged is forgotten, and what is not is kept', () => {
  const bench = new Bench(1)
  expect(numbered(bench.write(100))).toEqual(['0:0'])
  expect(numbered(bench.write(50))).toEqual(['0:1'])
  expect(bench.core.totals.retainedBytes).toBe(150)
  bench.now = 10
  bench.ack({ floor: 1, lanes: [{ lane: 0, received: 1, delayMs: 0 }] })
  expect(bench.core.totals.retainedBytes).toBe(50)
  expect(bench.core.lanes.get(0)!.inFlight).toBe(50)
})

test('a parcel that arrived by a lane is acknowledged by its count, without the floor', () => {
  const bench = new Bench(1)
  bench.write(100)
  bench.ack({ floor: 0, lanes: [{ lane: 0, received: 1, delayMs: 0 }] })
  expect(bench.core.totals.retainedBytes).toBe(0)
})

const lies: [string, Partial<wire.Ack>][] = [
  ['of numbers that were never sent', { floor: 2 }],
  ['of more than a lane carried', { lanes: [{ lane: 0, received: 2, delayMs: 0 }] }],
  ['of 2^53 - 1', { floor: Number.MAX_SAFE_INTEGER }],
]
for (const [name, lie] of lies) {
  test(`an acknowledgement ${name} is a protocol error, and frees nothing`, () => {
    const bench = new Bench(2)
    bench.write(100)
    const done = bench.ack(lie)
    expect(failure(done)).toMatchObject({ code: 'ERR_PIPE_PROTOCOL' })
    const aborts = said(done, wire.ABORT).map(({ lane, said }) => [lane, said])
    const abort: unknown = expect.objectContaining({ code: wire.PROTOCOL })
    expect(aborts, 'the peer is told on every lane').toEqual([
      [0, abort],
      [1, abort],
    ])
    expect(bench.core.totals.retainedBytes).toBe(100)
    expect(bench.core.deadline, 'nothing comes after that').toBeUndefined()
  })
}

test('an acknowledgement for a lane that has gone says nothing', () => {
  const bench = new Bench(2)
  bench.write(100)
  bench.core.laneDown(1, 0)
  expect(failure(bench.ack({ lanes: [{ lane: 1, received: 99, delayMs: 0 }] }))).toBeUndefined()
})

test('what was under way on a lane that is lost goes by another', () => {
  const bench = new Bench(2)
  const lanes = [...numbered(bench.write(1000)), ...numbered(bench.write(1000))]
  expect(lanes.sort(), 'unknown lanes share').toEqual(['0:0', '1:1'])
  bench.core.laneDown(1, 0)
  expect(numbered(bench.run())).toEqual(['0:1'])
  expect(bench.core.totals.copiedBytes).toBe(1000)
})

test('regression: a lane that is passed over for its pace is measured again, with a copy', () => {
  const bench = new Bench(2)
  bench.core.mode.endless = true
  bench.write(1000)
  bench.write(1000)
  const both = (fast: number) => [
    { lane: 0, received: fast, delayMs: 0 },
    { lane: 1, received: 1, delayMs: 0 },
  ]
  bench.now = 10
  bench.ack({ floor: 2, lanes: both(1) })
  // The other lane gets all there is; this one, with nothing under way, a copy after a while.
  bench.core.lanes.get(1)!.meter.disbelieve(bench.now)
  const first = numbered(Array.from({ length: 60 }, () => bench.write(1000)).flat())
  expect(first.every(each => each.startsWith('0:'))).toBe(true)
  bench.now += 2001
  expect(numbered(bench.run()).filter(each => each.startsWith('1:'))).toHaveLength(1)
})

test('regression: with nothing to send the head of the line is copied, but not while the writer has more', () => {
  const bench = new Bench(2)
  bench.core.mode.endless = true
  const ack = (lane: number) => {
    const { sent: received } = bench.core.lanes.get(lane)!
    return bench.ack({ limit: 1e9, lanes: [{ lane, received, delayMs: 0 }] }, lane)
  }
  // Lane 0 answers after 10 ms, lane 1 after 100.
  for (let round = 1; round <= 90; round++) {
    for (let i = 0; i < 8 && !bench.core.backlog; i++) bench.write(4 * KiB)
    bench.now += 10
    ack(0)
    if (round % 10 === 0) ack(1)
  }
  while (!bench.core.backlog) bench.write(4 * KiB)
  bench.now += 10
  const before = bench.core.totals.copiedBytes
  ack(0)
  expect([bench.core.backlog, bench.core.lanes.get(0)!.open]).toEqual([false, true])
  expect(bench.core.totals.copiedBytes, 'the writer is held back').toBe(before)
  bench.core.mode.endless = false
  expect(said(bench.run(), wire.PARCEL).map(({ lane }) => lane)).toContain(0)
  expect(bench.core.totals.copiedBytes).toBeGreaterThan(before)
})

test('a parcel that is overdue is copied to another lane, and nothing else is', () => {
  const bench = new Bench(2)
  known(bench, [20, 120])
  const before = bench.core.totals.copiedBytes
  const [late, ...others] = numbered(bench.write(1000)).map(each => each.split(':').map(Number))
  expect(others).toEqual([])
  const [lane, number] = late!
  const { lateAt = 0, overdueAt = 0 } = bench.core.lanes.get(lane!)!
  expect(overdueAt, 'long before the lane is judged').toBeLessThan(lateAt)
  expect(numbered(bench.wait(overdueAt - bench.now - 1))).toEqual([])
  expect(numbered(bench.wait(2))).toEqual([`${1 - lane!}:${number!}`])
  expect(numbered(bench.wait(lateAt - bench.now - 2))).toEqual([])
  expect(bench.core.totals.copiedBytes - before).toBe(1000)
})

test('what was lost with the last lane goes by the next that comes up, in order', () => {
  const bench = new Bench(1)
  for (let i = 0; i < 3; i++) bench.write(100)
  bench.core.laneDown(0, 0)
  expect(bench.run()).toEqual([])
  bench.core.laneUp(5, 'lane 5', 1)
  expect(numbered(bench.run())).toEqual(['5:0', '5:1', '5:2'])
})

test('regression: what an ACK said of a lane is said again when one is lost, for the ACK may be lost with it', () => {
  const bench = new Bench(3)
  bench.hear(1, parcel(0))
  expect(said(bench.wait(10), wire.ACK).length).toBeGreaterThan(0)
  bench.core.laneDown(0, bench.now)
  const again = said(bench.wait(10), wire.ACK).map(({ said }) => said)
  expect(again[0]).toMatchObject({ ack: { lanes: [{ lane: 1, received: 1 }] } })
})

test('what had arrived before its lane was lost is not sent again', () => {
  const bench = new Bench(1)
  bench.write(100)
  bench.write(100)
  bench.ack({ floor: 1, lanes: [{ lane: 0, received: 1, delayMs: 0 }] })
  bench.core.laneDown(0, 0)
  bench.core.laneUp(1, 'lane 1', 0)
  expect(numbered(bench.run())).toEqual(['1:1'])
})

test('no more is sent than there is credit for, and it goes on when credit comes', () => {
  const bench = new Bench(0)
  bench.core.laneUp(0, 'lane 0', 0)
  bench.run()
  let sent = 0
  let acked = 0
  for (let i = 0; i < 40; i++) {
    sent += numbered(bench.write(32 * KiB)).length
    bench.now += 5
    while (acked < sent) {
      acked = sent
      const lanes = [{ lane: 0, received: acked, delayMs: 0 }]
      sent += numbered(bench.ack({ floor: acked, lanes })).length
    }
  }
  expect(sent * 32 * KiB).toBe(wire.INITIAL_CREDIT)
  expect(bench.core.backlog).toBe(true)
  expect(numbered(bench.ack({ limit: wire.INITIAL_CREDIT + 40 * KiB }))).toEqual(['0:16'])
})

/** Makes known to the bench what its lanes can do. Round trips take these times in turn, in ms. */
function known(bench: Bench, roundTrips = [20]): void {
  let sent = 0
  for (let round = 0; round < 12; round++) {
    for (let i = 0; i < 8; i++) bench.write(4 * KiB)
    bench.now += roundTrips[round % roundTrips.length]!
    const lanes = [...bench.core.lanes.values()].map(({ number, sent: received }) => {
      sent += received
      return { lane: number, received, delayMs: 0 }
    })
    bench.ack({ floor: numbered(bench.outputs).length, limit: 1e9, lanes })
  }
  expect(sent).toBeGreaterThan(0)
  expect(bench.core.backlog).toBe(false)
}

test.each([
  [512, 512, 128],
  [4096, 512, 128],
  [512, 4096, 128],
  [1024, 4096, 256],
  [4096, 4096, 511],
])('with windows of %i and %i KiB parcels of a fast lane have %i KiB', (own, other, most) => {
  const bench = new Bench(1, own * KiB)
  const session = Buffer.alloc(wire.SESSION_ID_BYTES)
  bench.hear(0, wire.encodeHello({ mayOpen: false, lane: 0, session, limit: other * KiB }))
  known(bench, [0.1])
  expect(bench.core.sizes.preferredBytes).toBe(most * KiB)
})

test('an urgent parcel overtakes what waits, though no lane has room', () => {
  const bench = new Bench(1)
  while (!bench.core.backlog) bench.write(16 * KiB)
  const sent = numbered(bench.outputs).length
  bench.core.writeUrgent(Buffer.from('now'), true, bench.now)
  expect(numbered(bench.run())).toEqual([`0:${sent}`])
  expect(bench.core.backlog, 'what waited goes on waiting').toBe(true)
})

test('urgent parcels wait for credit, and no more than 64 KiB of them', () => {
  const bench = new Bench(1)
  let sent = 0
  while (bench.core.writeUrgent(Buffer.alloc(KiB), true, bench.now)) {
    sent += numbered(bench.run()).length
    expect(sent * KiB).toBeLessThanOrEqual(wire.INITIAL_CREDIT)
  }
  expect(sent * KiB).toBe(wire.INITIAL_CREDIT)
  expect(bench.core.totals.retainedBytes).toBe(wire.INITIAL_CREDIT + 64 * KiB)
  const more = numbered(bench.ack({ limit: wire.INITIAL_CREDIT + 2 * KiB }))
  expect(more).toEqual([`0:${sent}`, `0:${sent + 1}`])
})

test('no more is under way than a window, whatever the far end grants and says of its pace', () => {
  const bench = new Bench(1)
  bench.ack({ limit: 2 ** 50 })
  // What a far end that acknowledges too soon can make of a lane.
  Object.assign(bench.core.lanes.get(0)!.meter, { room: () => Infinity })
  for (let i = 0; i < 40; i++) bench.write(64 * KiB)
  expect(numbered(bench.outputs)).toHaveLength(WINDOW / (64 * KiB))
  const lanes = [{ lane: 0, received: 3, delayMs: 0 }]
  expect(numbered(bench.ack({ floor: 3, limit: 2 ** 50, lanes }))).toHaveLength(3)
})

test('nothing comes after a failure, whatever happens then', () => {
  const bench = new Bench(1)
  bench.hear(0, wire.encodeAbort(wire.ABORTED, ''))
  bench.core.laneUp(7, 'lane 7', 0)
  bench.core.laneBlocked(0, true)
  bench.core.laneBlocked(0, false)
  bench.core.leave(7)
  bench.core.tick(1e6)
  expect(bench.run()).toEqual([])
  const lonely = new Bench(0)
  const done = lonely.wait(NO_LANE_MS + 1)
  expect(kinds(done)).toEqual(['failed'])
})

test('regression: an answer in the very ms of the question is one', () => {
  const bench = new Bench(1)
  const answer = (done: Done) => {
    for (const { said: ping } of said(done, wire.PING)) {
      bench.hear(0, wire.encodeToken(wire.PONG, (ping as { token: number }).token))
    }
  }
  answer(bench.outputs)
  for (let i = 0; i < 20; i++) {
    bench.now = bench.core.deadline!
    bench.core.tick(bench.now)
    answer(bench.run())
  }
  expect(bench.now, 'asked each time').toBeGreaterThanOrEqual(200_000)
  expect(bench.outputs.filter(each => each.do === 'drop')).toEqual([])
})

test('the END goes behind urgent parcels as well', () => {
  const bench = new Bench(0)
  bench.write(10)
  bench.core.writeUrgent(Buffer.alloc(10), true, 0)
  bench.core.end()
  bench.core.laneUp(0, 'lane 0', 0)
  const types = bench.run().flatMap(each => (each.do === 'send' ? (each.said?.type ?? []) : []))
  expect(types.filter(type => type === wire.PARCEL || type === wire.END)).toEqual([
    wire.PARCEL,
    wire.PARCEL,
    wire.END,
  ])
})

test('for a second after an urgent parcel a lane gets what keeps it busy, and no more', () => {
  const bench = new Bench(1)
  known(bench)
  const lane = bench.core.lanes.get(0)!
  bench.core.writeUrgent(Buffer.alloc(1), false, bench.now)
  bench.run()
  expect(lane.room, 'nobody waits').toBe(lane.meter.room(false, lane.slackMs))
  bench.core.writeUrgent(Buffer.alloc(1), true, bench.now)
  bench.run()
  const lean = lane.room
  expect(lean).toBeLessThan(0.75 * lane.meter.room(false, lane.slackMs))
  bench.now += 1000
  bench.run()
  expect(lane.room).toBe(lane.meter.room(false, lane.slackMs))
})

test('lanes that are fast and near have 3 MiB in their queues together, and not 40 ms each', () => {
  const bench = new Bench(2, 64 * 1024 * KiB)
  known(bench, [0.1])
  const lanes = [...bench.core.lanes.values()]
  const held = lanes.reduce((sum, { rate, rtt }) => sum + rate! * rtt!, 0)
  const rates = lanes.reduce((sum, { rate }) => sum + rate!, 0)
  expect(rates * 40, 'more than 3 MiB in 40 ms').toBeGreaterThan(10 * 1024 * KiB)
  for (let i = 0; i < 600; i++) bench.write(64 * KiB)
  const underWay = lanes.reduce((sum, { inFlight }) => sum + inFlight, 0)
  expect(underWay).toBeGreaterThan(held + 3 * 1024 * KiB)
  expect(underWay).toBeLessThanOrEqual(held + 3 * 1024 * KiB + lanes.length * 64 * KiB)
  expect(bench.core.backlog, 'the rest waits').toBe(true)
})

/** A bench whose writer waits for credit from `at` on, with nothing under way. */
function starving(at: number): Bench {
  const bench = new Bench(0)
  bench.core.laneUp(0, 'lane 0', 0)
  bench.run()
  // Time passes quietly; the far end answers PINGs.
  while (bench.now < at) {
    bench.now = Math.min(at, bench.now + 5000)
    bench.hear(0, wire.encodeToken(wire.PONG, 0))
    bench.core.tick(bench.now)
    bench.run()
  }
  for (let number = 0; number < 8; number++) {
    bench.write(64 * KiB)
    const lanes = [{ lane: 0, received: number + 1, delayMs: 0 }]
    bench.now += 1
    bench.ack({ floor: number + 1, lanes })
  }
  bench.write(1)
  expect(bench.core.backlog).toBe(true)
  return bench
}

for (const at of [0, 500, 100_000]) {
  test(`a writer that starves from ${at} ms on asks for credit, in case the news was lost`, () => {
    const bench = starving(at)
    expect(bench.core.deadline).toBeDefined()
    const done = bench.wait(3000)
    expect(said(done, wire.PING).length).toBeGreaterThanOrEqual(2)
    expect(kinds(done)).toEqual([])
  })

  test(`it is no leap of time to starve from ${at} ms on: a lane that dies is found out`, () => {
    const bench = starving(at)
    const done = bench.wait(25_000)
    expect(done.filter(each => each.do === 'drop')).toHaveLength(1)
  })
}

test('a copy is dropped, and acknowledged', () => {
  const bench = new Bench(2)
  expect(kinds(bench.hear(0, parcel(0)))).toEqual(['deliver'])
  bench.now = 5
  expect(kinds(bench.hear(1, parcel(0)))).toEqual([])
  expect(bench.core.totals.duplicates).toBe(1)
  bench.now = 50
  bench.core.tick(50)
  bench.run()
  const acks = bench.outputs.flatMap(each => {
    const message = each.said
    return message?.type === wire.ACK ? message.ack.lanes.map(({ lane }) => lane) : []
  })
  expect(acks).toContain(1)
})

test('a parcel without bytes is a parcel', () => {
  const bench = new Bench(1)
  expect(bench.hear(0, parcel(0, ''))).toContainEqual({ do: 'deliver', parcel: Buffer.alloc(0) })
})

test('regression: a lane that was measured with a parcel without bytes is no lane without a rate', () => {
  const bench = new Bench(1)
  bench.hear(0, wire.encodeToken(wire.PONG, 1))
  bench.now = 20
  bench.write(0)
  bench.now = 40
  bench.ack({ floor: 1, lanes: [{ lane: 0, received: 1, delayMs: 0 }] })
  expect(numbered(bench.write(100))).toEqual(['0:1'])
})

test('the END ends the reader when all before it has come, and once', () => {
  const bench = new Bench(2)
  const end = wire.encodeNumbered(wire.END, 1)
  expect(kinds(bench.hear(0, end))).toEqual([])
  expect(kinds(bench.hear(1, parcel(0)))).toEqual(['deliver', 'ended'])
  expect(kinds(bench.hear(1, end))).toEqual([])
})

test('the writer is done when its END is acknowledged, and not before', () => {
  const bench = new Bench(1)
  bench.write(10)
  bench.core.end()
  expect(numbered(bench.run())).toEqual(['0:1'])
  expect(bench.core.finished).toBe(false)
  bench.ack({ floor: 1, lanes: [{ lane: 0, received: 1, delayMs: 0 }] })
  expect(bench.core.finished).toBe(false)
  bench.ack({ floor: 2, lanes: [{ lane: 0, received: 2, delayMs: 0 }] })
  expect(bench.core.finished).toBe(true)
})

test('an ABORT fails the session with ERR_PIPE_RESET, and is not answered', () => {
  for (const [code, sentence] of [
    [wire.ABORTED, 'the peer aborted: enough'],
    [wire.NO_SESSION, 'no such session: enough'],
    [wire.LIMIT, 'the peer aborted: enough'],
    [200, 'the peer aborted: enough'],
  ] as const) {
    const bench = new Bench(1)
    const done = bench.hear(0, wire.encodeAbort(code, 'enough'))
    expect(failure(done)).toMatchObject({ code: 'ERR_PIPE_RESET', sentence })
    expect(said(done, wire.ABORT)).toEqual([])
    expect(bench.core.deadline).toBeUndefined()
  }
})

test('without a lane it fails after its time, and not before', () => {
  const never = new Bench(0)
  expect(never.wait(NO_LANE_MS - 1)).toEqual([])
  expect(failure(never.wait(1))).toMatchObject({ code: 'ERR_PIPE_NO_LANES' })
})

test('a lane on which something was heard in time saves it; one that is only open does not', () => {
  for (const heard of [true, false]) {
    const bench = new Bench(1)
    bench.hear(0, wire.encodeToken(wire.PONG, 0))
    bench.core.laneDown(0, bench.now)
    expect(failure(bench.wait(NO_LANE_MS - 1))).toBeUndefined()
    bench.core.laneUp(1, 'lane 1', bench.now)
    if (heard) bench.hear(1, wire.encodeToken(wire.PONG, 0))
    const failed = failure(bench.wait(10))
    if (heard) expect(failed).toBeUndefined()
    else expect(failed).toMatchObject({ code: 'ERR_PIPE_NO_LANES' })
  }
})

test('a PING is answered on its lane, with its token', () => {
  const bench = new Bench(2)
  const done = bench.hear(1, wire.encodeToken(wire.PING, 0xdeadbeef))
  expect(said(done, wire.PONG).map(({ lane, said }) => [lane, said])).toEqual([
    [1, { type: wire.PONG, token: 0xdeadbeef }],
  ])
})

test('however many PINGs come on a lane that is full, one answer waits', () => {
  const bench = new Bench(1)
  bench.core.laneBlocked(0, true)
  for (let token = 0; token < 1000; token++) {
    expect(said(bench.hear(0, wire.encodeToken(wire.PING, token)), wire.PONG)).toEqual([])
  }
  bench.core.laneBlocked(0, false)
  expect(said(bench.run(), wire.PONG).map(({ said }) => said)).toEqual([
    { type: wire.PONG, token: 999 },
  ])
})

test('a lane on which nothing is heard is asked, and then dropped', () => {
  const bench = new Bench(1)
  bench.wait(100)
  bench.hear(0, parcel(0))
  expect(said(bench.wait(15_000), wire.PING)).toHaveLength(1)
  expect(bench.wait(10_000).filter(each => each.do === 'drop')).toMatchObject([{ lane: 0 }])
})

test('a lane that answers is not dropped, however quiet', () => {
  const bench = new Bench(1)
  for (let i = 0; i < 50; i++) {
    for (const { said: ping } of said(bench.wait(1000), wire.PING)) {
      bench.hear(0, wire.encodeToken(wire.PONG, (ping as { token: number }).token))
    }
  }
  bench.wait(200_000)
  expect(bench.outputs.filter(each => each.do === 'drop')).toHaveLength(1)
})

test('what is under way on a lane that falls silent goes by the other, and the lane is dropped', () => {
  const bench = new Bench(2)
  bench.write(1000)
  bench.write(1000)
  bench.now = 20
  bench.ack({ floor: 1, lanes: [{ lane: 0, received: 1, delayMs: 0 }] })
  for (let waited = 0; !numbered(bench.outputs).includes('0:1'); waited += 10) {
    expect(waited, 'ms until it goes by the other').toBeLessThan(1000)
    bench.wait(10)
  }
  bench.wait(20)
  bench.ack({ floor: 2, lanes: [{ lane: 0, received: 2, delayMs: 0 }] })
  expect(bench.core.totals.retainedBytes).toBe(0)
  bench.wait(700)
  expect(bench.core.lanes.get(1)!.state).toBe('suspect')
  expect(numbered([...bench.write(10), ...bench.write(10)]), 'nothing new').not.toContain('1:2')
  bench.ack({ floor: 4, lanes: [{ lane: 0, received: 4, delayMs: 0 }] })
  expect(bench.wait(5000).filter(each => each.do === 'drop')).toMatchObject([{ lane: 1 }])
})

test('a lane that speaks again after it was silent proves itself first', () => {
  const bench = new Bench(2)
  bench.write(1000)
  bench.write(1000)
  bench.now = 20
  bench.ack({ floor: 1, lanes: [{ lane: 0, received: 1, delayMs: 0 }] })
  bench.wait(700)
  const lane = bench.core.lanes.get(1)!
  expect(lane.state).toBe('suspect')
  bench.ack({ lanes: [{ lane: 1, received: 1, delayMs: 0 }] }, 1)
  expect(lane.state).toBe('proving')
})

test('time that leapt is held against no lane', () => {
  const bench = new Bench(2)
  bench.write(1000)
  bench.now = 100_000 // this process was stopped, and now its timer fires
  bench.core.tick(bench.now)
  expect(bench.run().filter(each => each.do === 'drop')).toEqual([])
  expect(bench.core.lanes.size).toBe(2)
})

test('a lane that leaves gets nothing new, and ends when nothing is under way on it', () => {
  const bench = new Bench(2)
  bench.write(100)
  bench.core.leave(0)
  const done = bench.run()
  expect(said(done, wire.LEAVE).map(({ lane }) => lane)).toEqual([0])
  expect(kinds(done), 'a parcel is under way').toEqual([])
  expect(numbered(bench.write(100))).toEqual(['1:1'])
  expect(bench.ack({ floor: 1, lanes: [{ lane: 0, received: 1, delayMs: 0 }] })).toContainEqual({
    do: 'end',
    lane: 0,
  })
})

test('a lane that the far end lets go gets nothing new', () => {
  const bench = new Bench(2)
  expect(bench.hear(0, wire.encodeLeave())).toContainEqual({ do: 'end', lane: 0 })
  expect([...numbered(bench.write(100)), ...numbered(bench.write(100))]).toEqual(['1:0', '1:1'])
})

test('a malformed message, or one of another lane, ends the session', () => {
  const session = Buffer.alloc(16)
  const hello = wire.encodeHello({ mayOpen: false, lane: 3, session, limit: 0 })
  for (const message of [Buffer.alloc(0), Buffer.of(0x77), Buffer.of(wire.PING), hello]) {
    const bench = new Bench(1)
    expect(failure(bench.hear(0, message))).toMatchObject({ code: 'ERR_PIPE_PROTOCOL' })
  }
})

test('a lane number that is there already is a RangeError', () => {
  expect(() => new Bench(1).core.laneUp(0, 'again', 0)).toThrow(RangeError)
})
