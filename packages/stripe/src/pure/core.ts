// StripeCore: the protocol of a stripe, at one end. Events go in, outputs come out.
//
//   laneUp, laneDown, laneBlocked, receive ──▶ ┌────────────┐ ──▶ send, drop
//   write, end, taken                      ──▶ │ StripeCore │ ──▶ deliver, ended, failed
//   tick                                   ──▶ └────────────┘ ──▶ `deadline`: when to tick
//
// Pure: no streams, no sockets, no clock, no chance. The same class runs under a simulator and in
// production. Time is passed in, in ms, and never goes back. After each event, poll() until it has
// nothing more: only then is a parcel given to a lane, as late as can be.

import { type Loan, type Message, PipeError, sizeOf } from '@striper/core'
import { check, LEAP_MS, lookAt, STARVED_MS, takeLeaver } from './health.ts'
import { Lane } from './lane.ts'
import type { CoreOptions, Mode, Output, Totals } from './output.ts'
import type { ParcelSizes } from './parcels.ts'
import { ackLanes, Receiver } from './receiver.ts'
import { Sender } from './sender.ts'
import * as wire from './wire.ts'

export class StripeCore {
  readonly #lanes = new Map<number, Lane>()
  readonly #sender: Sender
  readonly #receiver: Receiver
  readonly #noLaneTimeoutMs: number
  #outputs: Output[] = []
  #next = 0 // index of the first output that was not taken
  #over = false
  #endGiven = false
  #noLaneSince: number | undefined
  #starvedAt = 0 // when a parcel last did not wait for credit alone, or we asked for some
  #tokens = 0

  readonly mode: Mode // how to send; may be changed at any time
  readonly sizes: ParcelSizes // how large parcels should be

  constructor(options: CoreOptions, now: number) {
    this.#noLaneTimeoutMs = options.noLaneTimeoutMs
    this.mode = { endless: false, redundant: options.redundant }
    this.#sender = new Sender(options, this.#lanes, this.mode)
    this.sizes = this.#sender.sizes
    this.#receiver = new Receiver(options.windowBytes)
    this.#noLaneSince = now
  }

  get lanes(): ReadonlyMap<number, Lane> {
    return this.#lanes
  }

  /** Whether parcels are queued that no lane takes yet, so that the writer should wait. */
  get backlog(): boolean {
    return this.#sender.backlog
  }

  /** Whether all that was written is acknowledged, the end included. */
  get finished(): boolean {
    return this.#sender.finished
  }

