// LanePipes: the pipes of a stripe's lanes: their HELLO, their numbers, their end.
//
//   dialling end:   lane open ── HELLO ──▶ up at once; what comes back is a HELLO too
//   accepting end:  lane ◀── HELLO ── then HELLO back, and up
//
// It knows pipes and the first message, and nothing of parcels. A lane is never paused.

import { logger, type MessagePipe, PipeError } from '@striper/core'
import { checkedProperties, type LaneProperties } from './options.ts'
import {
  decode,
  encodeAbort,
  encodeHello,
  FINISHED,
  HELLO,
  type Hello,
  NO_SESSION,
} from './pure/wire.ts'

const log = logger('stripe')

/** Every lane must take messages of this size, in bytes. */
export const LANE_MESSAGE_BYTES = 65 * 1024

/** Who is told what becomes of lanes. */
export interface LaneEvents {
  up(number: number, lane: MessagePipe): void
  /** A message came on a lane that is up. At each end the first is the far end's HELLO. */
  message(number: number, message: Buffer): void
  drained(number: number): void
  /** A lane is gone; `number` is undefined where it never was up. Once for each lane. */
  down(number: number | undefined, lane: MessagePipe): void
}

export interface LanesInit {
  label: string
  session: Buffer
  dials: boolean
  /** The credit that our HELLO states. */
  limit: number
}

export class LanePipes {
  readonly #init: LanesInit
  readonly #events: LaneEvents
  readonly #numbers = new Map<MessagePipe, number | undefined>() // undefined while it is not up
  readonly #properties = new WeakMap<MessagePipe, Required<LaneProperties>>()
  readonly #pipes = new Map<number, MessagePipe>() // those that are up
  #next = 0
  #welcomed = false // whether the far end has the session
  #closing = false

  constructor(init: LanesInit, events: LaneEvents) {
    this.#init = init
    this.#events = events
  }

  /** All that have not closed, up or not. */
  get all(): readonly MessagePipe[] {
    return [...this.#numbers.keys()]
  }

  /** The pipe of the lane that is up under a number. */
  get(number: number): MessagePipe | undefined {
    return this.#pipes.get(number)
  }

  /** The number of a lane that is up. */
  numberOf(lane: MessagePipe): number | undefined {
    return this.#numbers.get(lane)
  }

  /** What its owner said of a lane. */
  propertiesOf(lane: MessagePipe): Required<LaneProperties> {
    return this.#properties.get(lane) ?? checkedProperties({})
  }

  add(lane: MessagePipe, properties: Required<LaneProperties>): void {
    if (lane.maxMessageBytes < LANE_MESSAGE_BYTES) {
      const sentence = `a lane must take messages of ${LANE_MESSAGE_BYTES} bytes`
      throw new RangeError(`${lane.label}: ${sentence}, and takes ${lane.maxMessageBytes}`)
    }
    this.#own(lane, properties)
    if (!this.#init.dials) lane.once('data', (message: Buffer) => this.#welcome(lane, message))
    else if (lane.pending) lane.once('ready', () => this.#greet(lane))
    else this.#greet(lane)
  }

  /** A lane whose HELLO has been read already. */
  adopt(lane: MessagePipe, hello: Hello): void {
    this.#own(lane, checkedProperties({}))
    this.#accept(lane, hello)
  }

  /** A lane that is up is of no more use: it is aborted, and `down` is not told. */
  drop(number: number): void {
    const lane = this.#pipes.get(number)
    this.#pipes.delete(number)
    lane?.destroy()
  }

  /** Ends every lane, so that the last words arrive; aborts those that take longer than that. */
  close(patienceMs: number, done: () => void): void {
    this.#closing = true
    const open = this.all
    if (open.length === 0) return done()
    const timer = setTimeout(() => {
      for (const lane of this.all) lane.destroy()
    }, patienceMs)
    for (const lane of open) {
      lane.once('close', () => {
        if (this.#numbers.size > 0) return
        clearTimeout(timer)
        done()
      })
      if (this.#numbers.get(lane) === undefined) lane.destroy()
      else lane.end()
    }
  }

  #own(lane: MessagePipe, properties: Required<LaneProperties>): void {
    this.#properties.set(lane, properties)
    lane.on('error', error => log('%s: %s', this.#init.label, error.message))
    this.#numbers.set(lane, undefined)
    lane.once('close', () => {
      this.#down(lane)
      this.#numbers.delete(lane)
    })
    if (this.#closing) lane.destroy()
  }

  /** Our HELLO on a lane that we dialled. The lane is used at once, and not after the answer. */
  #greet(lane: MessagePipe): void {
    if (this.#closing) return
    const { session, limit } = this.#init
    const hello = { mayOpen: !this.#welcomed, lane: this.#next++, session, limit }
    lane.write(encodeHello(hello))
    this.#up(lane, hello.lane)
  }

  /** The first message of a lane that the far end dialled. */
  #welcome(lane: MessagePipe, message: Buffer): void {
    try {
      const hello = readHello(message)
      if (!hello.session.equals(this.#init.session)) {
        throw new PipeError('ERR_PIPE_PROTOCOL', 'a lane of another session')
      }
      this.#accept(lane, hello)
    } catch (error) {
      lane.destroy(PipeError.from(error, lane.label))
    }
  }

  #accept(lane: MessagePipe, hello: Hello): void {
    if (this.#closing) return
    if (this.#pipes.has(hello.lane)) {
      lane.destroy(new PipeError('ERR_PIPE_PROTOCOL', `lane ${hello.lane} is there already`))
      return
    }
    lane.write(encodeHello({ ...hello, mayOpen: false, limit: this.#init.limit }))
    this.#up(lane, hello.lane)
    this.#events.message(hello.lane, encodeHello(hello))
  }

  #up(lane: MessagePipe, number: number): void {
    this.#numbers.set(lane, number)
    this.#pipes.set(number, lane)
    lane.on('data', (message: Buffer) => {
      if (message[0] === HELLO) this.#welcomed = true
      this.#events.message(number, message)
    })
    lane.on('drain', () => this.#events.drained(number))
    lane.on('end', () => {
      this.#down(lane)
      if (!lane.writableEnded) lane.end()
    })
    log('%s: lane %d up, %s', this.#init.label, number, lane.label)
    this.#events.up(number, lane)
  }

  #down(lane: MessagePipe): void {
    const number = this.#numbers.get(lane)
    if (number !== undefined && !this.#pipes.delete(number)) return // it is known already
    log('%s: lane %d down, %s', this.#init.label, number ?? -1, lane.label)
    this.#events.down(number, lane)
  }
}

/** Reads the first message of a lane; throws ERR_PIPE_PROTOCOL where it is not a HELLO. */
export function readHello(message: Buffer): Hello {
  const decoded = decode(message)
  if (decoded.type === HELLO) return decoded.hello
  throw new PipeError('ERR_PIPE_PROTOCOL', `began with a message of type ${decoded.type}`)
}

/** What to answer on a lane whose session is not there: it never was, or it failed; or it is over,
 *  and all is well. */
export function refusal(finished: boolean): Buffer {
  return encodeAbort(finished ? FINISHED : NO_SESSION, '')
}
