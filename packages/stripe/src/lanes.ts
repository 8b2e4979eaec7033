// LanePipes: the pipes of a stripe's lanes: their HELLO, their numbers, their end.
//
//   dialling end:   lane open ── HELLO ──▶ up at once; what comes back is a HELLO too
//   accepting end:  lane ◀── HELLO ── then HELLO back, and up
//
// It knows pipes, the first messages and PREFER, and nothing of parcels. A lane is never paused.

import { isLender, logger, pieces, PipeError, whole } from '@striper/core'
import type { Loan, Message, MessagePipe } from '@striper/core'
import { checkedProperties, type LaneProperties } from './options.ts'
import {
  decodePrefer,
  encodePrefer,
  PREFER,
  type Preference,
  samePreference,
} from './pure/prefer.ts'
import { decode, encodeAbort, encodeHello, FINISHED, HELLO, NO_SESSION } from './pure/wire.ts'
import type { Hello } from './pure/wire.ts'

const log = logger('stripe')

/** Every lane must take messages of this size, in bytes. */
export const LANE_MESSAGE_BYTES = 513 * 1024

/** How long lanes may take to carry the last words, when all is done, and when not. In ms. */
const FAREWELL_MS = 5000
const ABORT_MS = 1000

/** A timer that is so late was not late by itself: this process was stopped, in ms. */
const LEAP_MS = 1000

/** Who is told what becomes of lanes. */
export interface LaneEvents {
  up(number: number, lane: MessagePipe): void
  /** A message came on a lane that is up; at each end the first is the far end's HELLO. Its memory
   *  may be on loan. */
  message(number: number, message: Message, loan?: Loan): void
  /** All has been told that came in this turn: one read may bring many messages. */
  heard(): void
  drained(number: number): void
  /** What is said of a lane that is up has changed. */
  changed(number: number, lane: MessagePipe): void
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

/** What a lane says first: HELLO, and maybe PREFER before it. */
export type Opening = Hello & { readonly preference?: Preference }

export class LanePipes {
  readonly #init: LanesInit
  readonly #events: LaneEvents
  readonly #numbers = new Map<MessagePipe, number | undefined>() // undefined while it is not up
  readonly #said = new WeakMap<MessagePipe, LaneProperties>() // by the owner at this end
  readonly #heard = new WeakMap<MessagePipe, Preference>() // from the far end
  readonly #untold = new Set<MessagePipe>() // whose far end is to be told, when it drains
  readonly #pipes = new Map<number, MessagePipe>() // those that are up
  #next = 0
  #welcomed = false // whether the far end has the session
  #closed: (() => void) | undefined // to be called when the last has closed
  #closing = false
  #telling = false // what has come in this turn

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

