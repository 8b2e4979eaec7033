// MuxCore: the protocol of a mux. It knows the channels that are there, and those that are gone.
//
//   open, write, finish, take, close, drain ──▶ ┌─────────┐ ──▶ poll: the next message to send
//                                 receive ────▶ └─────────┘ ──▶ what to tell the channel's user
//
// Pure: no streams, no clock; time is passed in, in ms. Every step is O(1) in the number of
// channels. What this end sends is in outbox.ts, what it holds in stock.ts.

import { INITIAL_CREDIT } from '@striper/reassemble/pure'
import { Bucket } from './bucket.ts'
import { ChannelCore, limit, protocol } from './channel.ts'
import { Outbox, type Output } from './outbox.ts'
import type { WindowPool } from './pool.ts'
import { Seen } from './seen.ts'
import { Stock } from './stock.ts'
import * as wire from './wire.ts'
import type { MuxMessage, Opening, Priority } from './wire.ts'

/** Refusals that wait to be sent: beyond these the peer opens channels and does not read. */
export const MAX_REFUSALS_DUE = 16_384
/** Channels that the peer may open and then reset: so many at once, */
export const RESETS = 1000
/** and so many each second. Beyond that what it opens is refused. */
export const RESETS_PER_SECOND = 33

/** The limits of a mux, as in MuxOptions, and whether this end dials. */
export interface MuxLimits {
  readonly dials: boolean
  readonly windowBytes: number
  readonly totalWindowBytes: number
  readonly maxChannels: number
  readonly backlog: number
  readonly pool?: WindowPool
}

/** What has to be told after a message has come. */
export type Effect<P> =
  | { do: 'opened'; channel: ChannelCore<P> } // by the peer
  | { do: 'readable'; channel: ChannelCore<P> } // there may be bytes for its reader, or its end
  | { do: 'reset'; channel: ChannelCore<P>; error: Error } // by the peer

export class MuxCore<P> {
  readonly #limits: MuxLimits
  /** What the channels hold for their readers. */
  readonly stock: Stock
  readonly #channels = new Map<number, ChannelCore<P>>() // by number: those with an OPEN on its way
  readonly #outbox: Outbox<P>
  readonly #seen = new Seen()
  readonly #resets = new Bucket(RESETS, RESETS_PER_SECOND)
  readonly #bits: number // of our channels' numbers: the lowest bit says who opened
  #unopened = 0 // of the channels: those for which something has come, and no OPEN yet
  #waiting = 0
  #peerOpened: number | undefined // as its GOAWAY said
  /** Channels that were opened, at either end; and those of the peer that were refused. */
  opened = 0
  refused = 0

  constructor(limits: MuxLimits) {
    this.#limits = limits
    this.stock = new Stock(limits.totalWindowBytes, limits.pool)
    this.#bits = limits.dials ? 0 : 1
    this.#outbox = new Outbox(this.#bits, channel => this.#channels.set(channel.number, channel))
  }

