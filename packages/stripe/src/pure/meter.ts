// Meter: what a lane can do, learnt from the acknowledgements of what was sent on it.
//
// Rate and round trip are filtered as BBR filters them (Cardwell et al., ACM Queue 14(5), 2016):
// the windowed maximum of the delivery rate (draft-cheng-iccrg-delivery-rate-estimation-02) and the
// least round trip; when that is old, the lane is drained and asked. A sample taken while there was
// nothing to send is a lower bound, and counts only where it raises the rate. The smoothed round
// trip and its variation are RFC 6298's.
//
// Pure: time is passed in, in ms; rates are bytes a ms.

import { NO_BYTES } from '@striper/core'
import { WindowedMax } from './filter.ts'
import { Stalls } from './stalls.ts'

/** Room of a lane of which nothing is known yet, in bytes. It doubles with each round trip. */
const FIRST_ROOM_BYTES = 16 * 1024
/** Beyond a lane's bandwidth × delay product there is this share of it, or the slack. */
const SLACK = 1 / 4
/** The slack where somebody waits for each small parcel: no more than keeps the lane busy. */
const LEAN_SLACK_MS = 10
/** A lane so far away has so many round trips of it while its limit is not known. TCP's slow start
 *  doubles with each; where it runs dry on the way, what comes next is a burst, which overflows the
 *  queue, and far away it takes seconds to grow again. */
export const FAR_MS = 50
export const FAR_LOOPS = 6
/** A rate that grows less in each of so many round trips has reached its limit. */
const GROWTH = 1.25
const FLAT_ROUNDS = 3
/** What a lane did of late, when it is found to be slower than it was, is what it did in so long */
const RECENT_MS = 300
/** TCP repairs a loss in a round trip and a little. */
const REPAIR = 1.25
const PARCEL_MS = 20
const LEAN_PARCEL_MS = 4
const LEAST_PARCEL_BYTES = 4 * 1024
/** The most of a lane that is not fast. */
export const MOST_SLOW_PARCEL_BYTES = 64 * 1024
/** Where lanes take as many in less time parcels are larger, for each costs some microseconds
 *  whatever its size: as much as a lane takes in so long, but no more than one read brings. */
export const FAST_PARCEL_MS = 4
const MOST_FAST_PARCEL_BYTES = 511 * 1024
/** With one parcel at a time a lane rests while that is acknowledged, and is then believed to do no
 *  more: two of the least. (BBR has four packets for it.) */
const LEAST_ROOM_BYTES = 2 * LEAST_PARCEL_BYTES
/** Bytes a ms: a lane that did nothing of late is believed to do this, and not nothing. */
const LEAST_RATE = 0.1
/** The least round trip is measured again when it is so old, or a little older: not by all lanes at
 *  once. The lane is drained for it to less than it holds by itself, this share of it: with more
 *  under way the queue that we keep there would be taken for distance, and so grow. */
const RTT_AGE_MS = 10_000
const DRAINED = 0.75
/** The rate's window follows the least round trip, never the smoothed one: a lane that collapses
 *  has a smoothed one of seconds, and would be believed fast for as many. */
const RATE_WINDOW_ROUNDS = 10
const LEAST_RATE_WINDOW_MS = 500

/** What is noted with each parcel that is sent, to make a sample of its acknowledgement. */
export interface Stamp {
  readonly sentAt: number
  readonly firstSentAt: number
  readonly delivered: number
  readonly deliveredAt: number
  readonly limited: boolean
}

export class Meter {
  readonly #rate = new WindowedMax()
  #rtt: number | undefined
  #rttAt = 0 // when that was measured
  #loop: number | undefined // there and back by this lane alone
  readonly #stalls = new Stalls()
  #pausedMs = 0 // since the last acknowledgement
  #draining = false
  #delivered = NO_BYTES
  #deliveredAt: number
  #firstSentAt: number
  #wasFull = false // whether it was measured with enough to send
  #known = false
  #roundEnds = NO_BYTES // of #delivered: when this is acknowledged, a round trip is over
  #roundRate = 0 // the rate after the last round that raised it
  #flatRounds = 0 // rounds since then
  #limitedUntil = NO_BYTES // of #delivered: what was sent before this was all there was to send
  #recent: { at: number; delivered: number }[] = [] // of the last RECENT_MS, a few of them
  #srtt: number | undefined
  #rttvar = 0

  readonly #rttAgeMs: number

  /** `number` tells lanes apart that came at the same time. */
  constructor(number: number, now: number) {
    this.#rttAgeMs = RTT_AGE_MS * (1 + (number % 16) / 32)
    this.#deliveredAt = now
    this.#firstSentAt = now
  }

