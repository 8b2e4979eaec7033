// SimEnd: one end of a session in virtual time: the real core, and a program that writes and reads.
// It does what the shell around the core does in production, and checks what can be checked at one
// end; a broken promise throws a Violation.

import { type Message, PipeError, whole } from '@striper/core'
import type { SimLine, World } from '@striper/testkit/sim'
import type { StripeCore } from '../../src/pure/core.ts'
import type { Output } from '../../src/pure/output.ts'
import { ABORTED, INITIAL_CREDIT } from '../../src/pure/wire.ts'
import type { Content } from './content.ts'
import { Ledger, numberOf } from './ledger.ts'
import type { App } from './scenario.ts'
import { type Rule, Violation } from './violation.ts'

/** What becomes of the lanes that an end is done with. */
export interface LaneOwner {
  drop(number: number): void
  end(number: number): void
  /** The session is over at this end, well or not: its lanes end. */
  over(end: SimEnd): void
}

/** What an end is made of. */
export interface EndInit {
  readonly world: World
  readonly name: string
  readonly core: StripeCore
  readonly app: App
  readonly owner: LaneOwner
  readonly windowBytes: number
  readonly writes: Content
  readonly reads: Content
}

/**
 * - `open`: the session goes on.
 * - `closed`: both directions were done, and it said farewell.
 * - `failed`: its core said so.
 * - `gone`: it gave up, or was killed.
 */
export type EndState = 'open' | 'closed' | 'failed' | 'gone'

type Event = (core: StripeCore, now: number) => void

const MOST_OUTPUTS = 10_000
const MOST_TICKS_AT_ONCE = 1000
/** An acknowledgement waits no longer. */
const MOST_ACK_MS = 10.001
const CODES: ReadonlySet<string> = new Set([
  ...['ERR_PIPE_RESET', 'ERR_PIPE_PROTOCOL', 'ERR_PIPE_LIMIT', 'ERR_PIPE_NO_LANES'],
])

export class SimEnd {
  readonly core: StripeCore
  readonly name: string
  readonly windowBytes: number
  readonly lines = new Map<number, SimLine>()
  /** Numbers of what has come, PARCEL or END. */
  readonly arrived = new Set<number>()
  readonly ledger = new Ledger()
  readonly #world: World
  readonly #app: App
  readonly #owner: LaneOwner
  readonly #writes: Content
  readonly #reads: Content
  readonly #inbox: number[] = [] // sizes of what is delivered and not taken
  #inboxBytes = 0
  #written = 0 // messages
  #nextWriteAt = 0
  #reading = false
  #callOff: (() => void) | undefined
  #ticksAt = 0
  #ticks = 0
  #missed: (Event | undefined)[] | undefined // while the process is stopped
  #running = false
  state: EndState = 'open'
  ended = false
  failure: PipeError | undefined
  writtenBytes = 0
  takenBytes = 0
  /** Bytes of what it was given, where nothing is checked as well. */
  deliveredBytes = 0
  /** The far end, where it is honest; what is said of it is compared. */
  peer: SimEnd | undefined
  /** Whether what comes is as it was sent. */
  trusts = true
  /** Of all that was sent, and when: the same for the same run. */
  trace = 0

  constructor(init: EndInit) {
    this.#world = init.world
    this.name = init.name
    this.core = init.core
    this.#app = init.app
    this.#owner = init.owner
    this.windowBytes = init.windowBytes
    this.#writes = init.writes
    this.#reads = init.reads
  }

  /** Whether the session goes on here. */
  get isOpen(): boolean {
    return this.state === 'open'
  }

  /** Whether its process is stopped. */
  get stopped(): boolean {
    return this.#missed !== undefined
  }

  /** Whether all that it was sent has come, and the end. */
  get hasAll(): boolean {
    return this.ended && this.#reads.complete
  }

  /** The program gives up. */
  abort(): void {
    this.goOn()
    if (this.state !== 'open') return
    this.core.abort(ABORTED, 'enough')
    this.#drain()
    this.#leave('gone')
  }

  /** The process ends, and says nothing. */
  kill(): void {
    this.#callOff?.()
    this.state = 'gone'
  }

