// StripeCore: the protocol of a stripe, at one end. Events go in, outputs come out.
//
//   laneUp, laneDown, laneDrained, receive ──▶ ┌────────────┐ ──▶ send, drop
//   write, end, taken                      ──▶ │ StripeCore │ ──▶ deliver, ended, failed
//   tick                                   ──▶ └────────────┘ ──▶ `deadline`: when to tick
//
// Pure: no streams, no sockets, no clock, no chance. The same class runs under a simulator and in
// production. Time is passed in, in ms, and never goes back. After each event, poll() until it has
// nothing more: a parcel is given to a lane only then, so that it is bound to one as late as can be.

import { type Message, PipeError } from '@striper/core'
import { Lane } from './lane.ts'
import { Receiver } from './receiver.ts'
import type { Schedule } from './schedule.ts'
import { Sender } from './sender.ts'
import * as wire from './wire.ts'

export interface CoreOptions {
  /** What may wait for the reader at this end, in bytes. */
  windowBytes: number
  schedule: Schedule
  /** How long the session outlives its last lane, in ms. */
  noLaneTimeoutMs: number
}

export type Output =
  | { do: 'send'; lane: number; message: Message }
  | { do: 'deliver'; parcel: Buffer }
  /** A lane is of no more use: abort it. */
  | { do: 'drop'; lane: number; reason: string }
  /** A lane that was asked to leave has nothing under way: end it. */
  | { do: 'end'; lane: number }
  /** The peer will say no more, and all it said has been delivered. */
  | { do: 'ended' }
  /** The session is over. Nothing comes after this. */
  | { do: 'failed'; error: PipeError }

/** A lane on which nothing was heard for so long is asked for a sign of life; in ms. */
const PING_MS = 10_000
/** One that gives none for so long is dropped. */
const DEAD_MS = 20_000
/** One that is suspect, while others are not, is dropped sooner: after so many times its patience. */
const SUSPECT_TIMES = 4
const LEAST_SUSPECT_MS = 1000
/** Without credit, lanes are asked whether it was granted in words that were lost. */
const STARVED_MS = 1000
/** A lane with less than this share of the fastest one's rate does not make parcels small. */
const WORTH_USING = 1 / 20
/** The size of parcels before any lane is known, in bytes. */
const FIRST_PARCEL_BYTES = 16 * 1024
/** A tick that is so late was not late by itself: this process, or the machine, was stopped. */
const LEAP_MS = 1000

export class StripeCore {
  readonly #lanes = new Map<number, Lane>()
  readonly #sender: Sender
  readonly #receiver: Receiver
  readonly #options: CoreOptions
  readonly #outputs: Output[] = []
  #next = 0 // index of the first output that was not taken
  #over = false
  #endGiven = false
  #noLaneSince: number | undefined
  #starvedAt = -Infinity
  #tokens = 0

  constructor(options: CoreOptions, now: number) {
    this.#options = options
    this.#sender = new Sender(options.schedule, this.#lanes, options.windowBytes)
    this.#receiver = new Receiver(options.windowBytes)
    this.#noLaneSince = now
  }

  get lanes(): ReadonlyMap<number, Lane> {
    return this.#lanes
  }

  /** What the writer should wait for: parcels are queued that no lane takes yet. */
  get backlog(): boolean {
    return this.#sender.backlog
  }

  /** Whether all that was written, and the end, is acknowledged. */
  get finished(): boolean {
    return this.#sender.finished
  }

  get retainedBytes(): number {
    return this.#sender.retainedBytes
  }

  get copiedBytes(): number {
    return this.#sender.copiedBytes
  }

  get duplicates(): number {
    return this.#receiver.duplicates
  }

