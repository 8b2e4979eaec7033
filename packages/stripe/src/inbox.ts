// Inbox: what has come for the reader of a stripe and waits until it is wanted.

import { compact, type Loan, type Message, sizeOf, whole } from '@striper/core'
import { Fifo } from './pure/fifo.ts'

/** Who gets what has come. */
export interface Reader {
  /** Takes a parcel, its memory maybe on loan, and says whether more is wanted. */
  give(parcel: Message, loan: Loan | undefined): boolean
  /** So many bytes have been given. */
  taken(bytes: number): void
  /** Everything has been given. */
  end(): void
}

export class Inbox {
  readonly #reader: Reader
  readonly #parcels = new Fifo<{ parcel: Message; loan: Loan | undefined }>()
  #wanted = false
  #ended = false // behind the last parcel

  constructor(reader: Reader) {
    this.#reader = reader
  }

  /** The reader wants more. */
  want(): void {
    this.#wanted = true
    this.#give()
  }

  push(parcel: Message, loan: Loan | undefined): void {
    const kept = this.#wanted ? parcel : compact(whole(parcel))
    if (kept !== parcel) loan?.release()
    this.#parcels.push({ parcel: kept, loan: kept === parcel ? loan : undefined })
    this.#give()
  }

  /** Nothing comes after this. */
  end(): void {
    this.#ended = true
    this.#give()
  }

  /** Nobody wants what is left. */
  clear(): void {
    this.#wanted = false
    while (this.#parcels.length > 0) this.#parcels.shift()!.loan?.release()
  }

  #give(): void {
    let taken = 0
    while (this.#wanted && this.#parcels.length > 0) {
      const { parcel, loan } = this.#parcels.shift()!
      taken += sizeOf(parcel)
      this.#wanted = this.#reader.give(parcel, loan)
    }
    if (taken > 0) this.#reader.taken(taken)
    if (!this.#ended || this.#parcels.length > 0) return
    this.#ended = false
    this.#reader.end()
  }
}