  /** What its owner said of a lane; of what he did not, what the end that dialled it said. */
  propertiesOf(lane: MessagePipe): Required<LaneProperties> {
    return checkedProperties({ ...this.#heard.get(lane), ...this.#said.get(lane) })
  }

  /** Its owner says something else of a lane. Throws a RangeError for what is out of range. */
  change(lane: MessagePipe, properties: LaneProperties): void {
    const before = this.propertiesOf(lane)
    checkedProperties({ ...before, ...properties })
    this.#said.set(lane, { ...this.#said.get(lane), ...properties })
    const number = this.#numbers.get(lane)
    if (number === undefined || this.#pipes.get(number) !== lane) return
    this.#events.changed(number, lane)
    if (this.#init.dials && !samePreference(before, this.propertiesOf(lane))) this.#tell(lane)
  }

  add(lane: MessagePipe, properties: LaneProperties): void {
    if (lane.maxMessageBytes < LANE_MESSAGE_BYTES) {
      const sentence = `a lane must take messages of ${LANE_MESSAGE_BYTES} bytes`
      throw new RangeError(`${lane.label}: ${sentence}, and takes ${lane.maxMessageBytes}`)
    }
    this.#own(lane, properties)
    if (!this.#init.dials) awaitHello(lane, hello => this.#welcome(lane, hello))
    else if (lane.pending) lane.once('ready', () => this.#greet(lane))
    else this.#greet(lane)
  }

  /** A lane whose HELLO has been read already. */
  adopt(lane: MessagePipe, hello: Opening): void {
    this.#own(lane, {})
    this.#accept(lane, hello)
  }

  /** A lane that is up is of no more use: it is aborted, and `down` is not told. */
  drop(number: number): void {
    const lane = this.#pipes.get(number)
    this.#pipes.delete(number)
    lane?.destroy()
  }

  /** Ends every lane, so that the last words arrive; aborts those that take too long. */
  close(complete: boolean, done: () => void): void {
    const patienceMs = complete ? FAREWELL_MS : ABORT_MS
    this.#closing = true
    const open = this.all
    if (open.length === 0) return done()
    let timer: ReturnType<typeof setTimeout>
    const wait = () => {
      const due = performance.now() + patienceMs
      timer = setTimeout(() => {
        // Where we were stopped meanwhile, timers come before what has arrived: that counts first.
        if (performance.now() - due > LEAP_MS) return wait()
        for (const lane of this.all) lane.destroy()
      }, patienceMs)
    }
    wait()
    this.#closed = () => {
      this.#closed = undefined
      clearTimeout(timer)
      done()
    }
    for (const lane of open) {
      if (this.#numbers.get(lane) === undefined) lane.destroy()
      else lane.end()
    }
  }

  #own(lane: MessagePipe, properties: LaneProperties): void {
    this.#said.set(lane, properties)
    lane.on('error', error => log('%s: %s', this.#init.label, error.message))
    this.#numbers.set(lane, undefined)
    lane.once('close', () => {
      this.#down(lane)
      this.#numbers.delete(lane)
      // Whichever is the last: it may have come when the others were being closed already.
      if (this.#numbers.size === 0) this.#closed?.()
    })
    if (this.#closing) lane.destroy()
  }

  /** Our HELLO on a lane that we dialled. The lane is used at once, and not after the answer. */
  #greet(lane: MessagePipe): void {
    if (this.#closing) return
    const { session, limit } = this.#init
    const hello = { mayOpen: !this.#welcomed, lane: this.#next++, session, limit }
    if (!samePreference(this.propertiesOf(lane), checkedProperties({}))) this.#tell(lane)
    lane.write(encodeHello(hello))
    this.#up(lane, hello.lane)
  }

  /** Tells the far end what is said of a lane; one that is full when it drains, and once. */
  #tell(lane: MessagePipe): void {
    if (lane.writableNeedDrain) this.#untold.add(lane)
    else if (!lane.writableEnded) lane.write(encodePrefer(this.propertiesOf(lane)))
  }

  /** The far end has dialled a lane, and said HELLO. */
  #welcome(lane: MessagePipe, hello: Opening): void {
    if (!hello.session.equals(this.#init.session)) {
      throw new PipeError('ERR_PIPE_PROTOCOL', 'a lane of another session')
    }
    this.#accept(lane, hello)
  }

  #accept(lane: MessagePipe, hello: Opening): void {
    if (this.#closing) return
    if (hello.preference) this.#heard.set(lane, hello.preference)
    if (this.#pipes.has(hello.lane)) {
      lane.destroy(new PipeError('ERR_PIPE_PROTOCOL', `lane ${hello.lane} is there already`))
      return
    }
    lane.write(encodeHello({ ...hello, mayOpen: false, limit: this.#init.limit }))
    this.#up(lane, hello.lane)
    this.#tellMessage(hello.lane, encodeHello(hello))
  }

  #tellMessage(number: number, message: Message, loan?: Loan): void {
    this.#events.message(number, message, loan)
    if (this.#telling) return
    this.#telling = true
    queueMicrotask(() => {
      this.#telling = false
      this.#events.heard()
    })
  }

  #up(lane: MessagePipe, number: number): void {
    this.#numbers.set(lane, number)
    this.#pipes.set(number, lane)
    const hear = (message: Message, loan?: Loan) => {
      const type = pieces(message)[0]![0]
      if (type === HELLO) this.#welcomed = true
      if (type === PREFER && !this.#init.dials) {
        this.#prefer(number, lane, whole(message))
        loan?.release()
      } else {
        this.#tellMessage(number, message, loan)
      }
    }
    lane.on('data', (message: Buffer) => hear(message))
    if (isLender(lane)) lane.lendTo({ borrow: hear })
    lane.on('drain', () => {
      if (this.#untold.delete(lane)) this.#tell(lane)
      this.#events.drained(number)
    })
    lane.on('end', () => {
      this.#down(lane)
      if (!lane.writableEnded) lane.end()
    })
    log('%s: lane %d up, %s', this.#init.label, number, lane.label)
    this.#events.up(number, lane)
  }

  /** The end that dialled a lane says how it is to be used. */
  #prefer(number: number, lane: MessagePipe, message: Buffer): void {
    try {
      this.#heard.set(lane, decodePrefer(message))
      this.#events.changed(number, lane)
    } catch (error) {
      lane.destroy(PipeError.from(error, lane.label))
    }
  }

  #down(lane: MessagePipe): void {
    this.#untold.delete(lane)
    const number = this.#numbers.get(lane)
    if (number !== undefined && !this.#pipes.delete(number)) return // it is known already
    log('%s: lane %d down, %s', this.#init.label, number ?? -1, lane.label)
    this.#events.down(number, lane)
  }
}

/** Calls back when a lane has said HELLO. A lane that says something else, other than one PREFER
 *  before it, is aborted; so is one for which `heard` throws. */
export function awaitHello(lane: MessagePipe, heard: (hello: Opening) => void): void {
  let preference: Preference | undefined
  const hear = (message: Buffer) => {
    try {
      if (message[0] === PREFER && preference === undefined) {
        preference = decodePrefer(message)
        lane.once('data', hear)
      } else {
        heard({ ...readHello(message), ...(preference && { preference }) })
      }
    } catch (error) {
      lane.destroy(PipeError.from(error, lane.label))
    }
  }
  lane.once('data', hear)
}

function readHello(message: Buffer): Hello {
  const decoded = decode(message)
  if (decoded.type === HELLO) return decoded.hello
  throw new PipeError('ERR_PIPE_PROTOCOL', `began with a message of type ${decoded.type}`)
}

/** What to answer on a lane whose session is not there: it never was, or it failed; or it is over,
 *  and all is well. */
export function refusal(finished: boolean): Buffer {
  return encodeAbort(finished ? FINISHED : NO_SESSION, '')
}
