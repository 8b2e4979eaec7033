// Retained: what was sent and has not arrived for all we know, in the order of its numbers. What
// has arrived before its time stays in its place, empty, until all before it has arrived too.
//
// Pure: no clock.

import { Fifo } from './fifo.ts'
import type { Parcel } from './lane.ts'

export class Retained {
  /** From the first that has not arrived on. */
  readonly parcels = new Fifo<Parcel>()
  #bytes = 0

  /** Bytes of those that have not arrived. */
  get bytes(): number {
    return this.#bytes
  }

  push(parcel: Parcel): void {
    this.parcels.push(parcel)
    this.#bytes += parcel.bytes
  }

  /** A parcel has arrived; again, maybe. */
  readonly arrived = (parcel: Parcel): void => {
    if (parcel.arrived) return
    parcel.arrived = true
    parcel.pieces = [] // a lane that is silent need not keep them
    this.#bytes -= parcel.bytes
    while (this.parcels.head?.arrived) this.parcels.shift()
  }

  /** Every number below `floor` has arrived. */
  arrivedBelow(floor: number): void {
    for (;;) {
      const { head } = this.parcels
      if (head === undefined || head.number >= floor) return
      this.arrived(head)
    }
  }
}
