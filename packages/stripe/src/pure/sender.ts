// Sender: the sending half of a stripe. Gives each parcel to a lane when a lane has room, numbers
// it, and keeps it until it is acknowledged.
//
//   write ──▶ fresh, urgent ──▶ ┌──────────┐ ──▶ under way on a lane ── acknowledged ──▶ forgotten
//   lost  ──▶ again         ──▶ │ schedule │        │
//               ▲               └──────────┘        │ the lane is gone, or silent
//               └───────────────────────────────────┘
//
// Pure: time is passed in, in ms.

import { type Loan, type Message, NO_BYTES, PipeError } from '@striper/core'
import { Copies, type Copying } from './copies.ts'
import type { Lane, Parcel } from './lane.ts'
import { Outbox, type Written } from './outbox.ts'
import type { CoreOptions, Mode, Output } from './output.ts'
import { ParcelSizes } from './parcels.ts'
import { Retained } from './retained.ts'
import { deliveryMs, ratesOf } from './schedule.ts'
import { slackMs } from './slack.ts'
import { type Ack, encodeNumbered, END, INITIAL_CREDIT, MAX_PARCELS_UNDER_WAY } from './wire.ts'

const LEAST_LAG_MS = 100
const MOST_LAG_MS = 2000
/** Where nothing is acknowledged for longer on any lane, it is us, or the far end, and no lane. */
const PAUSE_MS = 25

/** A parcel, and the lane to send it on. */
type Sending = Copying

export class Sender {
  readonly sizes: ParcelSizes
  readonly #options: CoreOptions
  readonly #mode: Readonly<Mode>
  readonly #lanes: ReadonlyMap<number, Lane>
  readonly #outbox = new Outbox()
  readonly #retained = new Retained()
  readonly #views: Lane[] = [] // what the schedule sees; the same list each time
  readonly #copies = new Copies((parcel, lanes) => this.#choose(parcel, lanes))
  #next = 0 // number of the next parcel that is sent for the first time
  #floor = 0 // every number below has arrived
  #sentBytes = NO_BYTES // of parcels, each counted once
  #limit = NO_BYTES + INITIAL_CREDIT
  #turn = 0
  #end: Parcel | undefined
  #ackedAt = 0

  constructor(options: CoreOptions, lanes: ReadonlyMap<number, Lane>, mode: Readonly<Mode>) {
    this.#options = options
    this.#lanes = lanes
    this.sizes = new ParcelSizes(lanes)
    this.#mode = mode
  }

  /** Whether what was written waits for a lane or for credit: time to write no more. */
  get backlog(): boolean {
    return this.#outbox.length > 0
  }

  /** Bytes that were written and are not acknowledged. */
  get retainedBytes(): number {
    return this.#outbox.bytes + this.#retained.bytes
  }

  /** Bytes that were sent again, on another lane. */
  get copiedBytes(): number {
    return this.#copies.bytes
  }

  /** Whether a parcel waits for credit alone. */
  get starved(): boolean {
    const { head } = this.#outbox
    return head !== undefined && this.#sentBytes + head.bytes > this.#limit
  }

  /** Whether the END and everything before it has arrived. */
  get finished(): boolean {
    return this.#end?.arrived === true && this.#retained.parcels.length === 0
  }

  /** Takes a message, its memory maybe on loan. */
  write(message: Message, loan?: Loan): void {
    this.#outbox.write(message, loan)
  }

  /** What has the lane of a parcel send it. */
  toSend({ parcel, lane }: Sending): Output {
    const message = [encodeNumbered(parcel.type, parcel.number), ...parcel.pieces]
    return { do: 'send', lane: lane.number, message, loan: parcel.loan?.share() }
  }

  /** Nothing will be sent any more. */
  clear(): void {
    this.#outbox.clear()
    this.#retained.clear()
  }

  /** A parcel that overtakes what waits, by the lane that delivers it first; `lean` keeps the lanes
   *  so for a while. False, and nothing is done, where too much that is urgent waits already. */
  writeUrgent(message: Message, lean: boolean, now: number): boolean {
    return this.#outbox.writeUrgent(message, lean, now)
  }