  /** The process is stopped: what happens meanwhile happens when it goes on. */
  stop(): void {
    this.#missed ??= []
  }

  /** The process goes on: its timer is late, and comes first. */
  goOn(): void {
    const missed = this.#missed
    if (missed === undefined) return
    this.#missed = undefined
    if ((this.core.deadline ?? Infinity) <= this.#world.now) this.#tick()
    else this.#arm()
    for (const event of missed) this.run(event)
  }

  /** A message came, on a lane that may be gone; `line` is what goes the other way on it. */
  receive(lane: number, message: Buffer, line = this.lines.get(lane)): void {
    this.run((core, now) => {
      if (line !== this.lines.get(lane)) return
      const number = core.lanes.has(lane) ? numberOf(message) : undefined
      if (number !== undefined) this.arrived.add(number)
      core.receive(lane, message, now)
    })
  }

  /** A lane has drained. */
  drained(lane: number, line: SimLine): void {
    this.run(core => {
      if (this.lines.get(lane) === line) core.laneBlocked(lane, false)
    })
  }

  /** A lane is up. */
  laneUp(lane: number, line: SimLine): void {
    this.lines.set(lane, line)
    this.core.laneUp(lane, '', this.#world.now)
  }

  /** A lane is gone, where it was up. */
  laneDown(lane: number, line: SimLine): void {
    this.run((core, now) => {
      if (this.lines.get(lane) !== line) return
      this.lines.delete(lane)
      this.ledger.lost(lane)
      core.laneDown(lane, now)
    })
  }

  /** Something happened to the core: does what it wants, and lets the program go on. */
  run(event?: Event): void {
    if (!this.isOpen) return // as the shell, which is destroyed then
    if (this.#missed) {
      this.#missed.push(event)
      return
    }
    this.ledger.stimulus(this.core.lanes.size)
    event?.(this.core, this.#world.now)
    if (this.#running) return // a lane drained while it was written to
    this.#running = true
    for (;;) {
      this.core.mode.endless = this.#held
      this.#drain()
      if (!this.#write()) break
    }
    if (!this.#held) this.core.idle()
    this.#closeWhereDone()
    this.#running = false
    this.#arm()
    this.#check()
  }

  get #held(): boolean {
    return this.core.backlog && this.#written < this.#app.sizes.length
  }

  /** With both directions done it says farewell. */
  #closeWhereDone(): void {
    if (!this.isOpen || !this.core.finished || !this.ended || this.#inbox.length > 0) return
    this.core.farewell(this.#world.now)
    this.#drain()
    this.#leave('closed')
  }

  #leave(state: EndState): void {
    this.state = state
    this.#callOff?.()
    this.#owner.over(this)
  }

  /** Writes the next message, where the program would now; false where it would not. */
  #write(): boolean {
    const { sizes, writeEveryMs } = this.#app
    if (this.state !== 'open' || this.core.backlog || this.#written > sizes.length) return false
    if (this.#world.now < this.#nextWriteAt) return false
    const size = sizes[this.#written++]
    if (size === undefined) {
      this.core.end()
      return true
    }
    this.core.write(this.#writes.next(size))
    this.writtenBytes += this.#writes.lastBytes
    if (writeEveryMs > 0) {
      this.#nextWriteAt = this.#world.now + writeEveryMs
      this.#world.at(this.#nextWriteAt, () => this.run())
    }
    return true
  }

  #drain(): void {
    for (let outputs = 0; ; outputs++) {
      const output = this.core.poll(this.#world.now)
      if (output === undefined) return
      if (outputs > MOST_OUTPUTS) throw this.violation('I10', 'poll() has no end')
      if (this.state !== 'open') {
        const rule = output.do === 'failed' || output.do === 'ended' ? 'I8' : 'I7'
        throw this.violation(rule, `${output.do}, though it is ${this.state}`)
      }
      this.#perform(output)
    }
  }

  #perform(output: Output): void {
    switch (output.do) {
      case 'send':
        this.#send(output.lane, output.message)
        return
      case 'deliver':
        if (this.ended) throw this.violation('I1', 'a parcel after the end')
        this.#take(whole(output.parcel))
        return
      case 'ended':
        if (this.ended) throw this.violation('I8', 'ended twice')
        if (this.trusts && !this.#reads.complete) {
          throw this.violation('I1', 'ended before all had come')
        }
        this.ended = true
        return
      case 'drop':
        this.ledger.lost(output.lane)
        this.lines.delete(output.lane)
        this.core.laneDown(output.lane, this.#world.now)
        this.#owner.drop(output.lane)
        return
      case 'end':
        this.#owner.end(output.lane)
        return
      case 'failed':
        this.failure = output.error
        this.#leave('failed')
        if (!CODES.has(output.error.code)) throw this.violation('I8', `code ${output.error.code}`)
    }
  }

  #send(lane: number, message: Message): void {
    const line = this.lines.get(lane)
    this.ledger.sent(message, lane, this.core)
    const bytes = whole(message)
    this.trace = (Math.imul(this.trace ^ bytes.length, 0x01000193) + (lane << 8) + bytes[0]!) | 0
    if (line && !line.send(bytes)) this.core.laneBlocked(lane, true)
  }

  #take(parcel: Buffer): void {
    const fault = this.trusts ? this.#reads.check(parcel) : undefined
    if (fault !== undefined) throw this.violation('I1', fault)
    this.deliveredBytes += parcel.length
    this.#inbox.push(parcel.length)
    this.#inboxBytes += parcel.length
    const most = Math.max(this.windowBytes, INITIAL_CREDIT)
    if (this.#inboxBytes > most) {
      throw this.violation('I2', `${this.#inboxBytes} bytes wait, limit ${most}`)
    }
    this.#read()
  }

  #read(): void {
    if (this.#reading || this.#inbox.length === 0) return
    this.#reading = true
    const { readEveryMs, readFromMs } = this.#app
    this.#world.at(Math.max(this.#world.now + readEveryMs, readFromMs), () => {
      this.run((core, now) => {
        this.#reading = false
        const bytes = readEveryMs > 0 ? this.#inbox.shift()! : this.#inboxBytes
        if (readEveryMs === 0) this.#inbox.length = 0
        this.#inboxBytes -= bytes
        this.takenBytes += bytes
        core.taken(bytes, now)
        this.#read()
      })
    })
  }

  #arm(): void {
    this.#callOff?.()
    const { deadline } = this.core
    if (deadline === undefined || this.state !== 'open') return
    this.#callOff = this.#world.at(deadline, () => {
      if (!this.#missed) this.#tick()
    })
  }

  #tick(): void {
    this.#ticks = this.#ticksAt === this.#world.now ? this.#ticks + 1 : 0
    this.#ticksAt = this.#world.now
    if (this.#ticks > MOST_TICKS_AT_ONCE) throw this.violation('I6', 'ticks without end')
    this.run((core, now) => core.tick(now))
  }

  #check(): void {
    const { deadline, totals } = this.core
    if (this.state !== 'open') {
      if (deadline !== undefined) throw this.violation('I7', `${this.state}, and has a deadline`)
      if (this.state === 'closed' && totals.retainedBytes !== 0) {
        throw this.violation('I7', `closed, and ${totals.retainedBytes} bytes retained`)
      }
      return
    }
    // A lane may always fall silent: an end that waits for nothing has lost its wake-up.
    if (deadline === undefined) throw this.violation('I6', 'no deadline')
    if (deadline > this.#world.now + MOST_ACK_MS) this.#checkAcks()
    this.ledger.check(this)
    if (this.trusts && this.peer?.trusts) this.ledger.compare(this, this.peer)
  }

  /** Where something came and is not acknowledged, that is soon to be, if a lane takes it. */
  #checkAcks(): void {
    const lanes = [...this.core.lanes.values()]
    if (lanes.every(lane => lane.blocked) || !lanes.some(lane => lane.ackDue)) return
    throw this.violation('I6', 'an acknowledgement is due, and nothing will wake it')
  }

  violation(rule: Rule, what: string): Violation {
    return new Violation(rule, `${this.name} at ${this.#world.now.toFixed(1)} ms: ${what}`)
  }
}
