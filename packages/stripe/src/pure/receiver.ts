// Receiver: the receiving half of a stripe. Passes each parcel on once, whichever lane brings it
// first, and keeps the account that acknowledgements are made of.
//
// It holds nothing back and orders nothing. Credit bounds what its reader has not taken: a peer
// that sends beyond it has broken the protocol.
//
// Pure: time is passed in, in ms.

import { NO_BYTES, PipeError } from '@striper/core'
import type { Lane } from './lane.ts'
import { type Ack, INITIAL_CREDIT, type LaneAck, MAX_PARCELS_UNDER_WAY } from './wire.ts'

/** An acknowledgement waits for so many bytes, or so long, whichever comes first. */
const ACK_BYTES = 64 * 1024
const ACK_MS = 10
/** Never more often than this: at high rates bytes alone would ask for thousands a second. */
const LEAST_ACK_MS = 1
/** What an unknown round trip counts as, in ms: longer than any. */
const UNKNOWN_RTT = 1e9
/** A young lane's parcels are acknowledged at once, so that its room grows with its round trip. */
const YOUNG_LANE_PARCELS = 16

export class Receiver {
  readonly #window: number
  readonly #above = new Set<number>() // numbers that have arrived beyond the floor
  #floor = 0
  #end: number | undefined
  #receivedBytes = NO_BYTES
  #takenBytes = NO_BYTES
  #limit: number // as the peer was last told
  #unacked = 0
  #ackAt: number | undefined
  #ackedAt = -Infinity
  /** Parcels that had arrived before. */
  duplicates = 0

  /** `windowBytes` is what may wait for the reader, in bytes. */
  constructor(windowBytes: number) {
    this.#window = windowBytes
    this.#limit = NO_BYTES + Math.max(INITIAL_CREDIT, windowBytes)
  }

  /** Bytes of parcels that the peer may send in all, for HELLO. */
  get limit(): number {
    return this.#limit
  }

  /** When an ACK is due; undefined while none is. */
  get ackAt(): number | undefined {
    return this.#ackAt
  }

  /** Whether everything up to the END has arrived. */
  get ended(): boolean {
    return this.#end !== undefined && this.#floor > this.#end
  }

  /** A numbered message came; false where it had come before. */
  receive(number: number, bytes: number, isEnd: boolean, lane: Lane, now: number): boolean {
    lane.received++
    lane.bytesIn += bytes
    lane.receivedAt = now
    lane.ackDue = true
    const known = number < this.#floor || this.#above.has(number)
    this.#schedule(lane, bytes, known, now)
    if (known) {
      this.duplicates++
      return false
    }
    this.#check(number, bytes, isEnd)
    if (isEnd) this.#end = number
    this.#receivedBytes += bytes
    if (number > this.#floor) {
      this.#above.add(number)
    } else {
      this.#floor++
      while (this.#above.size > 0 && this.#above.delete(this.#floor)) this.#floor++
    }
    return true
  }

  /** The reader took `bytes` of what came. */
  taken(bytes: number, now: number): void {
    this.#takenBytes += bytes
    if (this.#takenBytes + this.#window - this.#limit >= this.#window / 4) this.ackNow(now)
  }

  /** An ACK is due as soon as one may be sent. */
  ackNow(now: number): void {
    this.#ackAt = Math.max(now, this.#ackedAt + LEAST_ACK_MS)
  }

  /** A lane is gone, and maybe an ACK with it: what that said of other lanes is said again. */
  ackAgain(lanes: Iterable<Lane>, now: number): void {
    for (const lane of lanes) lane.ackDue ||= lane.received > 0
    this.ackNow(now)
  }

  /** The ACK to send now. It names the lanes on which something came since the last. */
  ack(lanes: Iterable<Lane>, now: number): Ack {
    const named: LaneAck[] = []
    for (const lane of lanes) {
      if (!lane.ackDue) continue
      lane.ackDue = false
      named.push({ lane: lane.number, received: lane.received, delayMs: now - lane.receivedAt })
    }
    this.#limit = Math.max(this.#limit, this.#takenBytes + this.#window)
    this.#unacked = 0
    this.#ackAt = undefined
    this.#ackedAt = now
    return { floor: this.#floor, limit: this.#limit, lanes: named }
  }

  #schedule(lane: Lane, bytes: number, known: boolean, now: number): void {
    this.#unacked += bytes
    const urgent = known || lane.received <= YOUNG_LANE_PARCELS || this.#unacked >= ACK_BYTES
    if (urgent) this.ackNow(now)
    else this.#ackAt ??= now + ACK_MS
  }

  #check(number: number, bytes: number, isEnd: boolean): void {
    if (number >= this.#floor + MAX_PARCELS_UNDER_WAY) {
      throw limit(`parcel ${number}, ${this.#floor} is missing`)
    }
    if (this.#receivedBytes + bytes > this.#limit) {
      throw limit(`${this.#receivedBytes + bytes} bytes of parcels, credit for ${this.#limit}`)
    }
    const afterEnd = this.#end !== undefined && (isEnd || number > this.#end)
    if (afterEnd || (isEnd && this.#beyond(number))) {
      throw new PipeError('ERR_PIPE_PROTOCOL', `parcel ${number} after the end`)
    }
  }

  #beyond(end: number): boolean {
    for (const number of this.#above) if (number > end) return true
    return false
  }
}

/** The lanes that an ACK goes on: the fastest, and of the others the one heard from last, for one
 *  of the two may just have died. None where all are full. */
export function ackLanes(lanes: Iterable<Lane>): readonly Lane[] {
  const open = [...lanes].filter(lane => !lane.blocked)
  const [fastest, ...others] = open.sort((a, b) => (a.rtt ?? UNKNOWN_RTT) - (b.rtt ?? UNKNOWN_RTT))
  const latest = others.sort((a, b) => b.heardAt - a.heardAt)[0]
  return [fastest, latest].filter(lane => lane !== undefined)
}

function limit(sentence: string): PipeError {
  return new PipeError('ERR_PIPE_LIMIT', sentence)
}