  end(): void {
    this.#outbox.end()
  }

  /** The next parcel and the lane to send it on, or undefined while there is none or no room. */
  next(now: number): Sending | undefined {
    const views = this.#views
    const { parcels } = this.#retained
    views.length = 0
    const backupsRest = this.#anyWorks()
    const lean = this.#outbox.lean(now)
    const idle = this.#outbox.length === 0 && parcels.length === 0
    let open = 0
    for (const lane of this.#lanes.values()) {
      lane.standby = lane.backup && backupsRest
      lane.lean = lean
      lane.passedOver = false
      if (idle || lane.standby) continue
      const isOpen = lane.open
      if (isOpen) open++
      if (isOpen || lane.state === 'working') views.push(lane)
    }
    if (idle) return undefined
    const urgent = this.#nextUrgent(views)
    if (urgent) return this.#send(urgent, false, now)
    if (open === 0) return undefined
    const lost = this.#copies.nextLost(views)
    if (lost) return this.#send(lost, true, now)
    const twin = this.#mode.redundant ? this.#copies.nextTwin(views) : undefined
    if (twin) return this.#send(twin, true, now)
    const fresh = this.#nextFresh(views)
    if (fresh) return this.#send(fresh, false, now)
    // Nothing to copy, or nowhere.
    if (parcels.length === 0 || this.#lanes.size < 2) return undefined
    // A writer that is held back has more, though it may not be here yet.
    const more = (this.backlog || this.#mode.endless) && !this.starved
    if (more && this.backlog) for (const lane of views) lane.passedOver = lane.open
    const copies = [views, parcels, this.#sentBytes, now] as const
    // A lane that is passed over is measured all the same, or it would be for ever.
    const earlier = more ? undefined : this.#copies.nextEarlier(...copies)
    const useful = earlier ?? this.#copies.nextProbe(...copies)
    return useful && this.#send(useful, true, now)
  }

  /** An ACK came. Throws ERR_PIPE_PROTOCOL where it acknowledges what was never sent. */
  ack(ack: Ack, now: number): void {
    if (ack.floor > this.#next) {
      throw protocol(`all below ${ack.floor} acknowledged, ${this.#next} sent`)
    }
    const quietMs = now - this.#ackedAt
    this.#ackedAt = now
    if (quietMs > PAUSE_MS) for (const { meter } of this.#lanes.values()) meter.paused(quietMs)
    for (const { lane: number, received, delayMs } of ack.lanes) {
      const lane = this.#lanes.get(number)
      if (lane === undefined) continue // it has gone meanwhile; the floor will say what is needed
      if (received > lane.sent) {
        throw protocol(`${received} acknowledged on lane ${number}, ${lane.sent} sent`)
      }
      lane.ack(received, delayMs, now, this.#retained.arrived)
    }
    const slack = slackMs(this.#lanes.values())
    for (const lane of this.#lanes.values()) lane.slackMs = slack
    this.#retained.arrivedBelow(ack.floor)
    this.#floor = Math.max(this.#floor, ack.floor)
    this.credit(ack.limit)
  }

  /** The far end has everything: it said so by other means than an ACK. */
  allArrived(): void {
    this.#retained.arrivedBelow(this.#next)
  }

  /** The far end has the session, and states its credit, which is its window. */
  hello(limit: number): void {
    this.sizes.windowBytes = Math.min(limit, this.#options.windowBytes)
    this.credit(limit)
  }

  /** So many bytes of parcels may be sent in all. What was granted is not taken back. */
  credit(limit: number): void {
    this.#limit = Math.max(this.#limit, limit)
  }

  /** There is nothing to send, though lanes would take more: their rates are lower bounds. */
  idle(): void {
    for (const lane of this.#lanes.values()) lane.meter.starved(lane.inFlight)
  }

  /** A lane is gone, and what was under way on it is sent again. */
  lost(lane: Lane): void {
    for (const { parcel } of lane.flight) {
      parcel.lanes.splice(parcel.lanes.indexOf(lane), 1)
    }
    this.#copies.giveUp(lane)
  }

  /** A parcel that is overdue, and everybody may wait for, goes by another lane as well. Lanes
   *  whose oldest parcel is late are not what they were: what is under way on them goes by others,
   *  as far as copies may go, and the oldest parcel in any case. */
  rescue(now: number): void {
    if (this.#lanes.size < 2) return
    for (const lane of this.#lanes.values()) {
      const budget = this.#copies.budget(this.#sentBytes)
      if (lane.takeOverdue(now) && budget > 0) this.#copies.giveUp(lane, 0)
      if ((lane.lateAt ?? Infinity) > now) continue
      if (!lane.late(this.#lanes.values(), now)) continue
      this.#copies.giveUp(lane, budget)
    }
  }

  /** A lane is silent, and what is under way on it has to be sent again, on another. */
  giveUp(lane: Lane): void {
    this.#copies.giveUp(lane)
  }

  /** What is to be sent for the first time, if credit, the far end's memory for numbers and our own
   *  allow it: a far end that grants and acknowledges what it likes cannot make us retain more than
   *  a window. */
  #sendable(): Written | undefined {
    const { head } = this.#outbox
    if (head === undefined || this.#sentBytes + head.bytes > this.#limit) return undefined
    if (this.#retained.bytes + head.bytes > this.#options.windowBytes) return undefined
    return this.#next < this.#floor + MAX_PARCELS_UNDER_WAY ? head : undefined
  }

  /** An urgent parcel, by the lane that delivers it first, even if its room is used. */
  #nextUrgent(views: readonly Lane[]): Sending | undefined {
    const written = this.#outbox.urgent ? this.#sendable() : undefined
    if (written === undefined) return undefined
    let best: Lane | undefined
    let bestMs = Infinity
    for (const lane of views) {
      const ms = lane.takesUrgent || lane.open ? deliveryMs(lane, written.bytes) : Infinity
      if (ms >= bestMs) continue
      best = lane
      bestMs = ms
    }
    return best && { parcel: this.#number(written), lane: best }
  }

  #nextFresh(views: readonly Lane[]): Sending | undefined {
    const written = this.#outbox.urgent ? undefined : this.#sendable()
    const lane = written && this.#choose(written, views)
    return lane && { parcel: this.#number(written), lane }
  }

  /** Takes what goes next, and makes a numbered parcel of it. */
  #number(written: Written): Parcel {
    this.#outbox.shift()
    const parcel = this.#retained.push(this.#next++, written)
    this.#sentBytes += parcel.bytes
    if (parcel.type === END) this.#end = parcel
    if (this.#mode.redundant) this.#copies.twin(parcel)
    return parcel
  }

  #send(sending: Sending, again: boolean, now: number): Sending {
    const { parcel, lane } = sending
    lane.lastTurn = ++this.#turn
    lane.send(parcel, again, now)
    return sending
  }

  #choose(parcel: Pick<Parcel, 'bytes'>, lanes: readonly Lane[]): Lane | undefined {
    if (!lanes.some(lane => lane.open)) return undefined
    const { endless } = this.#mode
    const chosen = this.#options.schedule(lanes, {
      bytes: parcel.bytes,
      endless,
      lagMs: this.#lagMs(),
    })
    return chosen && this.#lanes.get(chosen.number)
  }

  /** Whether a lane that is no backup works, so that backups are not needed. */
  #anyWorks(): boolean {
    for (const lane of this.#lanes.values()) {
      if (!lane.backup && (lane.state === 'working' || lane.state === 'proving')) return true
    }
    return false
  }

  /** How long the best lanes may run ahead of a slow one, until the reader's window is half
   *  full. */
  #lagMs(): number {
    const rates = ratesOf(this.#lanes.values())
    const lag = rates > 0 ? this.#options.windowBytes / 2 / rates : Infinity
    return Math.min(Math.max(lag, LEAST_LAG_MS), MOST_LAG_MS)
  }
}

function protocol(sentence: string): PipeError {
  return new PipeError('ERR_PIPE_PROTOCOL', sentence)
}
