// stripe: many lanes as one parcel pipe, with the sum of their rates, that outlives any of them.
//
//   write ──▶ ┌────────────┐ ──▶ lane 0 ══▶
//             │ StripeCore │ ──▶ lane 1 ══▶     a parcel goes by the lane that has room for it, and
//   read  ◀── └────────────┘ ──▶ lane 2 ══▶     is kept until the far end has acknowledged it
//
// This is the shell: it moves messages between the pipes and the core, which has the protocol. Lanes are
// message pipes, and nothing more is known of them here.

import { randomBytes } from './random.ts'
import { type Done, logger, type Message, type MessagePipe, type MessageSizes } from '@striper/core'
import { numbered, PipeBase, PipeError, sizeOf } from '@striper/core'
import { StripeCore, type Output } from './pure/core.ts'
import type { Lane, LaneState } from './pure/lane.ts'
import { type Schedule, soonest } from './pure/schedule.ts'
import * as wire from './pure/wire.ts'

const log = logger('stripe')

/** Every lane must take messages of this size, in bytes. */
export const LANE_MESSAGE_BYTES = 65 * 1024

const DEFAULT_WINDOW_BYTES = 8 * 1024 * 1024
const LARGEST_WINDOW_BYTES = 1024 * 1024 * 1024
/** How long lanes may take to carry the last words, when all is done and when it is not. In ms. */
const FAREWELL_MS = 5000
const ABORT_MS = 1000
/** Beside the bytes of a parcel, the headers of what stands on the stripe should fit. */
const HEADERS_BYTES = 64

export interface StripeOptions {
  /** `dial` (default): this end numbers the lanes and says HELLO first. `accept`: the other end does. */
  role?: 'dial' | 'accept'
  /** The session's id, 16 bytes; random unless given. It is no secret. */
  session?: Buffer
  /** The first lanes; more may be added, and removed, at any time. */
  lanes?: Iterable<MessagePipe>
  /** What may wait at this end for its reader, in bytes: 256 KiB to 1 GiB, default 8 MiB. */
  windowBytes?: number
  /** Which lane gets the next parcel; default `soonest`. */
  schedule?: Schedule
  /** How long the session outlives its last lane, in ms, before it fails with ERR_PIPE_NO_LANES; 60 s. */
  noLaneTimeoutMs?: number
}

/** What is known of a lane. Rates are bytes a second. */
export interface LaneStats {
  readonly number: number
  readonly label: string
  readonly state: LaneState
  /** Why it takes nothing just now, in words; undefined where it does. */
  readonly reason: string | undefined
  readonly rate: number | undefined
  /** The least round trip of late. */
  readonly rttMs: number | undefined
  /** Bytes given to it that are not acknowledged, and how many may be. */
  readonly inFlight: number
  readonly room: number
  readonly bytesOut: number
  /** Parcels that went by it though they had gone by another before. */
  readonly copiesOut: number
}

/** What a stripe holds, beside the counters of every pipe. */
export interface StripeStats {
  /** Bytes that were written and are not acknowledged. */
  readonly retainedBytes: number
  /** Bytes that were sent again, on another lane. */
  readonly copiedBytes: number
  /** Parcels that arrived again, and were dropped. */
  readonly duplicates: number
}

/**
 * One parcel pipe over many lanes. It opens with its first lane. It emits `laneUp` and `laneDown` with the
 * lane's pipe; losing a lane loses nothing, and losing all of them is an error only after
 * `noLaneTimeoutMs`. `finish` means that the far end has received everything.
 */
export function stripe(options: StripeOptions = {}): StripePipe {
  const pipe = new StripePipe(options)
  for (const lane of options.lanes ?? []) pipe.addLane(lane)
  return pipe
}

export class StripePipe extends PipeBase<'parcels'> implements MessageSizes {
  readonly maxMessageBytes = LANE_MESSAGE_BYTES - wire.PARCEL_HEADER_BYTES
  /** The session's id. */
  readonly session: Buffer
  readonly #core: StripeCore
  readonly #dials: boolean
  readonly #lanes = new Map<MessagePipe, number | undefined>() // its number, once it is up
  readonly #inbox: Buffer[] = [] // parcels that the reader has not asked for
  #wanted = false
  #nextLane = 0
  #welcomed = false // whether the far end has the session
  #opened: Done | undefined
  #held: Done | undefined
  #finishing: Done | undefined
  #ended = false
  #peerAborted = false
  #flushing = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #timerAt = Infinity

