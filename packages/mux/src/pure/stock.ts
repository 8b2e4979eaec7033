// Stock: what all channels together hold for their readers, and how large their windows may be.
//
// Each channel's window bounds its own; here is what bounds the sum: the windows share what they
// may grow by, and parcels are counted, for each costs some memory beside its bytes.
//
// Pure.

import { compact, whole } from '@striper/core'
import { type ChannelCore, limit } from './channel.ts'
import { WindowPool } from './pool.ts'

/** Parcels that may be held by all channels together. */
export const MAX_HELD_IN_ALL = 262_144

export class Stock {
  readonly #own: WindowPool
  readonly #pools: readonly WindowPool[]
  #parcels = 0
  /** Bytes that wait for readers, or for bytes before them. */
  heldBytes = 0

  /** `totalWindowBytes`: what the windows may grow by in all; `shared`: with those of others. */
  constructor(totalWindowBytes: number, shared?: WindowPool) {
    this.#own = new WindowPool(totalWindowBytes)
    this.#pools = shared ? [this.#own, shared] : [this.#own]
  }

  /** What the windows of all channels have grown by. */
  get grownBytes(): number {
    return this.#own.takenBytes
  }

  /** Bytes came for a channel. Throws a PipeError where they may not. */
  add({ incoming, wanted }: ChannelCore<unknown>, offset: number, bytes: Buffer): void {
    if (this.#parcels >= MAX_HELD_IN_ALL) throw limit(`${MAX_HELD_IN_ALL} parcels held`)
    const before = incoming.parcels
    // Thousands of channels that are not read must not keep a large buffer alive each.
    incoming.data(offset, wanted ? bytes : compact(bytes))
    this.heldBytes += bytes.length
    this.#parcels += incoming.parcels - before
  }

  /** Takes the next bytes for a channel's reader; undefined while they have not come. */
  take({ incoming, gone }: ChannelCore<unknown>): Buffer | undefined {
    const next = incoming.next()
    const bytes = next && whole(next)
    if (bytes === undefined) {
      incoming.wanting()
    } else if (!gone) {
      this.heldBytes -= bytes.length
      this.#parcels--
    }
    return bytes
  }

  /** A channel's writer is blocked at a limit. If its reader waits, the window is what both wait
   *  for, and it grows where there is room. */
  grow(channel: ChannelCore<unknown>, offset: number): boolean {
    const { growth, grown } = channel
    if (!channel.wanted || !this.#pools.every(pool => pool.has(growth))) return false
    channel.incoming.blocked(offset)
    this.#take(channel.grown - grown)
    return true
  }

  /** A channel is gone, and what it held. */
  forget({ incoming, grown }: ChannelCore<unknown>): void {
    this.heldBytes -= incoming.held
    this.#parcels -= incoming.parcels
    this.#take(-grown)
  }

  #take(bytes: number): void {
    for (const pool of this.#pools) pool.take(bytes)
  }
}