  /** The size of parcels that suits the lanes: that of the slowest which is worth using. */
  get parcelBytes(): number {
    let fastest = 0
    for (const lane of this.#lanes.values()) fastest = Math.max(fastest, lane.rate ?? 0)
    let bytes = Infinity
    for (const { meter } of this.#lanes.values()) {
      if ((meter.rate ?? 0) >= fastest * WORTH_USING) bytes = Math.min(bytes, meter.parcelBytes)
    }
    return Number.isFinite(bytes) ? bytes : FIRST_PARCEL_BYTES
  }

  /** The credit that HELLO states. */
  get limit(): number {
    return this.#receiver.limit
  }

  /** A lane is open. Throws a RangeError where its number is taken. */
  laneUp(number: number, label: string, now: number): void {
    if (this.#lanes.has(number)) throw new RangeError(`lane ${number} is there already`)
    const lane = new Lane(number, label, now)
    this.#lanes.set(number, lane)
    this.#noLaneSince = undefined
    this.#ping(lane, now)
    this.#receiver.ackNow(now) // what was said on lanes that are gone may never have been heard
  }

  /** A lane is gone. What was under way on it goes by others. */
  laneDown(number: number, now: number): void {
    const lane = this.#lanes.get(number)
    if (lane === undefined) return
    this.#lanes.delete(number)
    this.#sender.lost(lane)
    if (this.#lanes.size === 0) this.#noLaneSince = now
    else this.#receiver.ackNow(now)
  }

  /** The pipe of a lane is full. */
  laneFull(number: number): void {
    const lane = this.#lanes.get(number)
    if (lane) lane.blocked = true
  }

  /** The pipe of a lane has drained. */
  laneDrained(number: number): void {
    const lane = this.#lanes.get(number)
    if (lane === undefined) return
    lane.blocked = false
    this.#pong(lane)
  }

  /** Nothing new goes on a lane; when nothing is under way on it any more, it ends. */
  leave(number: number): void {
    const lane = this.#lanes.get(number)
    if (lane === undefined || lane.state === 'leaving') return
    lane.state = 'leaving'
    this.#send(lane, wire.encodeLeave())
  }

  write(message: Message): void {
    this.#sender.write(message)
  }

  end(): void {
    this.#sender.end()
  }

  /** Whether the writer is held back, so that there is always more to send. */
  set endless(endless: boolean) {
    this.#sender.endless = endless
  }

  /** The writer has nothing to write, and is not held back. */
  idle(): void {
    this.#sender.idle()
  }

  /** The reader took `bytes` of what was delivered. */
  taken(bytes: number, now: number): void {
    this.#receiver.taken(bytes, now)
  }

  /** Tells the peer, on every lane, that the session is over. Nothing comes after this. */
  abort(code: number, reason: string): void {
    this.#over = true
    for (const lane of this.#lanes.values()) this.#send(lane, wire.encodeAbort(code, reason))
  }

  /** Acknowledges everything, on every lane, when all is done both ways. Nothing comes after this. */
  farewell(now: number): void {
    this.#over = true
    for (const lane of this.#lanes.values()) lane.ackDue = lane.received > 0
    const message = wire.encodeAck(this.#receiver.ack(this.#lanes.values(), now))
    for (const lane of this.#lanes.values()) this.#send(lane, message)
  }

  /** A message came on a lane. Whatever is wrong with it is the end of the session. */
  receive(number: number, message: Buffer, now: number): void {
    const lane = this.#lanes.get(number)
    if (lane === undefined || this.#over) return
    lane.heardAt = now
    try {
      this.#take(lane, wire.decode(message), now)
    } catch (error) {
      this.#break(PipeError.from(error, ''))
    }
  }

  /** When to call tick(), in ms; undefined while there is nothing to wait for. */
  get deadline(): number | undefined {
    if (this.#over) return undefined
    if (this.#noLaneSince !== undefined) return this.#noLaneSince + this.#options.noLaneTimeoutMs
    let first = Infinity
    for (const lane of this.#lanes.values()) {
      first = Math.min(first, lane.suspectAt ?? Infinity, this.#checkAt(lane))
      if (this.#lanes.size > 1) first = Math.min(first, lane.lateAt ?? Infinity)
      if (!lane.blocked) first = Math.min(first, this.#receiver.ackAt ?? Infinity)
    }
    if (this.#sender.starved) first = Math.min(first, this.#starvedAt + STARVED_MS)
    return first === Infinity ? undefined : first
  }

  /** Does what is due. */
  tick(now: number): void {
    if (this.#over) return
    const late = now - (this.deadline ?? now)
    if (late > LEAP_MS) for (const lane of this.#lanes.values()) lane.leap(late)
    if (this.#noLaneSince !== undefined) this.#checkNoLane(this.#noLaneSince, now)
    this.#sender.rescue(now)
    for (const lane of this.#lanes.values()) this.#checkLane(lane, now)
    if (this.#sender.starved && now >= this.#starvedAt + STARVED_MS) {
      this.#starvedAt = now
      for (const lane of this.#lanes.values()) this.#ping(lane, now)
    }
  }

  /** The next thing to do, or undefined when there is nothing more. */
  poll(now: number): Output | undefined {
    const output = this.#outputs[this.#next]
    if (output !== undefined) {
      this.#next++
      return output
    }
    if (this.#next > 0) {
      this.#outputs.length = 0
      this.#next = 0
    }
    if (this.#over) return undefined
    if (this.#receiver.ended && !this.#endGiven) {
      this.#endGiven = true
      this.#receiver.ackNow(now)
      return { do: 'ended' }
    }
    const sending = this.#sender.next(now)
    if (sending) {
      const { parcel, lane } = sending
      const header = wire.encodeNumbered(parcel.type, parcel.number)
      return { do: 'send', lane: lane.number, message: [header, ...parcel.pieces] }
    }
    if ((this.#receiver.ackAt ?? Infinity) <= now && this.#acknowledge(now)) return this.poll(now)
    return this.#release()
  }

  #take(lane: Lane, message: wire.StripeMessage, now: number): void {
    switch (message.type) {
      case wire.PARCEL: {
        const { number, bytes } = message
        if (!this.#receiver.receive(number, bytes.length, false, lane, now)) return
        this.#outputs.push({ do: 'deliver', parcel: bytes })
        return
      }
      case wire.END:
        this.#receiver.receive(message.number, 0, true, lane, now)
        return
      case wire.ACK:
        this.#sender.ack(message.ack, now)
        return
      case wire.HELLO:
        if (message.hello.lane !== lane.number) {
          throw new PipeError('ERR_PIPE_PROTOCOL', `lane ${lane.number} says that it is another`)
        }
        this.#sender.ack({ floor: 0, limit: message.hello.limit, lanes: [] }, now)
        return
      case wire.PING:
        lane.pongDue = message.token
        this.#pong(lane)
        this.#receiver.ackNow(now)
        return
      case wire.PONG:
        if (message.token !== lane.pingToken) return
        lane.pingToken = undefined
        lane.meter.roundTrip(now - lane.pingedAt, now)
        return
      case wire.LEAVE:
        lane.state = 'leaving'
        return
      case wire.ABORT:
        this.#fail(aborted(message.code, message.reason))
    }
  }

  /** Ends a lane that is leaving and has nothing under way. */
  #release(): Output | undefined {
    for (const lane of this.#lanes.values()) {
      if (lane.state !== 'leaving' || lane.flight.length > 0 || lane.ended) continue
      lane.ended = true
      return { do: 'end', lane: lane.number }
    }
    return undefined
  }

  /** Sends an ACK on two lanes: the fastest, and the one heard from last, for one of them may just have
   *  died. False where every lane is full; it goes when one drains. */
  #acknowledge(now: number): boolean {
    let fastest: Lane | undefined
    let latest: Lane | undefined
    for (const lane of this.#lanes.values()) {
      if (lane.blocked) continue
      if (!fastest || (lane.rtt ?? Infinity) < (fastest.rtt ?? Infinity)) fastest = lane
    }
    if (!fastest) return false
    for (const lane of this.#lanes.values()) {
      if (lane.blocked || lane === fastest) continue
      if (!latest || lane.heardAt > latest.heardAt) latest = lane
    }
    const message = wire.encodeAck(this.#receiver.ack(this.#lanes.values(), now))
    this.#send(fastest, message)
    if (latest) this.#send(latest, message)
    return true
  }

  #checkLane(lane: Lane, now: number): void {
    if ((lane.suspectAt ?? Infinity) <= now) {
      lane.suspect(now)
      this.#sender.giveUp(lane)
    }
    if (now < this.#checkAt(lane)) return
    const silentMs = now - lane.heardAt
    if (lane.suspectSince !== undefined && silentMs < DEAD_MS && this.#othersWork(lane)) {
      this.#drop(lane, 'silent, while others are not')
    } else if (silentMs < DEAD_MS) {
      this.#ping(lane, now)
    } else {
      this.#drop(lane, `silent for ${DEAD_MS} ms`)
    }
  }

  /** When to look at a lane again, other than to suspect it. */
  #checkAt(lane: Lane): number {
    const pinged = lane.pingedAt >= lane.heardAt
    const silent = lane.heardAt + (pinged ? DEAD_MS : PING_MS)
    const { suspectSince } = lane
    if (suspectSince === undefined || !this.#othersWork(lane)) return silent
    const patience = Math.max(LEAST_SUSPECT_MS, SUSPECT_TIMES * lane.meter.patience)
    return Math.min(silent, suspectSince + patience)
  }

  /** Whether another lane works, so that not all the world is silent. */
  #othersWork(than: Lane): boolean {
    for (const lane of this.#lanes.values()) {
      if (lane !== than && lane.state === 'working' && lane.heardAt > than.heardAt) return true
    }
    return false
  }

  #checkNoLane(since: number, now: number): void {
    const { noLaneTimeoutMs } = this.#options
    if (now < since + noLaneTimeoutMs) return
    this.#fail(new PipeError('ERR_PIPE_NO_LANES', `without a lane for ${noLaneTimeoutMs} ms`))
  }

  #ping(lane: Lane, now: number): void {
    lane.pingToken = this.#tokens = (this.#tokens + 1) >>> 0
    lane.pingedAt = now
    this.#send(lane, wire.encodeToken(wire.PING, lane.pingToken))
  }

  /** Answers the last PING. While the lane is full one answer waits, however many PINGs come. */
  #pong(lane: Lane): void {
    if (lane.pongDue === undefined || lane.blocked) return
    this.#send(lane, wire.encodeToken(wire.PONG, lane.pongDue))
    lane.pongDue = undefined
  }

  #send(lane: Lane, message: Buffer): void {
    this.#outputs.push({ do: 'send', lane: lane.number, message })
  }

  #drop(lane: Lane, reason: string): void {
    this.#outputs.push({ do: 'drop', lane: lane.number, reason })
  }

  /** The peer broke the protocol: it is told, and the session is over. */
  #break(error: PipeError): void {
    this.abort(error.code === 'ERR_PIPE_LIMIT' ? wire.LIMIT : wire.PROTOCOL, error.sentence)
    this.#outputs.push({ do: 'failed', error })
  }

  #fail(error: PipeError): void {
    if (this.#over) return
    this.#over = true
    this.#outputs.push({ do: 'failed', error })
  }
}

function aborted(code: number, reason: string): PipeError {
  const why = reason ? `: ${reason}` : ''
  if (code === wire.NO_SESSION) return new PipeError('ERR_PIPE_RESET', `no such session${why}`)
  return new PipeError('ERR_PIPE_RESET', `the peer aborted${why}`)
}
