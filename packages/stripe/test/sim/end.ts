// SimEnd: one end of a session in virtual time: the real core, a program that writes and reads, and
// the checks that can be made at one end. A broken promise throws a Violation.

import type { Message, PipeError } from '@striper/core'
import type { SimLine, World } from '@striper/testkit/sim'
import type { StripeCore } from '../../src/pure/core.ts'
import type { Output } from '../../src/pure/output.ts'
import { INITIAL_CREDIT } from '../../src/pure/wire.ts'
import { Content } from './content.ts'
import type { App } from './scenario.ts'

/** Something that must never happen, happened. */
export class Violation extends Error {}

/** What becomes of a lane that this end is done with. */
export interface LaneOwner {
  drop(number: number): void
  end(number: number): void
}

const MOST_OUTPUTS = 10_000
const MOST_TICKS_AT_ONCE = 1000

export class SimEnd {
  readonly core: StripeCore
  readonly lines = new Map<number, SimLine>()
  readonly #world: World
  readonly #name: string
  readonly #app: App
  readonly #owner: LaneOwner
  readonly #windowBytes: number
  readonly #writes: Content
  readonly #reads: Content
  readonly #inbox: number[] = [] // sizes of what is delivered and not taken
  #inboxBytes = 0
  #written = 0 // messages
  #writtenBytes = 0
  #nextWriteAt = 0
  #reading = false
  #callOff: (() => void) | undefined
  #ticksAt = 0
  #ticks = 0
  #givenUp = false
  ended = false
  failure: PipeError | undefined

  constructor(init: {
    world: World
    name: string
    core: StripeCore
    app: App
    owner: LaneOwner
    windowBytes: number
    writes: Content
    reads: Content
  }) {
    this.#world = init.world
    this.#name = init.name
    this.core = init.core
    this.#app = init.app
    this.#owner = init.owner
    this.#windowBytes = init.windowBytes
    this.#writes = init.writes
    this.#reads = init.reads
  }

  /** Whether both directions are done: all it wrote is acknowledged, all it was sent is read. */
  get complete(): boolean {
    return this.core.finished && this.ended && this.#inbox.length === 0
  }

  /** Bytes that this end has written. */
  get writtenBytes(): number {
    return this.#writtenBytes
  }

  /** Bytes that this end was given. */
  get deliveredBytes(): number {
    return this.#reads.bytes
  }

  /** The program gives up. */
  abort(): void {
    this.#givenUp = true
    this.run(core => core.abort(0, 'enough'))
  }

  /** Something happened to the core: does what it wants, and lets the program go on. */
  run(event?: (core: StripeCore, now: number) => void): void {
    event?.(this.core, this.#world.now)
    for (;;) {
      this.core.mode.endless = this.#held
      this.#drain()
      if (!this.#write()) break
    }
    if (!this.#held) this.core.idle()
    this.#arm()
    this.#check()
  }

  get #held(): boolean {
    return this.core.backlog && this.#written < this.#app.sizes.length
  }

  /** Writes the next message, where the program would now; false where it would not. */
  #write(): boolean {
    const { sizes, writeEveryMs } = this.#app
    if (this.failure || this.core.backlog || this.#written > sizes.length) return false
    if (this.#world.now < this.#nextWriteAt) return false
    const size = sizes[this.#written++]
    if (size === undefined) {
      this.core.end()
      return true
    }
    this.core.write(this.#writes.next(size))
    this.#writtenBytes += this.#writes.lastBytes
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
      if (outputs > MOST_OUTPUTS) throw this.violation('poll() has no end')
      if (this.failure) throw this.violation(`${output.do} after failed`)
      this.#perform(output)
    }
  }

  #perform(output: Output): void {
    switch (output.do) {
      case 'send': {
        const line = this.lines.get(output.lane)
        if (line && !line.send(join(output.message))) this.core.laneBlocked(output.lane, true)
        return
      }
      case 'deliver':
        if (this.ended) throw this.violation('a parcel after the end')
        this.#take(output.parcel)
        return
      case 'ended':
        if (this.ended) throw this.violation('ended twice')
        if (!this.#reads.complete) throw this.violation('ended before all had come')
        this.ended = true
        return
      case 'drop':
        this.core.laneDown(output.lane, this.#world.now)
        this.#owner.drop(output.lane)
        return
      case 'end':
        this.#owner.end(output.lane)
        return
      case 'failed':
        this.failure = output.error
    }
  }

  #take(parcel: Buffer): void {
    const fault = this.#reads.check(parcel)
    if (fault !== undefined) throw this.violation(fault)
    this.#inbox.push(parcel.length)
    this.#inboxBytes += parcel.length
    const most = Math.max(this.#windowBytes, INITIAL_CREDIT)
    if (this.#inboxBytes > most)
      throw this.violation(`${this.#inboxBytes} bytes wait, limit ${most}`)
    this.#read()
  }

  #read(): void {
    if (this.#reading || this.#inbox.length === 0) return
    this.#reading = true
    const { readEveryMs, readFromMs } = this.#app
    this.#world.at(Math.max(this.#world.now + readEveryMs, readFromMs), () => {
      this.#reading = false
      const bytes = this.#inbox.shift()!
      this.#inboxBytes -= bytes
      this.run((core, now) => core.taken(bytes, now))
      this.#read()
    })
  }

  #arm(): void {
    this.#callOff?.()
    const { deadline } = this.core
    if (deadline === undefined) return
    this.#callOff = this.#world.at(deadline, () => {
      this.#ticks = this.#ticksAt === this.#world.now ? this.#ticks + 1 : 0
      this.#ticksAt = this.#world.now
      if (this.#ticks > MOST_TICKS_AT_ONCE) throw this.violation('ticks without end')
      this.run((core, now) => core.tick(now))
    })
  }

  #check(): void {
    if (this.failure) return
    // A lane may always fall silent: an end that waits for nothing has lost its wake-up.
    if (this.core.deadline === undefined && !this.#givenUp) throw this.violation('no deadline')
    const { retainedBytes } = this.core.totals
    if (retainedBytes < 0) throw this.violation(`${retainedBytes} bytes retained`)
    if (this.core.finished && retainedBytes !== 0) {
      throw this.violation(`finished, and ${retainedBytes} bytes retained`)
    }
  }

  violation(what: string): Violation {
    return new Violation(`${this.#name} at ${this.#world.now.toFixed(1)} ms: ${what}`)
  }
}

function join(message: Message): Buffer {
  return message instanceof Uint8Array ? message : Buffer.concat(message)
}
