// Outbox: what this end has to say, and what of it goes next.
//
//   1. GOAWAY                        once
//   2. RESETs                        each once; a peer that cannot be told may not make more
//   3. CREDIT and BLOCKED            of a channel at most one each: the latest
//   4. END                           of a channel one
//   5. OPEN with first bytes, DATA   one parcel for each turn (turns.ts)
//
// There is no queue of messages: what is due is a mark at a channel, made into a message when it
// goes. So nothing that the peer does makes this grow beyond the channels that there are.
//
// Pure.

import type { ChannelCore } from './channel.ts'
import { Queue } from './queue.ts'
import { Turns } from './turns.ts'
import {
  BLOCKED,
  CREDIT,
  DATA,
  DATA_BYTES,
  encodeGoaway,
  encodeOffset,
  encodeOpen,
  encodeReset,
  END,
} from './wire.ts'

/** The largest parcel of a quick channel that may overtake what waits below, in bytes. */
export const URGENT_PARCEL_BYTES = 1024

/** A message to send. */
export interface Output<P> {
  readonly message: readonly Buffer[]
  /** Whether it may overtake others. */
  readonly urgent: boolean
  /** The channel whose bytes it has, or whose END it is. */
  readonly channel?: ChannelCore<P>
}

export class Outbox<P> {
  readonly #bits: number
  readonly #opened: (channel: ChannelCore<P>) => void
  /** Channels that this end opens, whose OPEN has not gone. */
  readonly unsent = new Set<ChannelCore<P>>()
  readonly #resets = new Map<number, { code: number; reason: string }>()
  readonly #resetOrder = new Queue<number>()
  readonly #told = new Queue<ChannelCore<P>>() // with CREDIT or BLOCKED due
  readonly #ends = new Queue<ChannelCore<P>>()
  readonly #turns = new Turns<ChannelCore<P>>()
  goaway: 'no' | 'due' | 'sent' = 'no'
  /** Channels whose OPEN has gone. */
  opened = 0
  /** Bytes that channels have to send. */
  queuedBytes = 0

  /** `bits`: the lowest bit of our channels' numbers. `opened` is told when an OPEN goes: from then
   *  on the channel has a number. */
  constructor(bits: number, opened: (channel: ChannelCore<P>) => void) {
    this.#bits = bits
    this.#opened = opened
  }

  /** RESETs that have not gone. */
  get resets(): number {
    return this.#resets.size
  }

  write(channel: ChannelCore<P>, chunk: Buffer): void {
    channel.outgoing.write(chunk)
    this.queuedBytes += chunk.length
    this.add(channel)
  }

  /** A channel may have something to send: its OPEN, bytes, its END. */
  add(channel: ChannelCore<P>): void {
    const { outgoing } = channel
    if (!channel.opened || outgoing.ready) {
      this.#turns.add(channel)
    } else if (outgoing.queued > 0) {
      const blocked = outgoing.takeBlocked()
      if (blocked === undefined) return
      channel.blockedDue = blocked
      this.#told.add(channel)
    } else if (channel.ending && !channel.endSent) {
      this.#ends.add(channel)
    }
  }

  /** A channel has a CREDIT to give. */
  tell(channel: ChannelCore<P>): void {
    if (channel.number >= 0) this.#told.add(channel)
  }

  reset(number: number, code: number, reason: string): void {
    this.#resets.set(number, { code, reason })
    this.#resetOrder.add(number)
  }

  /** A RESET has become needless. */
  unreset(number: number): void {
    if (this.#resets.delete(number)) this.#resetOrder.delete(number)
  }

  /** A channel is gone, with all that it had to say. */
  forget(channel: ChannelCore<P>): void {
    this.queuedBytes -= channel.outgoing.queued
    this.unsent.delete(channel)
    this.#turns.delete(channel)
    this.#told.delete(channel)
    this.#ends.delete(channel)
  }

  /** The next message to send; `urgent`: only one that may overtake others. */
  poll(parcelBytes: number, urgent: boolean): Output<P> | undefined {
    return (
      this.#pollOwn(urgent) ?? (urgent ? this.#pollQuick(parcelBytes) : this.#poll(parcelBytes))
    )
  }

  #pollOwn(urgent: boolean): Output<P> | undefined {
    if (!urgent && this.goaway === 'due' && this.unsent.size === 0) {
      this.goaway = 'sent'
      return { message: [encodeGoaway(this.opened)], urgent: false }
    }
    const number = this.#resetOrder.shift()
    if (number !== undefined) {
      const { code, reason } = this.#resets.get(number)!
      this.#resets.delete(number)
      return { message: [encodeReset(number, code, reason)], urgent: true }
    }
    const channel = this.#told.first
    if (channel === undefined) return undefined
    return { message: [this.#tellNext(channel)], urgent: true }
  }

  #tellNext(channel: ChannelCore<P>): Buffer {
    const { creditDue, blockedDue } = channel
    if (creditDue !== undefined) {
      channel.creditDue = undefined
      if (blockedDue === undefined) this.#told.delete(channel)
      return encodeOffset(CREDIT, channel.number, creditDue)
    }
    channel.blockedDue = undefined
    this.#told.delete(channel)
    return encodeOffset(BLOCKED, channel.number, blockedDue!)
  }

  #pollQuick(parcelBytes: number): Output<P> | undefined {
    const channel = this.#turns.firstQuick
    if (channel === undefined || !isSmall(channel)) return undefined
    return this.#send(this.#turns.take(channel), parcelBytes)
  }

  #poll(parcelBytes: number): Output<P> | undefined {
    const ended = this.#ends.shift()
    if (ended !== undefined) {
      ended.endSent = true
      const message = [encodeOffset(END, ended.number, ended.outgoing.offset)]
      return { message, urgent: false, channel: ended }
    }
    const channel = this.#turns.next()
    return channel && this.#send(channel, parcelBytes)
  }

  #send(channel: ChannelCore<P>, parcelBytes: number): Output<P> {
    const { outgoing } = channel
    const urgent = this.#turns.isQuick(channel) && isSmall(channel)
    const before = outgoing.queued
    let head: Buffer
    let bytes: readonly Buffer[] | undefined
    if (channel.opened) {
      head = encodeOffset(DATA, channel.number, outgoing.offset)
      bytes = outgoing.next(Math.max(parcelBytes - DATA_BYTES, 1))
    } else {
      head = this.#open(channel)
      bytes = outgoing.next(parcelBytes - head.length)
    }
    const sent = before - outgoing.queued
    this.queuedBytes -= sent
    this.#turns.sent(channel, sent)
    this.add(channel) // it may have more
    return { message: bytes ? [head, ...bytes] : [head], urgent, channel }
  }

  #open(channel: ChannelCore<P>): Buffer {
    channel.number = 2 * this.opened++ + this.#bits
    channel.opened = true
    this.unsent.delete(channel)
    this.#opened(channel)
    return encodeOpen(channel.number, channel)
  }
}

/** Whether all that a channel has to say fits one small parcel. */
function isSmall({ opened, header, outgoing }: ChannelCore<unknown>): boolean {
  return outgoing.queued + (opened ? 0 : header.length) <= URGENT_PARCEL_BYTES
}
