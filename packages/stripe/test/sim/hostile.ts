// Hostile: a peer that knows the state of the session and lies: well-formed nonsense, and now and
// then what is not even that. It knows of each lie what has to come of it: a typed failure, or
// nothing at all.

import type { Rng } from '@striper/testkit/sim'
import * as wire from '../../src/pure/wire.ts'
import type { SimEnd } from './end.ts'
import type { Rule } from './violation.ts'

const MOST = Number.MAX_SAFE_INTEGER
const FLOOD = 300
const LARGE_BYTES = 60_000

/** What is said, what has to come of it, and the promise that is broken where it does not. */
interface Lie {
  readonly messages: Iterable<Buffer>
  readonly fails: boolean
  readonly rule: Rule
}

export class Hostile {
  readonly #random: Rng
  readonly #victim: SimEnd

  constructor(random: Rng, victim: SimEnd) {
    this.#random = random
    this.#victim = victim
  }

  /** Tells a lie on some lane, where there is one. */
  act(): void {
    const victim = this.#victim
    const lanes = [...victim.core.lanes.keys()]
    if (lanes.length === 0 || !victim.isOpen || victim.stopped) return
    const lane = this.#random.pick(lanes)
    const index = this.#random.integer(0, LIES.length - 1)
    const lie = LIES[index]!(victim, lane, this.#random)
    if (lie === undefined) return
    const said = this.#tell(lane, lie)
    // A lie may be the last word that was needed: then it is done, and well.
    const failed = victim.state === 'failed'
    if (failed === lie.fails || said === 0 || victim.state === 'closed') return
    const what = lie.fails ? 'was believed' : `failed it: ${String(victim.failure?.message)}`
    throw victim.violation(lie.rule, `lie ${index} ${what}`)
  }

  /** Says it, as far as the victim listens; how much that was. */
  #tell(lane: number, { messages }: Lie): number {
    let said = 0
    for (const message of messages) {
      if (!this.#victim.isOpen) break
      this.#victim.receive(lane, message)
      said++
    }
    return said
  }
}

type MakeLie = (victim: SimEnd, lane: number, random: Rng) => Lie | undefined

const harmless = (...messages: Buffer[]): Lie => ({ messages, fails: false, rule: 'I8' })
const fatal = (rule: Rule, ...messages: Buffer[]): Lie => ({ messages, fails: true, rule })
const ack = (ack: Partial<wire.Ack>) => wire.encodeAck({ floor: 0, limit: 0, lanes: [], ...ack })
const parcel = (number: number, bytes: number) =>
  Buffer.concat([wire.encodeNumbered(wire.PARCEL, number), Buffer.alloc(bytes)])

/** The lowest number that the victim misses. */
function floorOf(victim: SimEnd): number {
  let floor = 0
  while (victim.arrived.has(floor)) floor++
  return floor
}

const LIES: readonly MakeLie[] = [
  // What was never sent is acknowledged, in all and on a lane.
  victim => fatal('I3', ack({ floor: victim.ledger.sentNumbers + 1 })),
  (victim, lane) => {
    const received = victim.core.lanes.get(lane)!.sent + 1
    return fatal('I3', ack({ lanes: [{ lane, received, delayMs: 0 }] }))
  },
  // What did not arrive is: it is the peer's own loss.
  (victim, lane, random) => {
    const received = random.integer(0, victim.core.lanes.get(lane)!.sent)
    const entry = { lane, received, delayMs: random.pick([0, 1, 4_000_000]) }
    return harmless(ack({ lanes: Array<wire.LaneAck>(50).fill(entry) }))
  },
  () => harmless(ack({ lanes: [{ lane: 0xffff_ffff, received: MOST, delayMs: 0 }] })),
  // Windows that shrink, that overflow, and that no number can say.
  () => harmless(ack({ limit: 0 })),
  () => harmless(ack({ limit: MOST })),
  () => {
    const message = ack({})
    message.fill(0xff, 9, 17)
    return fatal('I8', message)
  },
  // Numbers too far off, bytes beyond the credit, holes, the same again, ends at the wrong place.
  victim => fatal('I2', parcel(floorOf(victim) + wire.MAX_PARCELS_UNDER_WAY, 0)),
  victim => ({ messages: flood(victim), fails: true, rule: 'I2' }),
  victim => {
    const [known] = victim.arrived
    return known === undefined ? undefined : harmless(parcel(known, LARGE_BYTES))
  },
  victim => {
    const floor = floorOf(victim)
    const beyond = [...victim.arrived].some(number => number > floor)
    return beyond ? fatal('I1', wire.encodeNumbered(wire.END, floor)) : undefined
  },
  // Words of the session at the wrong time.
  (_, lane) => fatal('I8', hello(lane + 1)),
  (_, lane) => harmless(hello(lane)),
  (_, _lane, random) => harmless(...Array.from({ length: FLOOD }, () => token(wire.PING, random))),
  (_, _lane, random) => harmless(token(wire.PONG, random), token(wire.PONG, random)),
  () => harmless(wire.encodeLeave()),
  (_, _lane, random) => fatal('I8', wire.encodeAbort(random.integer(0, 4), 'lies')),
  // What is no message.
  (_, _lane, random) => fatal('I8', random.pick(MALFORMED)),
]

/** Parcels beyond the credit. */
function* flood(victim: SimEnd): Generator<Buffer> {
  let number = floorOf(victim)
  for (let bytes = 0; bytes < 2 * victim.core.limit; number++) {
    if (victim.arrived.has(number)) continue
    bytes += LARGE_BYTES
    yield parcel(number, LARGE_BYTES)
  }
}

function hello(lane: number): Buffer {
  return wire.encodeHello({ mayOpen: true, lane, session: Buffer.alloc(16, 7), limit: 0 })
}

function token(type: typeof wire.PING | typeof wire.PONG, random: Rng): Buffer {
  return wire.encodeToken(type, random.integer(0, 0xffff_ffff))
}

const MALFORMED: readonly Buffer[] = [
  Buffer.alloc(0),
  Buffer.of(0x18),
  Buffer.of(wire.PARCEL),
  wire.encodeNumbered(wire.PARCEL, 0).subarray(0, 8),
  Buffer.concat([wire.encodeNumbered(wire.END, 0), Buffer.of(0)]),
  wire.encodeAck({ floor: 0, limit: 0, lanes: [] }).subarray(0, 16),
  Buffer.concat([wire.encodeAck({ floor: 0, limit: 0, lanes: [] }), Buffer.alloc(15)]),
  Buffer.of(wire.PING, 0, 0, 0),
  Buffer.of(wire.ABORT),
  Buffer.concat([Buffer.of(wire.ABORT, 0), Buffer.alloc(257)]),
  Buffer.of(wire.LEAVE, 0),
  hello(0).subarray(0, 29),
]
