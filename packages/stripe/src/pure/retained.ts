// Retained: what was sent and has not arrived for all we know, in the order of its numbers. What
// has arrived before its time stays in its place, empty, until all before it has arrived too.
//
// Memory on loan is held by whoever needs it, each with a share of its own: by this until the
// parcel has arrived, and by each lane that it was given to until the system has it. A far end that
// acknowledges what it has not got must not see it change.
//
// Pure: no clock.

import { Fifo } from './fifo.ts'
import type { Parcel } from './lane.ts'
import type { Written } from './outbox.ts'

export class Retained {
  /** From the first that has not arrived on. */
  readonly parcels = new Fifo<Parcel>()
  #bytes = 0

  /** Bytes of those that have not arrived. */
  get bytes(): number {
    return this.#bytes
  }

  /** Makes a parcel of what was written. */
  push(number: number, { type, pieces, bytes, loan }: Written): Parcel {
    const parcel: Parcel = {
      number,
      type,
      pieces,
      bytes,
      loan,
      lanes: [],
      dueAt: Infinity,
      arrived: false,
      waiting: false,
    }
    this.parcels.push(parcel)
    this.#bytes += bytes
    return parcel
  }

  /** Nothing will be sent again. */
  clear(): void {
    for (const parcel of this.parcels) endLoan(parcel)
  }

  /** A parcel has arrived; again, maybe. */
  readonly arrived = (parcel: Parcel): void => {
    if (parcel.arrived) return
    parcel.arrived = true
    parcel.pieces = [] // a lane that is silent need not keep them
    endLoan(parcel)
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

function endLoan(parcel: Parcel): void {
  parcel.loan?.done()
  parcel.loan = undefined
}
