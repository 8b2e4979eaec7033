// Sender: the sending half of a stripe. Numbers parcels, gives each to a lane when a lane has room, and
// keeps it until it is acknowledged.
//
//   write ──▶ fresh ──▶ ┌──────────┐ ──▶ under way on a lane ── acknowledged ──▶ forgotten
//   lost  ──▶ again ──▶ │ schedule │        │
//               ▲       └──────────┘        │ the lane is gone, or silent
//               └───────────────────────────┘
//
// Pure: time is passed in, in ms.

import { type Message, PipeError, pieces, sizeOf } from '@striper/core'
import { Fifo } from './fifo.ts'
import type { Lane, Parcel } from './lane.ts'
import { deliveryMs, type Schedule } from './schedule.ts'
import { type Ack, END, INITIAL_CREDIT, MAX_PARCELS_UNDER_WAY, PARCEL } from './wire.ts'

/** Copies that need not be, in bytes: so many, and this share of all that was sent. */
const FREE_COPY_BYTES = 1024 * 1024
const COPY_SHARE = 0.02
/** How many parcels at the head of the line are looked at, and how much sooner a copy must come, in ms. */
const HEAD_PARCELS = 4
const EARLIER_MS = 10
/** How often a lane that gets nothing is measured, in ms. */
const PROBE_MS = 2000
const LEAST_LAG_MS = 100
const MOST_LAG_MS = 2000

interface Sending {
  readonly parcel: Parcel
  readonly lane: Lane
}

export class Sender {
  readonly #schedule: Schedule
  readonly #windowBytes: number
  readonly #lanes: ReadonlyMap<number, Lane>
  readonly #fresh = new Fifo<Parcel>()
  readonly #retained = new Map<number, Parcel>() // every one that has not arrived, for all we know
  #again: Parcel[] = [] // by number
  #next = 0 // number of the next parcel that is written
  #unsent = 0 // number of the next that is sent for the first time
  #floor = 0 // every number below has arrived
  #sentBytes = 0 // of parcels, each counted once
  #limit = INITIAL_CREDIT
  #turn = 0
  #end: Parcel | undefined
  retainedBytes = 0
  copiedBytes = 0

  /** Whether the writer is held back, so that there is always more to send. */
  endless = false

  constructor(schedule: Schedule, lanes: ReadonlyMap<number, Lane>, windowBytes: number) {
    this.#schedule = schedule
    this.#windowBytes = windowBytes
    this.#lanes = lanes
  }

  /** Whether what was written waits for a lane or for credit: time to write no more. */
  get backlog(): boolean {
    return this.#fresh.length > 0
  }

  /** Whether a parcel waits for credit alone. */
  get starved(): boolean {
    const head = this.#fresh.head
    return head !== undefined && this.#sentBytes + head.bytes > this.#limit
  }

  /** Whether the END and everything before it has arrived. */
  get finished(): boolean {
    return this.#end?.arrived === true && this.#retained.size === 0
  }

  write(message: Message): void {
    this.#queue(PARCEL, pieces(message), sizeOf(message))
  }

  end(): void {
    this.#end ??= this.#queue(END, [], 0)
  }

  /** The next parcel and the lane to send it on, or undefined while there is none or no room. */
  next(now: number): Sending | undefined {
    const views: Lane[] = []
    let open = 0
    for (const lane of this.#lanes.values()) {
      if (lane.open) open++
      if (lane.open || lane.state === 'working') views.push(lane)
    }
    if (open === 0) return undefined
    return (
      this.#sendAgain(views, now) ??
      this.#sendFresh(views, now) ??
      this.#sendEarlier(views, now) ??
      this.#sendProbe(views, now)
    )
  }