  /** Bytes a ms; undefined while nothing was measured. As long as there never was enough to send,
   *  this is a lower bound, and the lane is trusted with what a new one may take each round
   *  trip. */
  get rate(): number | undefined {
    const { value } = this.#rate
    if (value === undefined || this.#wasFull || this.rtt === undefined) return value
    return Math.max(value, FIRST_ROOM_BYTES / this.rtt)
  }

  /** Whether the rate is the lane's limit, and not just what there was room for so far. */
  get known(): boolean {
    return this.#known
  }

  /** The least round trip of late, in ms; undefined while nothing is known. */
  get rtt(): number | undefined {
    return this.#rtt
  }

  /** A parcel that is later than was expected by so much is late. In ms. Never sooner than the
   *  lane's own TCP has repaired a loss, which takes a round trip by the lane alone: one that is
   *  doing that is what it was. */
  get margin(): number {
    return Math.max(60, 4 * this.#rttvar, (this.#srtt ?? 0) / 2, REPAIR * (this.#loop ?? 0))
  }

  /** After so long without any progress, while bytes are under way, something is wrong. In ms. */
  get patience(): number {
    return Math.max(250, 2 * (this.#srtt ?? 250) + 4 * this.#rttvar)
  }

  /** The size of parcels that suits the lane: about 20 ms of it, or 4 where it is lean, 4 to
   *  64 KiB. Where 4 ms of the lanes that it is used with, each of about `typical` bytes a ms, are
   *  more than that, so many, up to 511 KiB, but still no more than 20 ms of this one. */
  parcelBytes(lean: boolean, typical = this.rate ?? 0): number {
    const { rate } = this
    // A lower bound makes no parcels small: small ones cost more, and so confirm it.
    if (rate === undefined || (!this.#wasFull && rate * PARCEL_MS < FIRST_ROOM_BYTES)) {
      return FIRST_ROOM_BYTES
    }
    const bytes = Math.floor(rate * (lean ? LEAN_PARCEL_MS : PARCEL_MS))
    const fast = Math.min(Math.floor(typical * FAST_PARCEL_MS), MOST_FAST_PARCEL_BYTES, bytes)
    return Math.max(Math.min(bytes, MOST_SLOW_PARCEL_BYTES), fast, LEAST_PARCEL_BYTES)
  }

  /** Bytes that may be under way at once, and one parcel more: what the lane holds, and `slackMs`
   *  of it; twice that while its limit is not known, and where it stalls. While it is drained, less
   *  than it holds. */
  room(lean: boolean, slackMs: number): number {
    const { rate, rtt } = this
    if (rate === undefined || rtt === undefined) return FIRST_ROOM_BYTES
    if (this.#draining) return DRAINED * rate * rtt
    const parcel = this.parcelBytes(lean)
    if (lean && this.#known) return rate * (rtt + Math.min(LEAN_SLACK_MS, slackMs)) + parcel
    if (!this.#known) return rate * this.#startingMs(rtt, slackMs) + parcel
    const stallMs = this.#stalls.lasting(this.#deliveredAt)
    const bytes = rate * (rtt + Math.max(slackMs, SLACK * rtt, stallMs))
    return Math.max(bytes, LEAST_ROOM_BYTES)
  }

  /** Of a lane whose limit is not known, the rate is what there was room for: it has to grow. A
   *  loop is no more than two round trips where both ways are equally far; one that was found
   *  longer mostly met a busy machine. */
  #startingMs(rtt: number, slackMs: number): number {
    const loop = this.#loop ?? rtt
    if (loop >= FAR_MS) return FAR_LOOPS * loop
    return rtt + Math.max(slackMs, Math.min(loop, 2 * rtt))
  }

  /** Something is sent while `inFlight` bytes were under way. */
  sent(inFlight: number, now: number): Stamp {
    if (inFlight === 0) {
      this.#firstSentAt = now
      this.#deliveredAt = now
    }
    return {
      sentAt: now,
      firstSentAt: this.#firstSentAt,
      delivered: this.#delivered,
      deliveredAt: this.#deliveredAt,
      limited: this.#delivered < this.#limitedUntil,
    }
  }

  /** There is nothing more to send, though the lane would take more. */
  starved(inFlight: number): void {
    this.#limitedUntil = this.#delivered + inFlight + 1
  }

  /** `bytes` are acknowledged, the first of them sent at `oldestAt`, the last at `stamp`; the
   *  acknowledgement waited `delayMs`. */
  acked(bytes: number, oldestAt: number, stamp: Stamp, delayMs: number, now: number): void {
    this.#delivered += bytes
    this.#noteStill(oldestAt, delayMs, now)
    this.#deliveredAt = now
    this.#noteRecent(now)
    this.#firstSentAt = stamp.sentAt
    this.roundTrip(now - stamp.sentAt - delayMs, now)
    this.#draining ||= now > this.#rttAt + this.#rttAgeMs
    const sending = stamp.sentAt - stamp.firstSentAt
    const acking = now - stamp.deliveredAt
    const interval = Math.max(sending, acking, this.#rtt ?? 0, 0.01)
    const sample = (this.#delivered - stamp.delivered) / interval
    // What has no bytes, such as an END, says nothing of the rate; none at all would be for ever.
    if (sample === 0 || (stamp.limited && sample < (this.#rate.value ?? 0))) return
    const window = Math.max(LEAST_RATE_WINDOW_MS, RATE_WINDOW_ROUNDS * (this.#rtt ?? 0))
    this.#rate.add(sample, now, window)
    this.#wasFull ||= !stamp.limited
    if (!stamp.limited && stamp.delivered >= this.#roundEnds) this.#endRound()
  }

  /** A round trip with enough to send is over. The limit is known when a few of them in a row have
   *  not raised the rate, though the room grew with each (as BBR leaves its startup). */
  #endRound(): void {
    this.#roundEnds = this.#delivered
    const rate = this.#rate.value ?? 0
    if (rate >= this.#roundRate * GROWTH) {
      this.#roundRate = rate
      this.#flatRounds = 0
    } else if (++this.#flatRounds >= FLAT_ROUNDS) {
      this.#setKnown(this.#deliveredAt)
    }
  }

  /** Whether a PING sent with `inFlight` bytes under way has no queue of ours to wait in. */
  isQuiet(inFlight: number): boolean {
    return inFlight <= DRAINED * (this.#rate.value ?? 0) * (this.#rtt ?? 0)
  }

  /** Whether the round trip wants to be measured again, and can be with `inFlight` bytes under
   *  way. */
  wantsPing(inFlight: number): boolean {
    return this.#draining && this.isQuiet(inFlight)
  }

  /** A PING was sent. What is sent after it may queue as ever. */
  pinged(now: number): void {
    if (!this.#draining) return
    this.#draining = false
    this.#rttAt = now
  }

  /** For so long nothing was acknowledged on any lane: that is not this lane's doing. */
  paused(ms: number): void {
    this.#pausedMs += ms
  }

  /** A PING went and its answer came, both by this lane; `quiet`, if there was no queue of ours. */
  loop(sample: number, now: number, quiet: boolean): void {
    if (quiet || sample <= (this.#loop ?? Infinity)) this.#loop = sample
    this.roundTrip(sample, now, quiet)
  }

  /** A round trip was measured; a `quiet` one takes the place of the least, be it longer. */
  roundTrip(sample: number, now: number, quiet = false): void {
    const rtt = Math.max(sample, 0.01)
    if (quiet || rtt <= (this.#rtt ?? Infinity)) {
      this.#rtt = rtt
      this.#rttAt = now
    }
    if (this.#srtt === undefined) {
      this.#srtt = rtt
      this.#rttvar = rtt / 2
      return
    }
    this.#rttvar += (Math.abs(this.#srtt - rtt) - this.#rttvar) / 4
    this.#srtt += (rtt - this.#srtt) / 8
  }

  /** The lane is slower than was believed: believe what it did in the last while, and no more. */
  disbelieve(now: number): void {
    this.#setKnown(now)
    this.#noteRecent(now)
    const [first] = this.#recent
    const rate = first ? (this.#delivered - first.delivered) / RECENT_MS : 0
    this.#rate.reset(Math.max(Math.min(rate, this.rate ?? rate), LEAST_RATE), now)
  }

  #setKnown(now: number): void {
    this.#known = true
    this.#stalls.begin(now)
  }

  /** Something is acknowledged: how long was nothing, though the oldest of it could have been? */
  #noteStill(oldestAt: number, delayMs: number, now: number): void {
    const rtt = this.#rtt ?? Infinity
    const since = Math.max(this.#deliveredAt, oldestAt + rtt)
    this.#stalls.note(now - delayMs - this.#pausedMs - since, oldestAt, this.#loop ?? rtt, now)
    this.#pausedMs = 0
  }

  #noteRecent(now: number): void {
    const recent = this.#recent
    while (recent.length > 1 && recent[1]!.at <= now - RECENT_MS) recent.shift()
    const last = recent[recent.length - 1]
    if (!last || now - last.at >= RECENT_MS / 10)
      recent.push({ at: now, delivered: this.#delivered })
  }
}
