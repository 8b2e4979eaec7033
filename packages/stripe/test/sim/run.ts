// Runs a scenario: two ends, the paths between them, the faults, then healing, after which
// everything has to finish in bounded virtual time.

import { rng, SimLine, SimPath, World } from '@striper/testkit/sim'
import type { CoreOptions } from '../../src/pure/output.ts'
import type { StripeCore } from '../../src/pure/core.ts'
import { roundRobin, soonest, untilCongested } from '../../src/pure/schedule.ts'
import { decode, encodeAbort, encodeHello, HELLO, NO_SESSION } from '../../src/pure/wire.ts'
import { Content } from './content.ts'
import { SimEnd, Violation } from './end.ts'
import type { Fault, Scenario } from './scenario.ts'

/** How a core is made; a planted bug is in another one. */
export type MakeCore = (options: CoreOptions, now: number) => StripeCore

export interface Outcome {
  /** What was broken; undefined where nothing was. */
  violation: string | undefined
  events: number
  virtualMs: number
  /** Faults that happened. */
  faults: number
}

const SESSION = Buffer.alloc(16, 7)
const NO_LANE_MS = 60_000
const SCHEDULES = { soonest, roundRobin, untilCongested }
/** After healing: for lanes that are silent to be dropped and dialled again, some times over. */
const PATIENCE_MS = 60_000
const MOST_EVENTS = 2_000_000

/** Runs a scenario to its end. */
export function run(scenario: Scenario, makeCore: MakeCore): Outcome {
  const sim = new Sim(scenario, makeCore)
  let violation: string | undefined
  try {
    sim.run()
  } catch (error) {
    violation =
      error instanceof Violation ? error.message : `threw ${String((error as Error).stack)}`
  }
  const { events, faults, world } = sim
  return { violation, events, virtualMs: world.now, faults }
}

interface Connection {
  readonly path: SimPath
  readonly lines: readonly [SimLine, SimLine]
  number: number | undefined // once each end knows it
  open: boolean
}

class Sim {
  readonly world = new World()
  readonly #scenario: Scenario
  readonly #paths: readonly SimPath[]
  readonly #random
  readonly #ends: [SimEnd, SimEnd]
  readonly #connections = new Map<number, Connection>()
  #nextLane = 0
  #restarted = false // the accepting end has forgotten the session
  #gone = false // the dialling end has given up
  #fatal = false
  #healed = false
  events = 0
  faults = 0

  constructor(scenario: Scenario, makeCore: MakeCore) {
    this.#scenario = scenario
    this.#random = rng(scenario.seed).fork()
    this.#paths = scenario.paths.map(options => new SimPath(options))
    const { windowBytes, apps, redundant } = scenario
    const schedule = SCHEDULES[scenario.schedule]
    const owner = {
      drop: (number: number) => this.#reset(number),
      end: (number: number) => this.#close(number),
    }
    const end = (name: string, mine: 0 | 1) =>
      new SimEnd({
        world: this.world,
        name,
        core: makeCore({ windowBytes, schedule, redundant, noLaneTimeoutMs: NO_LANE_MS }, 0),
        app: apps[mine],
        owner,
        windowBytes,
        writes: new Content(apps[mine].sizes),
        reads: new Content(apps[1 - mine]!.sizes),
      })
    this.#ends = [end('dialling end', 0), end('accepting end', 1)]
  }