  get totals(): Totals {
    const { retainedBytes, copiedBytes } = this.#sender
    return { retainedBytes, copiedBytes, duplicates: this.#receiver.duplicates }
  }

  /** The credit that HELLO states. */
  get limit(): number {
    return this.#receiver.limit
  }

  /** A lane is open. Throws a RangeError where its number is taken. */
  laneUp(number: number, label: string, now: number): Lane {
    if (this.#lanes.has(number)) throw new RangeError(`lane ${number} is there already`)
    const lane = new Lane(number, label, now)
    this.#lanes.set(number, lane)
    if (!this.#over) this.#ping(lane, now)
    this.#receiver.ackNow(now) // what was said on lanes that are gone may never have been heard
    return lane
  }

  /** A lane is gone. What was under way on it goes by others. */
  laneDown(number: number, now: number): void {
    const lane = this.#lanes.get(number)
    if (lane === undefined || !this.#lanes.delete(number)) return
    this.#sender.lost(lane)
    // A lane counts once something was heard on it: what takes connections may not be the far end.
    if (![...this.#lanes.values()].some(each => each.heard)) this.#noLaneSince ??= now
    this.#receiver.ackAgain(this.#lanes.values(), now)
  }

  /** The pipe of a lane is full, or has drained. */
  laneBlocked(number: number, blocked: boolean): void {
    const lane = this.#lanes.get(number)
    if (lane === undefined || this.#over) return
    lane.blocked = blocked
    this.#pong(lane)
  }

  /** Nothing new goes on a lane; when nothing is under way on it any more, it ends. */
  leave(number: number): void {
    const lane = this.#lanes.get(number)
    if (lane === undefined || lane.state === 'leaving' || this.#over) return
    lane.state = 'leaving'
    this.#send(lane, wire.encodeLeave())
  }

  write(message: Message, loan?: Loan): void {
    this.#sender.write(message, loan)
  }

  /** Nothing more will be polled: what is on loan goes back when the lanes have done with it. */
  clear(): void {
    this.#sender.clear()
  }

  /** A parcel that overtakes what waits; false where too many do. */
  writeUrgent(message: Message, lean: boolean, now: number): boolean {
    return this.#sender.writeUrgent(message, lean, now)
  }

  end(): void {
    this.#sender.end()
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

  /** Acknowledges everything on every lane, when all is done both ways; the last word. */
  farewell(now: number): void {
    this.#over = true
    for (const lane of this.#lanes.values()) lane.ackDue = lane.received > 0
    const message = wire.encodeAck(this.#receiver.ack(this.#lanes.values(), now))
    for (const lane of this.#lanes.values()) this.#send(lane, message)
  }

  /** A message came on a lane, its memory maybe on loan. Whatever is wrong with it is the end of
   *  the session. */
  receive(number: number, message: Message, now: number, loan?: Loan): void {
    const lane = this.#lanes.get(number)
    if (lane === undefined || this.#over) return loan?.release()
    lane.hear(now)
    this.#noLaneSince = undefined
    if (lane.spent) this.leave(number)
    try {
      if (!this.#take(lane, wire.decode(message), now, loan)) loan?.release()
    } catch (error) {
      // The peer broke the protocol: it is told, and the session is over.
      const { code, sentence } = PipeError.from(error, '')
      this.abort(code === 'ERR_PIPE_LIMIT' ? wire.LIMIT : wire.PROTOCOL, sentence)
      this.#outputs.push({ do: 'failed', error: new PipeError(code, sentence) })
    }
  }

  /** When to call tick(), in ms; undefined while there is nothing to wait for. */
  get deadline(): number | undefined {
    if (this.#over) return undefined
    let first = (this.#noLaneSince ?? Infinity) + this.#noLaneTimeoutMs
    for (const lane of this.#lanes.values()) {
      first = Math.min(first, lookAt(lane, this.#lanes))
      if (!lane.blocked) first = Math.min(first, this.#receiver.ackAt ?? Infinity)
    }
    if (this.#sender.starved) first = Math.min(first, this.#starvedAt + STARVED_MS)
    return Number.isFinite(first) ? first : undefined
  }

  /** Does what is due. */
  tick(now: number): void {
    if (this.#over) return
    const late = now - (this.deadline ?? now)
    if (late > LEAP_MS) for (const lane of this.#lanes.values()) lane.leap(late)
    if (this.#noLaneSince !== undefined && now >= this.#noLaneSince + this.#noLaneTimeoutMs) {
      const sentence = `without a lane for ${this.#noLaneTimeoutMs} ms`
      return this.#fail(new PipeError('ERR_PIPE_NO_LANES', sentence))
    }
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
    if (this.#next > 0) this.#outputs = []
    this.#next = 0
    if (this.#over) return undefined
    if (this.#receiver.ended && !this.#endGiven) {
      this.#endGiven = true
      this.#receiver.ackNow(now)
      return { do: 'ended' }
    }
    const sending = this.#sender.next(now)
    if (sending) return this.#sender.toSend(sending)
    if (!this.#sender.starved) this.#starvedAt = now
    if ((this.#receiver.ackAt ?? Infinity) <= now && this.#acknowledge(now)) return this.poll(now)
    const left = takeLeaver(this.#lanes)
    return left && { do: 'end', lane: left.number }
  }

  /** Whether the message is part of an output. */
  #take(lane: Lane, message: wire.StripeMessage, now: number, loan: Loan | undefined): boolean {
    switch (message.type) {
      case wire.PARCEL: {
        const { number, bytes: parcel } = message
        if (!this.#receiver.receive(number, sizeOf(parcel), false, lane, now)) return false
        this.#outputs.push({ do: 'deliver', parcel, loan })
        return true
      }
      case wire.END:
        this.#receiver.receive(message.number, 0, true, lane, now)
        break
      case wire.ACK:
        this.#sender.ack(message.ack, now)
        for (const each of this.#lanes.values()) if (each.wantsPing) this.#ping(each, now)
        break
      case wire.HELLO:
        wire.checkLane(message.hello, lane.number)
        this.#sender.hello(message.hello.limit)
        break
      case wire.PING:
        lane.pongDue = message.token
        this.#pong(lane)
        this.#receiver.ackNow(now)
        break
      case wire.PONG:
        lane.ponged(message.token, now)
        break
      case wire.LEAVE:
        lane.state = 'leaving'
        break
      case wire.ABORT:
        if (message.code === wire.FINISHED && this.#receiver.ended) this.#sender.allArrived()
        else this.#fail(wire.aborted(message.code, message.reason))
    }
    return false
  }

  /** False where every lane is full; the ACK goes when one drains. */
  #acknowledge(now: number): boolean {
    const lanes = ackLanes(this.#lanes.values())
    if (lanes.length === 0) return false
    const message = wire.encodeAck(this.#receiver.ack(this.#lanes.values(), now))
    for (const lane of lanes) this.#send(lane, message)
    return true
  }

  #checkLane(lane: Lane, now: number): void {
    if ((lane.suspectAt ?? Infinity) <= now) {
      lane.suspect(now)
      this.#sender.giveUp(lane)
    }
    const verdict = check(lane, this.#lanes, now)
    if (verdict.do === 'ping') this.#ping(lane, now)
    else if (verdict.do === 'drop') {
      this.#outputs.push({ do: 'drop', lane: lane.number, reason: verdict.reason })
    }
  }

  #ping(lane: Lane, now: number): void {
    this.#tokens = (this.#tokens + 1) >>> 0
    lane.pinged(this.#tokens, now)
    this.#send(lane, wire.encodeToken(wire.PING, this.#tokens))
  }

  /** Answers the last PING. While the lane is full one answer waits, however many PINGs come. */
  #pong(lane: Lane): void {
    if (lane.pongDue === undefined || lane.blocked) return
    this.#send(lane, wire.encodeToken(wire.PONG, lane.pongDue))
    lane.pongDue = undefined
  }

  #send(lane: Lane, message: Buffer): void {
    this.#outputs.push({ do: 'send', lane: lane.number, message, loan: undefined })
  }

  #fail(error: PipeError): void {
    if (this.#over) return
    this.#over = true
    this.#outputs.push({ do: 'failed', error })
  }
}
