// Inbox: what has come for the reader of a stripe and waits until it is wanted.

import { compact } from '@striper/core'
import { Fifo } from './pure/fifo.ts'

export class Inbox {
  readonly #parcels = new Fifo<Buffer>()
  #wanted = false
  #ended = false // behind the last parcel

  /** The reader wants more. */
  want(): void {
    this.#wanted = true
  }

  push(parcel: Buffer): void {
    this.#parcels.push(this.#wanted ? parcel : compact(parcel))
  }

  /** Nothing comes after this. */
  end(): void {
    this.#ended = true
  }

  /** Gives the reader what it wants: to `deliver`, which says whether it wants more. The bytes that
   *  it took. */
  release(deliver: (parcel: Buffer) => boolean): number {
    let taken = 0
    while (this.#wanted && this.#parcels.length > 0) {
      const parcel = this.#parcels.shift()!
      taken += parcel.length
      this.#wanted = deliver(parcel)
    }
    return taken
  }

  /** Whether the reader has everything, up to the end; true once. */
  takeEnd(): boolean {
    if (!this.#ended || this.#parcels.length > 0) return false
    this.#ended = false
    return true
  }
}