  run(): void {
    for (const path of this.#paths) this.#dial(path)
    for (const fault of this.#scenario.faults) this.world.at(fault.at, () => this.#happen(fault))
    this.world.at(this.#scenario.healAt, () => this.#heal())
    const limit = this.#limit()
    while (!this.#over()) {
      if (!this.world.step())
        throw new Violation(`nothing will ever happen again: ${this.#state()}`)
      if (++this.events > MOST_EVENTS) throw new Violation(`events without end: ${this.#state()}`)
      if (this.world.now > limit) throw new Violation(`not done in time: ${this.#state()}`)
    }
    this.#checkOutcome()
  }

  /** Whether both ends have come to their end. */
  #over(): boolean {
    const [dialling, accepting] = this.#ends
    if (this.#fatal) return [dialling, accepting].some(end => end.failure !== undefined)
    return this.#ends.every(end => end.complete || end.failure !== undefined)
  }

  /** When everything has to be done: after healing, the bytes over one path, and some patience. */
  #limit(): number {
    const slowest = Math.min(...this.#scenario.paths.map(path => path.bytesPerMs))
    const bytes = this.#scenario.apps
      .flatMap(app => app.sizes)
      .reduce((sum, size) => sum + size + 40, 0)
    const writes = this.#scenario.apps.map(
      app => app.sizes.length * (app.writeEveryMs + app.readEveryMs),
    )
    return this.#scenario.healAt + PATIENCE_MS + (2 * bytes) / slowest + Math.max(...writes)
  }

  #checkOutcome(): void {
    if (this.#fatal) return
    for (const end of this.#ends) {
      if (end.failure) throw end.violation(`failed: ${end.failure.message}`)
    }
    const [dialling, accepting] = this.#ends
    if (dialling.writtenBytes !== accepting.deliveredBytes)
      throw accepting.violation('bytes are missing')
    if (accepting.writtenBytes !== dialling.deliveredBytes)
      throw dialling.violation('bytes are missing')
  }

  #dial(path: SimPath): void {
    const [dialling, accepting] = this.#ends
    if (dialling.failure || this.#gone) return
    if (!path.passable) {
      this.world.after(100, () => this.#dial(path)) // it has timed out, and is tried again
      return
    }
    const number = this.#nextLane++
    const lines = [
      new SimLine(
        this.world,
        path,
        0,
        message => this.#toAccepting(number, message),
        () => dialling.run(core => core.laneBlocked(number, false)),
      ),
      new SimLine(
        this.world,
        path,
        1,
        message => this.#to(dialling, number, message),
        () => accepting.run(core => core.laneBlocked(number, false)),
      ),
    ] as const
    this.#connections.set(number, { path, lines, number, open: true })
    this.world.after(2 * path.options.delayMs, () => {
      if (!this.#connections.get(number)?.open || dialling.failure) return
      dialling.lines.set(number, lines[0])
      const { limit } = dialling.core
      lines[0].send(encodeHello({ mayOpen: true, lane: number, session: SESSION, limit }))
      dialling.run((core, now) => core.laneUp(number, `lane ${number}`, now))
    })
  }

  /** A message for the accepting end; the first on a lane is its HELLO. */
  #toAccepting(number: number, message: Buffer): void {
    const [, accepting] = this.#ends
    const connection = this.#connections.get(number)!
    if (this.#restarted) {
      connection.lines[1].send(encodeAbort(NO_SESSION, ''))
      return
    }
    const first = message[0] === HELLO && decode(message)
    if (!first || first.type !== HELLO) return this.#to(accepting, number, message)
    const { limit } = accepting.core
    accepting.lines.set(number, connection.lines[1])
    connection.lines[1].send(encodeHello({ ...first.hello, limit }))
    accepting.run((core, now) => {
      core.laneUp(number, `lane ${number}`, now)
      core.receive(number, message, now)
    })
  }

  #to(end: SimEnd, number: number, message: Buffer): void {
    end.run((core, now) => core.receive(number, message, now))
  }

  /** A connection is gone, with what was on it, at both ends; its path is dialled again. */
  #reset(number: number): void {
    const connection = this.#connections.get(number)
    if (!connection?.open) return
    connection.open = false
    for (const line of connection.lines) line.cut()
    this.#connections.delete(number)
    for (const end of this.#ends) {
      end.lines.delete(number)
      // Not in the same moment: an end learns of it when it next looks.
      this.world.after(this.#random.integer(0, 20), () => {
        end.run((core, now) => core.laneDown(number, now))
      })
    }
    this.world.after(this.#random.integer(1, 500), () => this.#dial(connection.path))
  }

  /** A connection is closed once what is on it has arrived. */
  #close(number: number): void {
    const connection = this.#connections.get(number)
    if (!connection?.open) return
    const { delayMs, bytesPerMs, bufferBytes } = connection.path.options
    this.world.after(delayMs + bufferBytes / bytesPerMs, () => this.#reset(number))
  }

  #happen(fault: Fault): void {
    const path = this.#paths[fault.path]!
    const lanes = [...this.#connections].filter(([, each]) => each.path === path && each.open)
    const [dialling] = this.#ends
    const later = (act: () => void) => {
      this.world.after(fault.ms, () => {
        if (!this.#healed) act()
      })
    }
    this.faults++
    switch (fault.kind) {
      case 'reset':
        for (const [number] of lanes) this.#reset(number)
        return
      case 'end':
        for (const [number] of lanes) this.#close(number)
        return
      case 'stall':
      case 'deaf':
      case 'mute':
        if (fault.kind !== 'deaf') path.stall(1, true)
        if (fault.kind !== 'mute') path.stall(0, true)
        later(() => path.heal())
        return
      case 'collapse':
        path.bytesPerMs = path.options.bytesPerMs / 100
        later(() => path.heal())
        return
      case 'leave':
        for (const [number] of lanes) dialling.run(core => core.leave(number))
        return
      case 'restart':
        this.#fatal = this.#restarted = true
        for (const [number] of [...this.#connections]) this.#reset(number)
        return
      case 'abort':
        this.#fatal = this.#gone = true
        dialling.abort()
        for (const [number] of [...this.#connections]) this.#close(number)
        return
      case 'garbage':
        this.#fatal = true
        this.#garbage(dialling)
    }
  }

  /** What no peer should send: a message of chance, or one cut short. The dialling end may not
   *  throw. */
  #garbage(dialling: SimEnd): void {
    for (const [number] of this.#connections) {
      const type = this.#random.integer(0x0f, 0x18)
      const message = Buffer.concat([
        Buffer.of(type),
        this.#random.bytes(this.#random.integer(0, 40)),
      ])
      if (dialling.lines.has(number)) this.#to(dialling, number, message)
    }
    // Some of it is harmless, such as a PING. Then the session is ended by force.
    if (!dialling.failure) this.#to(dialling, this.#anyLane(), Buffer.of(0xff))
    if (!dialling.failure) this.#restarted = true
  }

  #anyLane(): number {
    return [...this.#ends[0].core.lanes.keys()][0] ?? -1
  }

  #heal(): void {
    this.#healed = true
    for (const path of this.#paths) path.heal()
  }

  #state(): string {
    return this.#ends
      .map(({ core, deliveredBytes, writtenBytes, ended, failure }) => {
        const lanes = [...core.lanes.values()].map(
          ({ number, state, inFlight, room, blocked }) =>
            `${number} ${state} ${inFlight}/${Math.round(room)}${blocked ? ' blocked' : ''}`,
        )
        const { finished, backlog } = core
        const { retainedBytes } = core.totals
        const facts = { writtenBytes, deliveredBytes, finished, ended, backlog, retainedBytes }
        return `${JSON.stringify(facts)} ${failure?.message ?? ''} [${lanes.join(', ')}]`
      })
      .join(' · ')
  }
}
