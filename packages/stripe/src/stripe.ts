// stripe: many lanes as one parcel pipe, with the sum of their rates, that outlives any of them.
//
//   write ──▶ ┌────────────┐ ──▶ lane 0 ══▶
//             │ StripeCore │ ──▶ lane 1 ══▶     a parcel goes by the lane that has room for it, and
//   read  ◀── └────────────┘ ──▶ lane 2 ══▶     is kept until the far end has acknowledged it
//
// This is the shell: a Duplex and a timer around the core, which has the protocol. lanes.ts has the
// lanes' pipes; they are message pipes, and nothing more is known of them here.

import { logger, LoanPipe, numbered, PipeError, sizeOf, whole, writeLent } from '@striper/core'
import type { Done, Message, MessagePipe, MessageSizes } from '@striper/core'
import { Alarm } from './alarm.ts'
import { Inbox } from './inbox.ts'
import { LanePipes, type Opening } from './lanes.ts'
import { checked, checkedProperties, toStats } from './options.ts'
import type { LaneProperties, LaneStats, StripeOptions } from './options.ts'
import { StripeCore } from './pure/core.ts'
import type { Output, Totals } from './pure/output.ts'
import { HEADERS_BYTES } from './pure/parcels.ts'
import { ABORTED, INITIAL_CREDIT } from './pure/wire.ts'

const log = logger('stripe')

/**
 * One parcel pipe over many lanes. It opens with its first lane. It emits `laneUp` and `laneDown`
 * with the lane's pipe; losing a lane loses nothing, and losing all of them is an error only after
 * `noLaneTimeoutMs`. `finish` means that the far end has received everything.
 */
export function stripe(options: StripeOptions = {}): StripePipe {
  const pipe = new StripePipe(options)
  for (const lane of options.lanes ?? []) pipe.addLane(lane)
  return pipe
}

/** A stripe. Made by `stripe`. It lends parcels that came on lanes which lend, and hands loans on
 *  to lanes that take them, but holds a parcel's memory itself until that has arrived. */
