// Copies: which parcels are sent a second time, and why.
//
//   lost     its lane is gone, or silent             always, before anything new
//   late     its lane is slower than it was          the oldest always, more within the budget
//   twin     the stripe is redundant                 at once, where a second lane is open
//   earlier  the head of the line, nothing to send   where another lane delivers it much sooner
//   probe    a lane that gets nothing for its pace   now and then, to see whether it has changed
//
// What need not be copied is within a budget: an endless stream costs 2 % more at most.
//
// Pure: time is passed in, in ms.

import type { Fifo } from './fifo.ts'
import type { Lane, Parcel } from './lane.ts'
import { deliveryMs } from './schedule.ts'

/** Copies that need not be, in bytes: so many, and this share of all that was sent. */
const FREE_COPY_BYTES = 1024 * 1024
const COPY_SHARE = 0.02
/** How many parcels at the head of the line are looked at, and how much sooner a copy must come, in
 *  ms. */
const HEAD_PARCELS = 4
const EARLIER_MS = 10
/** How often a lane that gets nothing is measured, in ms. */
const PROBE_MS = 2000
/** With less left of the budget, in bytes, nothing is copied that is not lost. */
const LEAST_BUDGET_BYTES = 64 * 1024

/** A parcel, and the lane to copy it to. */
export interface Copying {
  readonly parcel: Parcel
  readonly lane: Lane
}

/** Picks a lane for a parcel, of those given; undefined to wait. */
export type Choose = (parcel: Parcel, lanes: readonly Lane[]) => Lane | undefined

export class Copies {
  readonly #choose: Choose
  #lost: Parcel[] = [] // by number
  #twin: Parcel | undefined
  #bytes = 0

  constructor(choose: Choose) {
    this.#choose = choose
  }

  /** Bytes that were sent again. */
  get bytes(): number {
    return this.#bytes
  }

  /** What is under way on a lane may never arrive, or not in time: it has to be sent again, on
   *  another; the oldest of it, and more up to `mostBytes`. */
  giveUp(lane: Lane, mostBytes = Infinity): void {
    const lost: Parcel[] = []
    let bytes = 0
    for (const { parcel } of lane.flight) {
      if (parcel.arrived || parcel.waiting || isOnAnother(parcel, lane)) continue
      bytes += parcel.bytes
      if (bytes > mostBytes && lost.length > 0) break
      parcel.waiting = true
      lost.push(parcel)
    }
    if (lost.length > 0) this.#lost = [...this.#lost, ...lost].sort((a, b) => a.number - b.number)
  }

  /** Bytes that may still be copied though nothing is lost, where `sentBytes` were sent in all. */
  budget(sentBytes: number): number {
    return FREE_COPY_BYTES + sentBytes * COPY_SHARE - this.#bytes
  }

  /** What has to be sent again, before anything new. */
  nextLost(views: readonly Lane[]): Copying | undefined {
    if (this.#lost.length === 0) return undefined
    this.#lost = this.#lost.filter(parcel => !parcel.arrived)
    for (const [index, parcel] of this.#lost.entries()) {
      const lane = this.#choose(parcel, without(views, parcel))
      if (lane === undefined) continue
      this.#lost.splice(index, 1)
      parcel.waiting = false
      return this.#count(parcel, lane)
    }
    return undefined
  }

  /** A parcel was sent that is to go on a second lane as well. */
  twin(parcel: Parcel): void {
    this.#twin = parcel
  }

  /** The copy that redundancy asks for. Where no second lane is open now, there is none. */
  nextTwin(views: readonly Lane[]): Copying | undefined {
    const parcel = this.#twin
    this.#twin = undefined
    if (parcel === undefined || parcel.arrived) return undefined
    const lane = this.#choose(parcel, without(views, parcel))
    return lane && this.#count(parcel, lane)
  }

  /** With nothing new to send: the head of the line, where another lane delivers it much sooner.
   *  `retained` is in order, some of it arrived; `sentBytes` is what was sent in all. */
  nextEarlier(
    views: readonly Lane[],
    retained: Fifo<Parcel>,
    sentBytes: number,
    now: number,
  ): Copying | undefined {
    const budget = this.budget(sentBytes)
    if (budget < LEAST_BUDGET_BYTES) return undefined
    let looked = 0
    for (let index = 0; index < retained.length; index++) {
      const parcel = retained.at(index)!
      if (parcel.arrived) continue
      if (parcel.lanes.length !== 1 || ++looked > HEAD_PARCELS) break
      if (parcel.bytes > budget) break
      if (parcel.dueAt <= now + EARLIER_MS) continue // no lane is as quick as that
      const lane = this.#choose(parcel, without(views, parcel))
      if (lane?.rate === undefined) continue
      const copyAt = now + 2 * deliveryMs(lane, parcel.bytes) + EARLIER_MS
      if (copyAt < parcel.dueAt) return this.#count(parcel, lane)
    }
    return undefined
  }

  /** Anything, to measure a lane that has had nothing for a while. */
  nextProbe(
    views: readonly Lane[],
    retained: Fifo<Parcel>,
    sentBytes: number,
    now: number,
  ): Copying | undefined {
    const budget = this.budget(sentBytes)
    if (budget < LEAST_BUDGET_BYTES) return undefined
    for (const lane of views) {
      if (lane.flight.length > 0 || now < lane.sentAt + PROBE_MS || !lane.open) continue
      for (let index = 0; index < retained.length; index++) {
        const parcel = retained.at(index)!
        if (parcel.arrived || parcel.bytes > budget) continue
        if (parcel.lanes.length > 0 && !parcel.lanes.includes(lane)) {
          return this.#count(parcel, lane)
        }
      }
    }
    return undefined
  }

  #count(parcel: Parcel, lane: Lane): Copying {
    this.#bytes += parcel.bytes
    return { parcel, lane }
  }
}

function without(lanes: readonly Lane[], parcel: Parcel): readonly Lane[] {
  return lanes.filter(lane => !parcel.lanes.includes(lane))
}

function isOnAnother(parcel: Parcel, than: Lane): boolean {
  return parcel.lanes.some(lane => lane !== than && lane.state !== 'suspect')
}