  /** An ACK came. Throws ERR_PIPE_PROTOCOL where it acknowledges what was never sent. */
  ack(ack: Ack, now: number): void {
    if (ack.floor > this.#unsent) {
      throw protocol(`all below ${ack.floor} acknowledged, ${this.#unsent} sent`)
    }
    for (const { lane: number, received, delayMs } of ack.lanes) {
      const lane = this.#lanes.get(number)
      if (lane === undefined) continue // it has gone meanwhile; the floor will say what is needed
      if (received > lane.sent) {
        throw protocol(`${received} acknowledged on lane ${number}, ${lane.sent} sent`)
      }
      lane.ack(received, delayMs, now, this.#arrived)
    }
    for (; this.#floor < ack.floor; this.#floor++) {
      const parcel = this.#retained.get(this.#floor)
      if (parcel) this.#arrived(parcel)
    }
    if (ack.limit > this.#limit) this.#limit = ack.limit
  }

  /** There is nothing to send, though the lanes would take more: their rates are only lower bounds. */
  idle(): void {
    for (const lane of this.#lanes.values()) lane.meter.starved(lane.inFlight)
  }

  /** A lane is gone, and what was under way on it is sent again. */
  lost(lane: Lane): void {
    for (const { parcel } of lane.flight) {
      parcel.lanes.splice(parcel.lanes.indexOf(lane), 1)
    }
    this.giveUp(lane)
  }

  /** Lanes whose oldest parcel is late are not what they were: what is under way on them goes by others as
   *  well, as far as copies may go. */
  rescue(now: number): void {
    if (this.#lanes.size < 2) return
    for (const lane of this.#lanes.values()) {
      if ((lane.lateAt ?? Infinity) > now) continue
      lane.late(now)
      this.giveUp(lane)
    }
  }

  /** What is under way on a lane may never arrive: it is sent again, on another. */
  giveUp(lane: Lane): void {
    const lost: Parcel[] = []
    for (const { parcel } of lane.flight) {
      if (parcel.arrived || parcel.waiting || isOnAnother(parcel, lane)) continue
      parcel.waiting = true
      lost.push(parcel)
    }
    if (lost.length > 0) {
      this.#again = [...this.#again, ...lost].sort((a, b) => a.number - b.number)
    }
  }

  readonly #arrived = (parcel: Parcel): void => {
    if (parcel.arrived) return
    parcel.arrived = true
    parcel.pieces = [] // a lane that is silent need not keep them
    this.#retained.delete(parcel.number)
    this.retainedBytes -= parcel.bytes
  }

  #queue(type: typeof PARCEL | typeof END, parts: readonly Buffer[], bytes: number): Parcel {
    const number = this.#next++
    const parcel: Parcel = {
      number,
      type,
      pieces: parts,
      bytes,
      lanes: [],
      dueAt: Infinity,
      arrived: false,
      waiting: false,
    }
    this.#fresh.push(parcel)
    this.#retained.set(number, parcel)
    this.retainedBytes += bytes
    return parcel
  }

  /** What was lost, or is late, on another lane. */
  #sendAgain(views: readonly Lane[], now: number): Sending | undefined {
    if (this.#again.length === 0) return undefined
    this.#again = this.#again.filter(parcel => !parcel.arrived)
    for (const [index, parcel] of this.#again.entries()) {
      const lane = this.#choose(parcel, without(views, parcel))
      if (lane === undefined) continue
      this.#again.splice(index, 1)
      parcel.waiting = false
      return this.#copy(parcel, lane, now)
    }
    return undefined
  }

  #sendFresh(views: readonly Lane[], now: number): Sending | undefined {
    const parcel = this.#fresh.head
    if (parcel === undefined || this.#sentBytes + parcel.bytes > this.#limit) return undefined
    if (parcel.number >= this.#floor + MAX_PARCELS_UNDER_WAY) return undefined
    const lane = this.#choose(parcel, views)
    if (lane === undefined) return undefined
    this.#fresh.shift()
    this.#unsent++
    this.#sentBytes += parcel.bytes
    return this.#send(parcel, lane, false, now)
  }

  /** With nothing else to send: the head of the line, where another lane would deliver it much sooner. */
  #sendEarlier(views: readonly Lane[], now: number): Sending | undefined {
    if (this.#fresh.length > 0 && !this.starved) return undefined // waiting for a better lane
    let looked = 0
    for (const parcel of this.#retained.values()) {
      if (parcel.lanes.length !== 1 || ++looked > HEAD_PARCELS) break
      if (!this.#mayCopy(parcel)) break
      const lane = this.#choose(parcel, without(views, parcel))
      if (lane?.rate === undefined) continue
      const sooner = now + 2 * deliveryMs(lane, parcel.bytes) + EARLIER_MS
      if (sooner < parcel.dueAt) return this.#copy(parcel, lane, now)
    }
    return undefined
  }

  /** A lane that gets nothing, for it was too slow when last measured, is measured again now and then: with
   *  a copy, for which nobody waits. */
  #sendProbe(views: readonly Lane[], now: number): Sending | undefined {
    for (const lane of views) {
      if (!lane.open || lane.flight.length > 0 || now < lane.sentAt + PROBE_MS) continue
      for (const parcel of this.#retained.values()) {
        if (parcel.lanes.length === 0 || parcel.lanes.includes(lane)) continue
        return this.#mayCopy(parcel) ? this.#copy(parcel, lane, now) : undefined
      }
    }
    return undefined
  }

  #copy(parcel: Parcel, lane: Lane, now: number): Sending {
    this.copiedBytes += parcel.bytes
    return this.#send(parcel, lane, true, now)
  }

  #send(parcel: Parcel, lane: Lane, again: boolean, now: number): Sending {
    lane.lastTurn = ++this.#turn
    lane.send(parcel, again, now)
    return { parcel, lane }
  }

  /** Whether a copy that need not be is within what copies may cost. */
  #mayCopy(parcel: Parcel): boolean {
    return this.copiedBytes + parcel.bytes <= FREE_COPY_BYTES + this.#sentBytes * COPY_SHARE
  }

  #choose(parcel: Parcel, lanes: readonly Lane[]): Lane | undefined {
    if (!lanes.some(lane => lane.open)) return undefined
    const { endless } = this
    const chosen = this.#schedule(lanes, { bytes: parcel.bytes, endless, lagMs: this.#lagMs() })
    return chosen && this.#lanes.get(chosen.number)
  }

  /** How long the best lanes may run ahead of a slow one, before the reader's window is half full. */
  #lagMs(): number {
    let rates = 0
    for (const lane of this.#lanes.values()) rates += lane.rate ?? 0
    const lag = rates > 0 ? this.#windowBytes / 2 / rates : Infinity
    return Math.min(Math.max(lag, LEAST_LAG_MS), MOST_LAG_MS)
  }
}

function without(lanes: readonly Lane[], parcel: Parcel): readonly Lane[] {
  return lanes.filter(lane => !parcel.lanes.includes(lane))
}

function isOnAnother(parcel: Parcel, than: Lane): boolean {
  return parcel.lanes.some(lane => lane !== than && lane.state !== 'suspect')
}

function protocol(sentence: string): PipeError {
  return new PipeError('ERR_PIPE_PROTOCOL', sentence)
}