export class StripePipe extends LoanPipe<'parcels'> implements MessageSizes {
  /** What the smallest window takes: a larger parcel might never be sent. */
  readonly maxMessageBytes = INITIAL_CREDIT
  /** The session's id. */
  readonly session: Buffer
  readonly #core: StripeCore
  readonly #maxParcelBytes: number
  readonly #lanes: LanePipes
  readonly #inbox = new Inbox({
    give: (parcel, loan) => {
      return (this.lending.lend(parcel, loan) || this.deliver(whole(parcel))) && !this.destroyed
    },
    taken: bytes => this.#core.taken(bytes, performance.now()),
    end: () => this.push(null),
  })
  #opened: Done | undefined
  #held: Done | undefined
  #finishing: Done | undefined
  #peerKnows = false // that it is over
  #flushing = false
  readonly #alarm = new Alarm(() => {
    this.#core.tick(performance.now())
    this.#flush()
  })

  constructor(options: StripeOptions) {
    const { role, session, maxParcelBytes, ...core } = checked(options)
    super({ kind: 'parcels', label: numbered('stripe') })
    this.session = session
    this.#maxParcelBytes = maxParcelBytes
    this.#core = new StripeCore(core, performance.now())
    const init = { label: this.label, session, dials: role === 'dial', limit: this.#core.limit }
    this.#lanes = new LanePipes(init, {
      up: (number, lane) => this.#laneUp(number, lane),
      message: (number, message, loan) => {
        this.#core.receive(number, message, performance.now(), loan)
      },
      heard: () => this.#flush(),
      drained: number => {
        this.#core.laneBlocked(number, false)
        this.#flush()
      },
      changed: (number, lane) => {
        Object.assign(this.#core.lanes.get(number)!, this.#lanes.propertiesOf(lane))
        this.#flush()
      },
      down: (number, lane) => this.#laneDown(number, lane),
    })
  }

  /** The pipes of its lanes. */
  override get below(): readonly MessagePipe[] {
    return this.#lanes.all
  }

  /** The lanes that are up. */
  get lanes(): readonly LaneStats[] {
    return Array.from(this.#core.lanes.values(), toStats)
  }

  /** What it holds, beside the counters of every pipe. */
  get stripeStats(): Totals {
    return this.#core.totals
  }

  /** Whether every parcel goes on two lanes. */
  set redundant(redundant: boolean) {
    this.#core.mode.redundant = redundant
  }

  /** About 20 ms of the slowest lane worth using, 4 to 64 KiB; of fast lanes 4 ms of their average,
   *  up to 511 KiB. But at most a quarter of either end's window, or less; and room for headers. */
  get preferredMessageBytes(): number {
    const bytes = Math.min(this.#core.sizes.preferredBytes, this.#maxParcelBytes)
    return Math.min(bytes + HEADERS_BYTES, this.maxMessageBytes)
  }

  /**
   * Takes a lane, and owns it. It is used as soon as it is open; where it fails before, or later,
   * it is forgotten, and `laneDown` says so. At the accepting end it has to begin with HELLO, of
   * this session. Throws a RangeError for a lane whose messages are too small. On a stripe that is
   * over, the lane is destroyed.
   */
  addLane(lane: MessagePipe, properties: LaneProperties = {}): void {
    checkedProperties(properties)
    this.#lanes.add(lane, properties)
  }

  /** Changes some of a lane's properties. Throws a RangeError for one out of range. */
  setLane(lane: MessagePipe, properties: LaneProperties): void {
    this.#lanes.change(lane, properties)
  }

  /** Takes a lane whose HELLO somebody has read already, at the accepting end. */
  adoptLane(lane: MessagePipe, hello: Opening): void {
    this.#lanes.adopt(lane, hello)
  }

  /** Lets a lane go: nothing new goes on it, and it ends when what is under way has arrived. */
  removeLane(lane: MessagePipe): void {
    const number = this.#lanes.numberOf(lane)
    if (number === undefined) {
      if (this.below.includes(lane)) lane.destroy()
      return
    }
    this.#core.leave(number)
    this.#flush()
  }

  /**
   * A parcel that overtakes what was written and has not gone, by the lane that delivers it first.
   * `lean`: somebody waits for it, and so for a second every lane gets no more than keeps it busy.
   * False, and nothing is done, where the stripe has ended or 64 KiB of such parcels wait.
   */
  writeUrgent(message: Message, lean = true): boolean {
    if (this.writableEnded || this.destroyed || sizeOf(message) > this.maxMessageBytes) return false
    if (!this.#core.writeUrgent(message, lean, performance.now())) return false
    this.accept(message)
    this.#flush()
    return true
  }

  protected override open(done: Done): void {
    // Destroyed already, it gets no lane any more: cancel() came too early to hurry this.
    if (this.#core.lanes.size > 0 || this.destroyed) return done()
    this.#opened = done
    this.#alarm.set(this.#core.deadline)
  }

  protected override cancel(): void {
    this.#open()
  }

  override _write(message: Message, _encoding: string, done: Done): void {
    if (sizeOf(message) > this.maxMessageBytes) {
      const sentence = `message of ${sizeOf(message)} bytes, limit ${this.maxMessageBytes}`
      return done(new PipeError('ERR_PIPE_LIMIT', sentence, { label: this.label }))
    }
    this.accept(message)
    this.#core.write(message, this.written.take(message))
    this.#held = done
    this.#flush()
  }

  override _final(done: Done): void {
    this.#core.end()
    this.#finishing = done
    this.#flush()
  }

  override _read(): void {
    this.#inbox.want()
    this.#flush()
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#alarm.set(undefined)
    this.#inbox.clear()
    const { complete, label } = this
    this.#held?.(error ?? new PipeError('ERR_PIPE_ABORTED', 'destroyed', { label }))
    this.#held = undefined
    if (complete) this.#core.farewell(performance.now())
    else if (!this.#peerKnows) this.#core.abort(ABORTED, '')
    this.#drainOutputs()
    this.#core.clear()
    this.written.keep()
    this.#lanes.close(complete, () => done(error))
  }

  #laneUp(number: number, lane: MessagePipe): void {
    const up = this.#core.laneUp(number, lane.label, performance.now())
    Object.assign(up, this.#lanes.propertiesOf(lane))
    this.emit('laneUp', lane)
    this.#open()
    this.#flush()
  }

  #laneDown(number: number | undefined, lane: MessagePipe): void {
    if (this.destroyed) return
    if (number !== undefined) this.#core.laneDown(number, performance.now())
    this.emit('laneDown', lane)
    this.#flush()
  }

  #open(): void {
    const opened = this.#opened
    this.#opened = undefined
    opened?.()
  }

  /** Does what the core wants done, lets the writer go on where it may, and sets the clock. */
  #flush(): void {
    if (this.#flushing || this.destroyed) return
    this.#flushing = true
    this.#core.mode.endless = this.writableNeedDrain
    do this.#drainOutputs()
    while (this.#letWriterGoOn())
    this.#flushing = false
    this.#settle()
  }

  #settle(): void {
    if (this.destroyed) return
    if (!this.#core.backlog && !this.writableNeedDrain) this.#core.idle()
    if (this.#finishing && this.#core.finished) {
      const finishing = this.#finishing
      this.#finishing = undefined
      finishing()
    }
    this.#alarm.set(this.#core.deadline)
  }

  /** Calls back the writer whose parcel has gone; it may write the next at once. */
  #letWriterGoOn(): boolean {
    const held = this.#held
    if (held === undefined || this.#core.backlog || this.destroyed) return false
    this.#held = undefined
    held()
    return true
  }

  #drainOutputs(): void {
    for (;;) {
      const output = this.#core.poll(performance.now())
      if (output === undefined) return
      this.#perform(output)
    }
  }

  #perform(output: Output): void {
    switch (output.do) {
      case 'send': {
        const lane = this.#lanes.get(output.lane)
        if (!lane || lane.writableEnded) output.loan?.release()
        else if (!writeLent(lane, output.message, output.loan)) {
          this.#core.laneBlocked(output.lane, true)
        }
        return
      }
      case 'deliver':
        return this.#inbox.push(output.parcel, output.loan)
      case 'ended':
        return this.#inbox.end()
      case 'end':
        this.#lanes.get(output.lane)?.end()
        return
      case 'drop':
        return this.#drop(output.lane, output.reason)
      case 'failed':
        this.#peerKnows = true
        this.destroy(PipeError.from(output.error, this.label))
    }
  }

  #drop(number: number, reason: string): void {
    const lane = this.#lanes.get(number)
    log('%s: lane %d dropped, %s', this.label, number, reason)
    this.#lanes.drop(number)
    if (lane) this.#laneDown(number, lane)
  }
}
