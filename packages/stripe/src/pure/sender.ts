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
import type { Schedule } from './schedule.ts'
import { type Ack, END, INITIAL_CREDIT, MAX_PARCELS_UNDER_WAY, PARCEL } from './wire.ts'

interface Sending {
  readonly parcel: Parcel
  readonly lane: Lane
}

export class Sender {
  readonly #schedule: Schedule
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

  constructor(schedule: Schedule, lanes: ReadonlyMap<number, Lane>) {
    this.#schedule = schedule
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
    const open: Lane[] = []
    for (const lane of this.#lanes.values()) if (lane.takes) open.push(lane)
    return open.length === 0
      ? undefined
      : (this.#sendAgain(open, now) ?? this.#sendFresh(open, now))
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
      arrived: false,
      waiting: false,
    }
    this.#fresh.push(parcel)
    this.#retained.set(number, parcel)
    this.retainedBytes += bytes
    return parcel
  }

  #sendAgain(open: readonly Lane[], now: number): Sending | undefined {
    this.#again = this.#again.filter(parcel => !parcel.arrived)
    for (const [index, parcel] of this.#again.entries()) {
      const others = open.filter(lane => !parcel.lanes.includes(lane))
      const lane = this.#choose(parcel, others)
      if (lane === undefined) continue
      this.#again.splice(index, 1)
      parcel.waiting = false
      this.copiedBytes += parcel.bytes
      return this.#send(parcel, lane, true, now)
    }
    return undefined
  }

  #sendFresh(open: readonly Lane[], now: number): Sending | undefined {
    const parcel = this.#fresh.head
    if (parcel === undefined || this.#sentBytes + parcel.bytes > this.#limit) return undefined
    if (parcel.number >= this.#floor + MAX_PARCELS_UNDER_WAY) return undefined
    const lane = this.#choose(parcel, open)
    if (lane === undefined) return undefined
    this.#fresh.shift()
    this.#unsent++
    this.#sentBytes += parcel.bytes
    return this.#send(parcel, lane, false, now)
  }

  #send(parcel: Parcel, lane: Lane, again: boolean, now: number): Sending {
    lane.lastTurn = ++this.#turn
    lane.send(parcel, again, now)
    return { parcel, lane }
  }

  #choose(parcel: Parcel, lanes: readonly Lane[]): Lane | undefined {
    if (lanes.length < 2) return lanes[0]
    const chosen = this.#schedule(lanes, parcel.bytes)
    return chosen && this.#lanes.get(chosen.number)
  }
}

function isOnAnother(parcel: Parcel, than: Lane): boolean {
  return parcel.lanes.some(lane => lane !== than && lane.state !== 'suspect')
}

function protocol(sentence: string): PipeError {
  return new PipeError('ERR_PIPE_PROTOCOL', sentence)
}
