// Ledger: what one end has said, kept beside its core and compared with it and with the far end
// after every event: invariants I3, I4, I5 and I9, and I2 where it is about credit. It costs a few
// additions for each event, and a look at each lane.

import type { Message } from '@striper/core'
import type { StripeCore } from '../../src/pure/core.ts'
import { END, INITIAL_CREDIT, PARCEL } from '../../src/pure/wire.ts'
import type { SimEnd } from './end.ts'
import { type Rule, Violation } from './violation.ts'

const HEADER_BYTES = 9
/** What need not be copied: the free part and the share of copies.ts, and the parcel that crosses
 *  it. */
const FREE_COPY_BYTES = 1024 * 1024
const COPY_SHARE = 0.02
const LARGEST_PARCEL_BYTES = 64 * 1024

interface LaneAccount {
  readonly numbers: number[]
  acked: number
}

export class Ledger {
  readonly #lanesOf = new Map<number, number[]>() // of each number: the lanes it went by
  readonly #accounts = new Map<number, LaneAccount>()
  readonly #orphans = new Set<number>() // numbers whose every lane is gone
  #freshBytes = 0
  #optionalBytes = 0 // sent again though its lane worked and it was not the oldest there
  #redundant = false
  #said = 0
  #mayBeSaid = 16
  #limit = 0

  /** How many numbers were sent. */
  get sentNumbers(): number {
    return this.#lanesOf.size
  }

  /** Something happened that may be answered, on each lane and twice more. */
  stimulus(lanes: number): void {
    this.#mayBeSaid += 2 + lanes
  }

  /** Something was sent on a lane. */
  sent(message: Message, lane: number, core: StripeCore): void {
    if (message instanceof Uint8Array) {
      this.#said++
      return
    }
    this.#redundant ||= core.mode.redundant
    const number = numberOf(message[0]!)!
    let bytes = -HEADER_BYTES
    for (const piece of message) bytes += piece.length
    this.#account(lane).numbers.push(number)
    const lanes = this.#lanesOf.get(number)
    if (lanes === undefined) {
      this.#lanesOf.set(number, [lane])
      this.#freshBytes += bytes
      return
    }
    const needed = lanes.length === 0 || lanes.some(each => mustGoAgain(core, each, number))
    if (!needed) this.#optionalBytes += bytes
    lanes.push(lane)
    this.#orphans.delete(number)
  }

  /** A lane is gone. */
  lost(lane: number): void {
    for (const number of this.#accounts.get(lane)?.numbers ?? []) {
      const lanes = this.#lanesOf.get(number)!
      lanes.splice(lanes.indexOf(lane), 1)
      if (lanes.length === 0) this.#orphans.add(number)
    }
    this.#accounts.delete(lane)
  }

  /** What can be said of an end without believing the other. */
  check(end: SimEnd): void {
    const { core } = end
    if (core.limit < this.#limit) throw broken(end, 'I2', `credit fell to ${core.limit}`)
    this.#limit = core.limit
    const room = end.takenBytes + Math.max(end.windowBytes, INITIAL_CREDIT)
    if (core.limit > room) throw broken(end, 'I2', `credit for ${core.limit}, room for ${room}`)
    const most = FREE_COPY_BYTES + COPY_SHARE * this.#freshBytes + LARGEST_PARCEL_BYTES
    if (this.#optionalBytes > most && !this.#redundant) {
      throw broken(end, 'I9', `${this.#optionalBytes} bytes of copies, budget ${most}`)
    }
    if (this.#said > this.#mayBeSaid) throw broken(end, 'I9', `said ${this.#said} things unasked`)
  }

  /** What can be said of two ends that are honest. */
  compare(end: SimEnd, peer: SimEnd): void {
    const { core } = end
    for (const lane of core.lanes.values()) {
      const account = this.#account(lane.number)
      const received = peer.core.lanes.get(lane.number)?.received ?? Infinity
      if (lane.acked > Math.min(lane.sent, received) || lane.acked < account.acked) {
        const facts = `${account.acked}, sent ${lane.sent}, received ${received}`
        throw broken(end, 'I3', `lane ${lane.number}: ${lane.acked} acknowledged, before ${facts}`)
      }
      account.acked = lane.acked
    }
    const { retainedBytes } = core.totals
    const missing = end.writtenBytes - peer.deliveredBytes
    if (retainedBytes < missing || retainedBytes > end.writtenBytes) {
      const facts = `${end.writtenBytes} written, ${missing} not there`
      throw broken(end, 'I4', `${retainedBytes} bytes retained, ${facts}`)
    }
    const credit = Math.max(peer.core.limit, INITIAL_CREDIT)
    if (this.#freshBytes > credit) {
      throw broken(end, 'I4', `${this.#freshBytes} bytes sent, credit for ${credit}`)
    }
    if (this.#orphans.size > 0) this.#checkOrphans(end, peer)
  }

  #checkOrphans(end: SimEnd, peer: SimEnd): void {
    for (const number of this.#orphans) if (peer.arrived.has(number)) this.#orphans.delete(number)
    const [orphan] = this.#orphans
    if (orphan === undefined) return
    const lanes = [...end.core.lanes.values()].filter(lane => lane.state !== 'leaving')
    if (lanes.length === 0 || lanes.some(lane => !lane.open)) return
    throw broken(end, 'I5', `number ${orphan} is on no lane, and every lane is open`)
  }

  #account(lane: number): LaneAccount {
    let account = this.#accounts.get(lane)
    if (account === undefined) this.#accounts.set(lane, (account = { numbers: [], acked: 0 }))
    return account
  }
}

/** The number of a PARCEL or an END; undefined for anything else. */
export function numberOf(message: Buffer): number | undefined {
  if ((message[0] !== PARCEL && message[0] !== END) || message.length < HEADER_BYTES) {
    return undefined
  }
  return message.readUInt32BE(1) * 2 ** 32 + message.readUInt32BE(5)
}

/** Whether a number has to go by another lane than this one: it is gone, or in trouble, or the
 *  number is the oldest on it. */
function mustGoAgain(core: StripeCore, number: number, parcel: number): boolean {
  const lane = core.lanes.get(number)
  return lane?.state !== 'working' || lane.flight.head?.parcel.number === parcel
}

function broken(end: SimEnd, rule: Rule, what: string): Violation {
  return end.violation(rule, what)
}
