// Lane: what the core knows of one lane: what is under way on it, how it does, and whether to trust
// it.
//
//   proving ──▶ working ──▶ suspect ──▶ proving …   silence makes suspect, an ACK proves
//                  └──────▶ leaving                 nothing new is sent on it
//
// Pure: time is passed in, in ms.

import { NO_BYTES, type SharedLoan } from '@striper/core'
import { Fifo } from './fifo.ts'
import { Meter, type Stamp } from './meter.ts'
import type { LaneView } from './schedule.ts'
import { MOST_SLACK_MS } from './slack.ts'
import type { END, PARCEL } from './wire.ts'

/** A lane that was found late, and has not got over it, is looked at again after so long, in ms. */
const AGAIN_MS = 300
/** Its oldest parcel is overdue, and may be wanted elsewhere, so long after it was due, in ms. */
const OVERDUE_MS = 60

/**
 * - `proving`: silent until just now; one parcel at a time until one is acknowledged.
 * - `working`: takes what it has room for.
 * - `suspect`: bytes are under way, and nothing came back for too long. Gets nothing new.
 * - `leaving`: on its way out. Gets nothing new.
 */
export type LaneState = 'proving' | 'working' | 'suspect' | 'leaving'

/** Something numbered that has to arrive: a parcel, or the END. */
export interface Parcel {
  readonly number: number
  readonly type: typeof PARCEL | typeof END
  pieces: readonly Buffer[]
  readonly bytes: number
  /** Of the memory of its pieces, if that is on loan; until it has arrived. */
  loan: SharedLoan | undefined
  /** The lanes that it is under way on. */
  readonly lanes: Lane[]
  /** When the first of its copies is expected to be acknowledged, in ms; Infinity where nobody
   *  knows. */
  dueAt: number
  arrived: boolean
  waiting: boolean // in the queue of what is sent again
}

/** A parcel on a lane. */
export interface Copy {
  readonly parcel: Parcel
  readonly stamp: Stamp
  /** When it is expected to be acknowledged, in ms; Infinity where nobody knows. */
  readonly dueAt: number
}

export class Lane implements LaneView {
  readonly number: number
  readonly label: string
  readonly meter: Meter
  readonly flight = new Fifo<Copy>()
  state: LaneState = 'working'
  /** Whether the lane's pipe has said that it is full. */
  blocked = false
  inFlight = 0
  lastTurn = 0
  sent = 0 // numbered messages, copies counted
  acked = 0
  received = 0
  receivedAt = 0 // when the last numbered message came
  heardAt: number
  heard = false // whether the far end has ever said anything on it
  ackDue = false // whether the next ACK names this lane
  pingedAt = -Infinity
  asked = false // whether a PING has gone since it was heard last
  pongDue: number | undefined // the token of a PING that waits for its answer
  ended = false // whether our direction of its pipe has been told to end
  /** What its owner says of it. */
  weight = 1
  backup = false
  budgetBytes = Infinity
  passedOver = false // whether a parcel waits rather than going by it
  standby = false // a backup, while others work
  slackMs = MOST_SLACK_MS // for how long it may have more under way than it holds
  lean = false // somebody waits for each small parcel, so little may be under way
  bytesOut = NO_BYTES
  bytesIn = NO_BYTES
  copiesOut = 0
  sentAt: number // when it last got a parcel, or came
  #pingToken: number | undefined // of the PING that is not answered
  #pingQuiet = false
  #progressAt: number
  #lateSince = -Infinity
  #overdue: Copy | undefined // the last that was found to be
  #suspectSince = 0

  constructor(number: number, label: string, now: number) {
    this.number = number
    this.label = label
    this.meter = new Meter(number, now)
    this.heardAt = now
    this.sentAt = now
    this.#progressAt = now
  }

  get rate(): number | undefined {
    return this.meter.rate
  }

  get known(): boolean {
    return this.meter.known
  }

  get rtt(): number | undefined {
    return this.meter.rtt
  }

  /** Bytes that may be under way on it. */
  get room(): number {
    return this.meter.room(this.lean, this.slackMs)
  }

  /** Whether its budget is spent. */
  get spent(): boolean {
    return this.bytesOut + this.bytesIn >= this.budgetBytes
  }

  /** Whether it may take a parcel now. */
  get open(): boolean {
    if (this.state === 'proving') return this.#usable && this.flight.length === 0
    return this.takesUrgent && this.inFlight < this.room
  }

  /** Whether it may take an urgent parcel now, though its room may be used. */
  get takesUrgent(): boolean {
    return this.#usable && this.state === 'working'
  }