  constructor(options: StripeOptions) {
    const { role = 'dial', session = randomBytes(wire.SESSION_ID_BYTES) } = options
    const { windowBytes = DEFAULT_WINDOW_BYTES, noLaneTimeoutMs = 60_000 } = options
    if (session.length !== wire.SESSION_ID_BYTES) {
      throw new RangeError(`session must be ${wire.SESSION_ID_BYTES} bytes, got ${session.length}`)
    }
    if (!(windowBytes >= wire.INITIAL_CREDIT && windowBytes <= LARGEST_WINDOW_BYTES)) {
      const range = `${wire.INITIAL_CREDIT}..${LARGEST_WINDOW_BYTES}`
      throw new RangeError(`windowBytes must be ${range}, got ${windowBytes}`)
    }
    if (!(noLaneTimeoutMs >= 0)) {
      throw new RangeError(`noLaneTimeoutMs must be 0 or more, got ${noLaneTimeoutMs}`)
    }
    super({ kind: 'parcels', label: numbered('stripe') })
    this.session = session
    this.#dials = role === 'dial'
    const { schedule = soonest } = options
    this.#core = new StripeCore({ windowBytes, schedule, noLaneTimeoutMs }, performance.now())
  }

  /** The pipes of its lanes. */
  override get below(): readonly MessagePipe[] {
    return [...this.#lanes.keys()]
  }

  /** The lanes that are up. */
  get lanes(): readonly LaneStats[] {
    return [...this.#core.lanes.values()].map(toStats)
  }

  get stripeStats(): StripeStats {
    const { retainedBytes, copiedBytes, duplicates } = this.#core
    return { retainedBytes, copiedBytes, duplicates }
  }

  /** About 10 ms of the slowest lane worth using, 4 to 64 KiB, and room for headers. */
  get preferredMessageBytes(): number {
    return Math.min(this.#core.parcelBytes + HEADERS_BYTES, this.maxMessageBytes)
  }

  /**
   * Takes a lane, and owns it. It is used as soon as it is open; where it fails before, or later, it is
   * forgotten, and `laneDown` says so. At the accepting end its first message has to be the HELLO of this
   * session. Throws a RangeError for a lane whose messages are too small. On a stripe that is over, the
   * lane is destroyed.
   */
  addLane(lane: MessagePipe): void {
    if (lane.maxMessageBytes < LANE_MESSAGE_BYTES) {
      throw new RangeError(
        `${lane.label}: a lane must take messages of ${LANE_MESSAGE_BYTES} bytes`,
      )
    }
    this.#own(lane)
    if (this.#dials) {
      if (lane.pending) lane.once('ready', () => this.#greet(lane))
      else this.#greet(lane)
    } else {
      lane.once('data', (message: Buffer) => this.#welcome(lane, message))
    }
  }

  /** Takes a lane whose HELLO somebody has read already, at the accepting end. */
  adoptLane(lane: MessagePipe, hello: wire.Hello): void {
    this.#own(lane)
    this.#accept(lane, hello)
  }

  /** Lets a lane go: nothing new goes on it, and it ends when what is under way has arrived. */
  removeLane(lane: MessagePipe): void {
    const number = this.#lanes.get(lane)
    if (number === undefined) {
      if (this.#lanes.has(lane)) lane.destroy()
      return
    }
    this.#core.leave(number)
    this.#flush()
  }

  protected override open(done: Done): void {
    if (this.#core.lanes.size > 0) return done()
    this.#opened = done
    this.#arm()
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
    this.#core.write(message)
    this.#held = done
    this.#flush()
  }

  override _final(done: Done): void {
    this.#core.end()
    this.#finishing = done
    this.#flush()
  }

  override _read(): void {
    this.#wanted = true
    this.#release()
    this.#flush()
  }

  override _destroy(error: Error | null, done: Done): void {
    clearTimeout(this.#timer)
    const aborted = error ?? new PipeError('ERR_PIPE_ABORTED', 'destroyed', { label: this.label })
    this.#held?.(aborted)
    this.#held = undefined
    const complete = this.complete
    if (complete) this.#core.farewell(performance.now())
    else if (!this.#peerAborted) this.#core.abort(wire.ABORTED, '')
    this.#drainOutputs()
    this.#closeLanes(complete ? FAREWELL_MS : ABORT_MS, () => done(error))
  }

  /** Ends every lane, so that the last words arrive, and aborts those that take too long about it. */
  #closeLanes(patienceMs: number, done: () => void): void {
    const open = this.below
    if (open.length === 0) return done()
    const timer = setTimeout(() => {
      for (const lane of this.below) lane.destroy()
    }, patienceMs)
    for (const lane of open) {
      lane.once('close', () => {
        if (this.#lanes.size > 0) return
        clearTimeout(timer)
        done()
      })
      if (this.#lanes.get(lane) === undefined) lane.destroy()
      else lane.end()
    }
  }

  #own(lane: MessagePipe): void {
    lane.on('error', error => log('%s: %s', this.label, error.message))
    this.#lanes.set(lane, undefined)
    lane.once('close', () => {
      this.#down(lane)
      this.#lanes.delete(lane)
    })
    if (this.destroyed) lane.destroy()
  }

  /** Our HELLO on a lane that we dialled. The lane is used at once, and not after the answer. */
  #greet(lane: MessagePipe): void {
    if (this.destroyed) return
    const number = this.#nextLane++
    const { session } = this
    const { limit } = this.#core
    lane.write(wire.encodeHello({ mayOpen: !this.#welcomed, lane: number, session, limit }))
    this.#up(lane, number)
  }

  /** The first message of a lane that somebody else dialled. */
  #welcome(lane: MessagePipe, message: Buffer): void {
    let hello: wire.Hello
    try {
      hello = readHello(message)
      if (!hello.session.equals(this.session)) {
        throw new PipeError('ERR_PIPE_PROTOCOL', 'a lane of another session')
      }
    } catch (error) {
      lane.destroy(error as Error)
      return
    }
    this.#accept(lane, hello)
  }

  #accept(lane: MessagePipe, hello: wire.Hello): void {
    if (this.destroyed) return
    if (this.#core.lanes.has(hello.lane)) {
      lane.destroy(new PipeError('ERR_PIPE_PROTOCOL', `lane ${hello.lane} is there already`))
      return
    }
    lane.write(wire.encodeHello({ ...hello, mayOpen: false, limit: this.#core.limit }))
    this.#up(lane, hello.lane)
    this.#core.receive(hello.lane, wire.encodeHello(hello), performance.now())
    this.#flush()
  }

  #up(lane: MessagePipe, number: number): void {
    this.#lanes.set(lane, number)
    const core = this.#core
    core.laneUp(number, lane.label, performance.now())
    lane.on('data', (message: Buffer) => {
      if (message[0] === wire.HELLO) this.#welcomed = true
      core.receive(number, message, performance.now())
      this.#flush()
    })
    lane.on('drain', () => {
      core.laneDrained(number)
      this.#flush()
    })
    lane.on('end', () => {
      this.#down(lane)
      if (!this.destroyed) lane.end()
    })
    log('%s: lane %d up, %s', this.label, number, lane.label)
    this.emit('laneUp', lane)
    this.#open()
    this.#flush()
  }

  #down(lane: MessagePipe): void {
    const number = this.#lanes.get(lane)
    if (this.destroyed) return
    if (number !== undefined && !this.#core.lanes.has(number)) return
    log('%s: lane %d down, %s', this.label, number ?? -1, lane.label)
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
    this.#core.endless = this.writableNeedDrain
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
    this.#arm()
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
        const lane = this.#pipeOf(output.lane)
        if (lane && !lane.writableEnded && !lane.write(output.message)) {
          this.#core.laneFull(output.lane)
        }
        return
      }
      case 'deliver':
        this.#inbox.push(output.parcel)
        this.#release()
        return
      case 'ended':
        this.#ended = true
        this.#release()
        return
      case 'end':
        this.#pipeOf(output.lane)?.end()
        return
      case 'drop': {
        const lane = this.#pipeOf(output.lane)
        log('%s: lane %d dropped, %s', this.label, output.lane, output.reason)
        this.#core.laneDown(output.lane, performance.now())
        lane?.destroy()
        if (lane) this.emit('laneDown', lane)
        return
      }
      case 'failed':
        this.#peerAborted = true // or it has been told already
        this.destroy(PipeError.from(output.error, this.label))
    }
  }

  /** Gives the reader what it wants of what has arrived. */
  #release(): void {
    let taken = 0
    while (this.#wanted && this.#inbox.length > 0 && !this.destroyed) {
      const parcel = this.#inbox.shift()!
      taken += parcel.length
      this.#wanted = this.deliver(parcel)
    }
    if (taken > 0) this.#core.taken(taken, performance.now())
    if (this.#ended && this.#inbox.length === 0 && !this.readableEnded) {
      this.#ended = false
      this.push(null)
    }
  }

  #pipeOf(number: number): MessagePipe | undefined {
    for (const [lane, each] of this.#lanes) if (each === number) return lane
    return undefined
  }

  #arm(): void {
    const { deadline } = this.#core
    if (deadline !== undefined && deadline >= this.#timerAt) return // it looks again when it fires
    clearTimeout(this.#timer)
    this.#timerAt = deadline ?? Infinity
    if (deadline === undefined) return
    this.#timer = setTimeout(
      () => {
        this.#timerAt = Infinity
        this.#core.tick(performance.now())
        this.#flush()
        this.#arm()
      },
      Math.max(deadline - performance.now(), 0),
    )
  }
}

/** Reads the first message of a lane; throws ERR_PIPE_PROTOCOL where it is not a HELLO. */
export function readHello(message: Buffer): wire.Hello {
  const decoded = wire.decode(message)
  if (decoded.type === wire.HELLO) return decoded.hello
  throw new PipeError('ERR_PIPE_PROTOCOL', `a lane began with a message of type ${decoded.type}`)
}

/** What to answer on a lane whose session is not there. */
export function refusal(): Buffer {
  return wire.encodeAbort(wire.NO_SESSION, '')
}

function toStats(lane: Lane): LaneStats {
  const { number, label, state, reason, inFlight, room, bytesOut, copiesOut } = lane
  const rate = lane.rate === undefined ? undefined : lane.rate * 1000
  return {
    number,
    label,
    state,
    reason,
    rate,
    rttMs: lane.rtt,
    inFlight,
    room,
    bytesOut,
    copiesOut,
  }
}
