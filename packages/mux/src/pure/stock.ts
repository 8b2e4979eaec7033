// Stock: what all channels together hold for their readers, and how large their windows may be.
//
// Each channel's window bounds its own; here is what bounds the sum: the windows share what they
// may grow by, and parcels are counted, for each costs some memory beside its bytes.
//
// Pure.

import { compact } from '@striper/core'
import { type ChannelCore, limit } from './channel.ts'

/** Parcels that may be held by all channels together. */
export const MAX_HELD_IN_ALL = 262_144

export class Stock {
  readonly #totalWindow: number
  #parcels = 0
  /** Bytes that wait for readers, or for bytes before them. */
  heldBytes = 0
  /** What the windows of all channels have grown by. */
  grownBytes = 0

  /** `totalWindowBytes`: what the windows may grow by in all. */
  constructor(totalWindowBytes: number) {
    this.#totalWindow = totalWindowBytes
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
    const bytes = incoming.next()
    if (bytes === undefined) {
      incoming.wanting()
    } else if (!gone) {
      this.heldBytes -= bytes.length
      this.#parcels--
    }
    return bytes
  }

  /** A channel's writer is blocked at a limit. If its reader waits, the window is what both wait
   *  for, and it grows where there is room: by half of what is left, at most, so that there is
   *  always some for the next. */
  grow(channel: ChannelCore<unknown>, offset: number): boolean {
    const { growth, grown } = channel
    if (!channel.wanted || growth > (this.#totalWindow - this.grownBytes) / 2) return false
    channel.incoming.blocked(offset)
    this.grownBytes += channel.grown - grown
    return true
  }

  /** A channel is gone, and what it held. */
  forget({ incoming, grown }: ChannelCore<unknown>): void {
    this.heldBytes -= incoming.held
    this.#parcels -= incoming.parcels
    this.grownBytes -= grown
  }
}