  get #usable(): boolean {
    return !this.blocked && !this.standby && !this.spent
  }

  /** The far end said something on it. */
  hear(now: number): void {
    this.heard = true
    this.heardAt = now
    this.asked = false
  }

  /** Whether a PING now would tell its round trip, which is not known well. */
  get wantsPing(): boolean {
    return this.meter.wantsPing(this.inFlight)
  }

  pinged(token: number, now: number): void {
    this.#pingToken = token
    this.#pingQuiet = this.meter.isQuiet(this.inFlight)
    this.pingedAt = now
    this.asked = true
    this.meter.pinged(now)
  }

  /** A PONG came. One that answers no PING, or an old one, says nothing. */
  ponged(token: number, now: number): void {
    if (token !== this.#pingToken) return
    this.#pingToken = undefined
    this.meter.loop(now - this.pingedAt, now, this.#pingQuiet)
  }

  /** Time leapt, because we were away and not the lane: what it owes us, it owes us from now. */
  leap(ms: number): void {
    this.heardAt += ms
    this.#progressAt += ms
    this.#suspectSince += ms
  }

  /** Why it takes nothing, in words; undefined where it does. */
  get reason(): string | undefined {
    if (this.state === 'leaving') return this.spent ? 'over budget' : 'leaving'
    if (this.state === 'suspect') return 'suspect: nothing came back for too long'
    if (this.standby) return 'backup: others work'
    if (this.state === 'proving') return 'proving: one parcel at a time'
    if (!this.open) return 'full'
    return this.passedOver ? 'waiting: a faster lane will be free sooner' : undefined
  }

  send(parcel: Parcel, again: boolean, now: number): void {
    if (this.flight.length === 0) this.#progressAt = now
    const dueAt = now + this.#expectedMs(parcel.bytes)
    parcel.lanes.push(this)
    parcel.dueAt = Math.min(parcel.dueAt, dueAt)
    this.flight.push({ parcel, stamp: this.meter.sent(this.inFlight, now), dueAt })
    this.sentAt = now
    this.inFlight += parcel.bytes
    this.bytesOut += parcel.bytes
    this.sent++
    if (again) this.copiesOut++
  }

  /** The far end has received `received` numbered messages in all. Calls `arrived` for each that is
   *  news. */
  ack(received: number, delayMs: number, now: number, arrived: (parcel: Parcel) => void): void {
    let bytes = 0
    const oldestAt = this.flight.head?.stamp.sentAt ?? now
    let last: Stamp | undefined
    while (this.acked < received) {
      const copy = this.flight.shift()!
      this.acked++
      bytes += copy.parcel.bytes
      last = copy.stamp
      arrived(copy.parcel)
    }
    if (last === undefined) return
    this.inFlight -= bytes
    this.meter.acked(bytes, oldestAt, last, delayMs, now)
    this.#progressAt = now
    if (this.state === 'proving') this.state = 'working'
    if (this.state === 'suspect') this.state = 'proving'
  }

  /** When its oldest parcel is overdue, so that a copy may help; undefined where it cannot be, or
   *  that has been asked already. */
  get overdueAt(): number | undefined {
    const { head } = this.flight
    if (head === undefined || head === this.#overdue || head.dueAt === Infinity) return undefined
    return this.state === 'working' ? head.dueAt + OVERDUE_MS : undefined
  }

  /** Whether its oldest parcel is overdue; true once for each. */
  takeOverdue(now: number): boolean {
    if ((this.overdueAt ?? Infinity) > now) return false
    this.#overdue = this.flight.head
    return true
  }

  /** When its oldest parcel is late, or undefined where it cannot be: nothing is expected. */
  get lateAt(): number | undefined {
    const { head } = this.flight
    if (head === undefined || head.dueAt === Infinity || this.state !== 'working') return undefined
    if (head.dueAt < this.#lateSince) return this.#lateSince + AGAIN_MS
    return head.dueAt + this.meter.margin
  }

  /** Its oldest parcel is late. Where another lane has got on since that was due, this one is not
   *  what it was, and true is returned; where none has, it may be us who did not listen, and the
   *  parcel is given as long again. */
  late(others: Iterable<Lane>, now: number): boolean {
    this.#lateSince = now
    const dueAt = this.flight.head?.dueAt ?? Infinity
    for (const lane of others) {
      if (lane === this || lane.#progressAt <= dueAt) continue
      this.meter.disbelieve(now)
      return true
    }
    return false
  }

  #expectedMs(bytes: number): number {
    const { rate, rtt } = this
    if (rate === undefined || rtt === undefined) return Infinity
    return (this.inFlight + bytes) / rate + rtt
  }

  /** When it becomes suspect, or undefined where it cannot be: nothing is under way, or it is. */
  get suspectAt(): number | undefined {
    if (this.flight.length === 0 || this.state === 'suspect') return undefined
    return this.#progressAt + this.meter.patience
  }

  suspect(now: number): void {
    if (this.state !== 'leaving') this.state = 'suspect'
    this.#suspectSince = now
    this.#progressAt = now
  }

  /** Since when it has been suspect, or undefined where it is not. */
  get suspectSince(): number | undefined {
    return this.state === 'suspect' ? this.#suspectSince : undefined
  }
}