  /** The channels that are open. */
  *channels(): Generator<ChannelCore<P>> {
    yield* this.#outbox.unsent
    for (const channel of this.#channels.values()) if (channel.opened) yield channel
  }

  /** How many channels are open. */
  get size(): number {
    return this.#outbox.unsent.size + this.#channels.size - this.#unopened
  }

  /** Channels of the peer that nobody has taken into use. */
  get waiting(): number {
    return this.#waiting
  }

  /** Bytes that wait to be sent. */
  get queuedBytes(): number {
    return this.#outbox.queuedBytes
  }

  /** Whether neither end opens channels any more. */
  get draining(): boolean {
    return this.#outbox.goaway !== 'no'
  }

  /** Whether there is no channel any more, nor will there be one, and both ends know. */
  get over(): boolean {
    if (this.#outbox.goaway !== 'sent' || this.#peerOpened === undefined) return false
    if (this.#channels.size + this.#outbox.unsent.size > 0 || this.#outbox.resets > 0) return false
    return this.#seen.all(this.#peerOpened)
  }

  /** Whether the peer has nothing more to say, so that it may end what is below. */
  get heardAll(): boolean {
    if (this.#peerOpened === undefined || !this.#seen.all(this.#peerOpened)) return false
    for (const channel of this.#channels.values()) if (!channel.done) return false
    return this.#outbox.unsent.size === 0
  }

  /** Opens a channel, which is to be started; undefined where there are as many as there may be */
  open(header: Buffer, priority: Priority | undefined): ChannelCore<P> | undefined {
    if (this.size + this.#unopened >= this.#limits.maxChannels) return undefined
    const channel = new ChannelCore<P>(true, this.#limits.windowBytes, { header, priority })
    this.#outbox.unsent.add(channel)
    this.opened++
    return channel
  }

  /** The OPEN of a channel is due, with what was written meanwhile. */
  start(channel: ChannelCore<P>): void {
    if (!channel.gone) this.#outbox.add(channel)
  }

  /** A channel that is none: there may be no more. */
  closed(header: Buffer, priority: Priority | undefined): ChannelCore<P> {
    const channel = new ChannelCore<P>(true, INITIAL_CREDIT, { header, priority })
    channel.gone = true
    return channel
  }

  /** Somebody reads a channel, or writes to it: it waits in the backlog no longer. */
  use(channel: ChannelCore<P>): void {
    if (!channel.waiting) return
    channel.waiting = false
    this.#waiting--
  }

  write(channel: ChannelCore<P>, chunk: Buffer): void {
    if (!channel.gone) this.#outbox.write(channel, chunk)
  }

  /** END is due, behind what was written. */
  finish(channel: ChannelCore<P>): void {
    channel.ending = true
    if (!channel.gone) this.#outbox.add(channel)
  }

  /** Takes the next bytes for a channel's reader; undefined while they have not come. */
  take(channel: ChannelCore<P>): Buffer | undefined {
    const bytes = this.stock.take(channel)
    if (bytes && !channel.gone) this.#grant(channel)
    return bytes
  }

  /** A channel is over at this end; with a code, before its time, and the peer is told. */
  close(channel: ChannelCore<P>, code?: number, reason = ''): void {
    if (channel.gone) return
    const { number } = channel
    this.#forget(channel)
    if (code === undefined || number < 0) return
    this.#outbox.reset(number, code, reason)
  }

  /** No more channels, at either end. */
  drain(): void {
    if (this.#outbox.goaway === 'no') this.#outbox.goaway = 'due'
  }

  /** The next message to send, at most so many bytes long where it has payload. `urgent`: only one
   *  that may overtake others. */
  poll(parcelBytes: number, urgent = false): Output<P> | undefined {
    return this.#outbox.poll(parcelBytes, urgent)
  }

  /** A message came. Throws a PipeError where the peer may not send it: that is the end of all
   *  channels. */
  receive(bytes: Buffer, now: number): Effect<P> | undefined {
    const message = wire.decode(bytes)
    if (message.type === wire.GOAWAY) {
      this.#goaway(message.opened)
      return undefined
    }
    const channel = this.#find(message, now)
    if (channel === undefined) return undefined
    switch (message.type) {
      case wire.OPEN:
        return this.#open(channel, message.opening, message.bytes, now)
      case wire.DATA:
        this.stock.add(channel, message.offset, message.bytes)
        break
      case wire.END:
        channel.incoming.end(message.offset)
        break
      case wire.CREDIT:
        channel.outgoing.credit(message.offset)
        if (channel.opened) this.#outbox.add(channel)
        return undefined
      case wire.BLOCKED:
        if (this.stock.grow(channel, message.offset)) this.#grant(channel)
        return undefined
      case wire.RESET:
        return this.#reset(channel, message.code, message.reason, now)
    }
    return channel.opened ? { do: 'readable', channel } : undefined
  }

  /** The channel of a message; undefined where it is gone. One that the peer may have opened is
   *  made, though its OPEN has not come yet. */
  #find(message: Exclude<MuxMessage, { opened: number }>, now: number): ChannelCore<P> | undefined {
    const { channel: number, type } = message
    const own = number % 2 === this.#bits
    const index = Math.floor(number / 2)
    const known = this.#channels.get(number)
    if (type === wire.OPEN && (own || known?.opened)) throw protocol(`channel ${number} came twice`)
    if (known) return known
    if (type === wire.RESET) this.#outbox.unreset(number) // the peer knows already
    if (own) {
      if (index >= this.#outbox.opened) throw protocol(`channel ${number} was never opened`)
      return undefined
    }
    if (index >= (this.#peerOpened ?? Infinity)) throw protocol(`channel ${number} after GOAWAY`)
    const first = this.#seen.see(index)
    if (first && type === wire.RESET) this.#resets.take(now)
    if (!first || type === wire.RESET) return undefined
    const opening = { header: NOTHING, priority: undefined }
    const channel = new ChannelCore<P>(false, this.#limits.windowBytes, opening)
    channel.number = number
    this.#channels.set(number, channel)
    this.#unopened++
    if (type === wire.OPEN || !this.#tooMany) return channel
    this.#refuse(channel, wire.TOO_MANY) // it may hold as much as one whose OPEN has come
    return undefined
  }

  #open(
    channel: ChannelCore<P>,
    { header, priority }: Opening,
    bytes: Buffer,
    now: number,
  ): Effect<P> | undefined {
    const refusal = this.#refusal(now)
    if (refusal !== undefined) {
      this.#refuse(channel, refusal)
      return undefined
    }
    channel.header = header
    channel.priority = priority
    channel.opened = true
    channel.waiting = true
    this.#unopened--
    this.#waiting++
    this.opened++
    if (bytes.length > 0) this.stock.add(channel, 0, bytes)
    return { do: 'opened', channel }
  }

  #refusal(now: number): number | undefined {
    if (this.draining) return wire.GOING_AWAY
    const full = this.#waiting >= this.#limits.backlog || this.#tooMany
    return full || this.#resets.empty(now) ? wire.TOO_MANY : undefined
  }

  /** Whether the channel that has just come is one more than there may be. */
  get #tooMany(): boolean {
    return this.size + this.#unopened > this.#limits.maxChannels
  }

  #refuse(channel: ChannelCore<P>, code: number): void {
    if (this.#outbox.resets >= MAX_REFUSALS_DUE) throw limit(`${MAX_REFUSALS_DUE} refusals due`)
    this.refused++
    this.close(channel, code)
  }

  #reset(channel: ChannelCore<P>, code: number, reason: string, now: number) {
    const { opened, own } = channel
    if (!own) this.#resets.take(now)
    this.#forget(channel)
    const error = wire.resetError(code, reason, own)
    return opened ? ({ do: 'reset', channel, error } as const) : undefined
  }

  #goaway(opened: number): void {
    if (this.#peerOpened !== undefined) throw protocol('GOAWAY came twice')
    if (opened < this.#seen.next) throw protocol(`GOAWAY at ${opened} of ${this.#seen.next}`)
    this.#peerOpened = opened
    this.drain()
  }

  #grant(channel: ChannelCore<P>): void {
    const credit = channel.incoming.grant()
    if (credit === undefined) return
    channel.creditDue = credit
    this.#outbox.tell(channel)
  }

  #forget(channel: ChannelCore<P>): void {
    this.use(channel)
    channel.gone = true
    if (this.#channels.delete(channel.number) && !channel.opened) this.#unopened--
    this.#outbox.forget(channel)
    this.stock.forget(channel)
  }
}

const NOTHING = Buffer.alloc(0)
