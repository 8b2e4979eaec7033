// A parcel pipe that does what parcels may do: each arrives once, in any order.
//
// It is a layer on the receiving end of a message pipe. It holds a few messages back, and lets go
// of a random one as others come; when nothing comes for a moment it lets go of all, in an order of
// chance.

import {
  type Codec,
  type MessagePipe,
  type MessageSizes,
  type ParcelPipe,
  whole,
  WrapPipe,
} from '@striper/core'
import { type Rng, rng } from '@striper/testkit'

/** At most so many messages are overtaken. */
const HELD = 12

export function shuffle(below: MessagePipe, seed: number): ParcelPipe {
  return new ShufflePipe(below, rng(seed))
}

const asTheyAre: Codec = {
  encode: message => [whole(message)],
  decode: (message, give) => give(message),
  finish: () => undefined,
}

class ShufflePipe extends WrapPipe<'parcels'> implements MessageSizes {
  readonly maxMessageBytes: number
  readonly preferredMessageBytes: number
  readonly #chance: Rng
  readonly #held: Buffer[] = []
  #timer: ReturnType<typeof setImmediate> | undefined

  constructor(below: MessagePipe, chance: Rng) {
    super(below, { kind: 'parcels', label: `shuffle(${below.label})`, codec: asTheyAre })
    this.maxMessageBytes = below.maxMessageBytes
    this.preferredMessageBytes = 1000 // many parcels, so that there is much to shuffle
    this.#chance = chance
    this.once('close', () => clearImmediate(this.#timer))
  }

  protected override receive(message: Buffer): void {
    this.#held.push(message)
    if (this.#held.length > HELD) this.#letGo()
    this.#timer ??= setImmediate(() => {
      this.#timer = undefined
      this.#letAllGo()
    })
  }

  protected override finish(): void {
    this.#letAllGo()
    super.finish()
  }

  #letGo(): void {
    const [message] = this.#held.splice(this.#chance.integer(0, this.#held.length - 1), 1)
    super.receive(message!)
  }

  #letAllGo(): void {
    while (this.#held.length > 0 && !this.destroyed) this.#letGo()
  }
}
