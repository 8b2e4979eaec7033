// Runs a scenario: two ends, the network between them, the faults, then healing, after which
// everything has to finish in bounded virtual time. What `trunk` and `gather` do in production, to
// dial again and to know a session, is done here in a few lines.

import { type Rng, rng, World } from '@striper/testkit/sim'
import type { StripeCore } from '../../src/pure/core.ts'
import type { CoreOptions } from '../../src/pure/output.ts'
import { roundRobin, soonest, untilCongested } from '../../src/pure/schedule.ts'
import * as wire from '../../src/pure/wire.ts'
import { Content } from './content.ts'
import { SimEnd } from './end.ts'
import { Hostile } from './hostile.ts'
import { type Connection, type EndIndex, Network } from './network.ts'
import type { Fault, Scenario } from './scenario.ts'
import { type Rule, Violation } from './violation.ts'

/** How a core is made; a planted bug is in another one. */
export type MakeCore = (options: CoreOptions, now: number) => StripeCore

export interface Outcome {
  /** What was broken, and which promise that was; undefined where nothing was. */
  violation: string | undefined
  rule: Rule | undefined
  events: number
  virtualMs: number
  /** Faults that happened. */
  faults: number
  /** Of all that was said and when: the same for the same run. */
  trace: number
}

const SESSION = Buffer.alloc(16, 7)
const NO_LANE_MS = 30_000
const SCHEDULES = { soonest, roundRobin, untilCongested }
/** After healing: for lanes that are silent to be dropped and dialled again, some times over, and
 *  for an end that will not be dialled again to give up. */
const PATIENCE_MS = 60_000 + NO_LANE_MS
/** An end whose peer's words were changed on the way may wait for ever; its program does not. */
const IDLE_MS = 30_000
const MOST_EVENTS = 2_000_000
const REDIAL_MS = 500
const CHURN_MS = 20
const MOST_CHURNS = 20
const LIE_MS = 20
const MOST_LIES = 30

/** Runs a scenario to its end. */
export function run(scenario: Scenario, makeCore: MakeCore): Outcome {
  const sim = new Sim(scenario, makeCore)
  let broken: Violation | undefined
  try {
    sim.run()
  } catch (error) {
    broken = error instanceof Violation ? error : new Violation('T', String((error as Error).stack))
  }
  const { events, faults, world, ends } = sim
  const trace = (Math.imul(ends[0].trace, 31) + ends[1].trace) | 0
  return {
    violation: broken?.message,
    rule: broken?.rule,
    events,
    virtualMs: world.now,
    faults,
    trace,
  }
}

class Sim {
  readonly world = new World()
  readonly #scenario: Scenario
  readonly #makeCore: MakeCore
  readonly #network: Network
  readonly #random: Rng
  #welcomed = false // whether the dialling end has had an answer
  #met = false // whether the accepting end has the session
  #mute = false // what takes connections does not answer
  #fatal = false
  #healed = false
  events = 0
  faults = 0
  ends: [SimEnd, SimEnd]

  constructor(scenario: Scenario, makeCore: MakeCore) {
    this.#scenario = scenario
    this.#makeCore = makeCore
    this.#random = rng(scenario.seed).fork()
    this.#network = new Network(this.world, this.#random, scenario.paths, {
      opened: connection => this.#opened(connection),
      arrived: (connection, at, message) => {
        if (at === 1 && message[0] === wire.HELLO) this.#welcome(connection, message)
        else this.#arrived(connection, at, message)
      },
      drained: ({ lane, lines }, at) => this.ends[at].drained(lane, lines[at]),
      lost: (connection, at) => this.#lost(connection, at),
    })
    const { apps } = scenario
    const [there, back] = apps.map(app => new Content(app.sizes)) as [Content, Content]
    this.ends = [this.#end(0, there, back), this.#end(1, back, there)]
    this.#pair()
  }

  run(): void {
    for (const end of this.ends) end.run()
    for (const path of this.#scenario.paths.keys()) this.#dial(path)
    for (const fault of this.#scenario.faults) this.world.at(fault.at, () => this.#happen(fault))
    this.world.at(this.#scenario.healAt, () => this.#heal())
    const limit = this.#limit()
    while (this.ends.some(end => end.state === 'open')) {
      if (!this.world.step()) throw this.#stuck('I6', 'nothing will ever happen again')
      if (++this.events > MOST_EVENTS) throw this.#stuck('I6', 'events without end')
      if (this.world.now > limit) throw this.#stuck('L', 'not done in time')
    }
    if (!this.#fatal) for (const end of [0, 1] as const) this.#checkOutcome(end)
  }

  #end(index: EndIndex, writes: Content, reads: Content): SimEnd {
    const { windowBytes, apps, redundant } = this.#scenario
    const schedule = SCHEDULES[this.#scenario.schedule]
    const { now } = this.world
    return new SimEnd({
      world: this.world,
      name: index === 0 ? 'dialling end' : 'accepting end',
      core: this.#makeCore({ windowBytes, schedule, redundant, noLaneTimeoutMs: NO_LANE_MS }, now),
      app: apps[index],
      owner: {
        drop: lane => this.#ofLane(lane, connection => this.#network.reset(connection)),
        end: lane => this.#ofLane(lane, connection => this.#network.close(connection)),
        over: end => {
          for (const lane of end.lines.keys()) this.#ofLane(lane, each => this.#network.close(each))
        },
      },
      windowBytes,
      writes,
      reads,
    })
  }

  #pair(): void {
    const [dialling, accepting] = this.ends
    dialling.peer = accepting
    accepting.peer = dialling
  }

  /** When everything has to be done: after healing, the bytes over one path, and some patience. */
  #limit(): number {
    const slowest = Math.min(...this.#scenario.paths.map(path => path.bytesPerMs))
    const [{ readEveryMs: slow }, { readEveryMs: slower }] = this.#scenario.apps
    let bytes = 0
    let pauses = 0
    for (const { sizes, writeEveryMs } of this.#scenario.apps) {
      for (const size of sizes) bytes += size + 40
      pauses += sizes.length * (writeEveryMs + Math.max(slow, slower))
    }
    return this.#scenario.healAt + PATIENCE_MS + (2 * bytes) / slowest + pauses
  }

  /** Both ends closed; or one had all, and could not know that the other had: two ends cannot both
   *  be sure. */
  #checkOutcome(index: EndIndex): void {
    const end = this.ends[index]
    const peer = this.ends[1 - index]!
    if (end.state === 'closed') return
    const unsure = index === 1 && peer.state === 'closed' && end.hasAll && peer.hasAll
    if (unsure && end.failure?.code === 'ERR_PIPE_NO_LANES') return
    throw end.violation('L', `${end.state}: ${String(end.failure?.message)}`)
  }

  #ofLane(lane: number, act: (connection: Connection) => void): void {
    const connection = this.#network.ofLane(lane)
    if (connection) act(connection)
  }

  #dial(path: number, twinOf?: number): void {
    this.#network.dial(path, () => this.ends[0].state === 'open', twinOf)
  }

  /** The dialling end has a connection: it greets, and uses it at once. */
  #opened(connection: Connection): void {
    const [dialling] = this.ends
    const { lane, lines, twin } = connection
    if (dialling.state !== 'open') return this.#network.reset(connection)
    const { limit } = dialling.core
    const hello = { mayOpen: !this.#welcomed, lane, session: SESSION, limit }
    if (!lines[0].send(wire.encodeHello(hello)) || twin) return
    dialling.run(() => dialling.laneUp(lane, lines[0]))
  }

  /** The accepting end has the first message of a lane. */
  #welcome(connection: Connection, message: Buffer): void {
    const [, accepting] = this.ends
    const { lane, lines } = connection
    const decoded = wire.decode(message)
    if (decoded.type !== wire.HELLO) return
    const over = accepting.state !== 'open'
    if (over || !(this.#met || decoded.hello.mayOpen)) {
      if (this.#mute) return
      const well = accepting.state === 'closed'
      lines[1].send(wire.encodeAbort(well ? wire.FINISHED : wire.NO_SESSION, ''))
      return this.#network.close(connection)
    }
    this.#met = true
    accepting.run((core, now) => {
      if (connection.twin) return this.#refuse(connection)
      const { limit } = core
      lines[1].send(wire.encodeHello({ ...decoded.hello, mayOpen: false, limit }))
      accepting.laneUp(lane, lines[1])
      core.receive(lane, message, now)
    })
  }

  /** A number that is up: the core refuses it, and so does whoever asks it. */
  #refuse(connection: Connection): void {
    const [, accepting] = this.ends
    let refused = !accepting.core.lanes.has(connection.lane) // it has gone meanwhile
    try {
      if (!refused) accepting.core.laneUp(connection.lane, '', this.world.now)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      refused = true
    }
    if (!refused) throw accepting.violation('I5', `lane ${connection.lane} is up twice`)
    this.#network.reset(connection)
  }

  #arrived(connection: Connection, at: EndIndex, message: Buffer): void {
    if (at === 0 && message[0] === wire.HELLO) this.#welcomed = true
    this.ends[at].receive(connection.lane, message, connection.lines[at])
  }

  #lost({ lane, lines, path, twin }: Connection, at: EndIndex): void {
    this.ends[at].laneDown(lane, lines[at])
    if (at === 1 || twin || this.#busy(path)) return
    this.world.after(this.#random.integer(1, REDIAL_MS), () => {
      if (!this.#busy(path)) this.#dial(path)
    })
  }

  #busy(path: number): boolean {
    return this.#network.over(path).some(each => !each.twin)
  }

  #happen(fault: Fault): void {
    const end = this.ends[fault.end]
    if (end.state !== 'open') return
    const path = this.#network.paths[fault.path]!
    const connections = this.#network.over(fault.path)
    const later = (act: () => void) => {
      this.world.after(fault.ms, () => {
        if (!this.#healed) act()
      })
    }
    this.faults++
    switch (fault.kind) {
      case 'reset':
        for (const each of connections) this.#network.reset(each)
        return
      case 'finish':
        for (const each of connections) this.#network.close(each)
        return
      case 'stall':
        path.stall(0, true)
        path.stall(1, true)
        return later(() => path.heal())
      case 'oneWay':
        path.stall(fault.end, true)
        return later(() => path.heal())
      case 'collapse':
        path.bytesPerMs = path.options.bytesPerMs / 100
        return later(() => path.heal())
      case 'leave':
        end.run(core => {
          for (const { lane } of connections) core.leave(lane)
        })
        return
      case 'churn':
        return this.#churn(fault.path, MOST_CHURNS)
      case 'withhold':
        this.#network.withhold(fault.path, fault.end)
        return later(() => this.#network.release(fault.path, fault.end))
      case 'flip':
        for (const each of connections.slice(0, 1)) this.#network.reset(each)
        return
      case 'twin':
        for (const { lane, twin } of connections) if (!twin) this.#dial(fault.path, lane)
        return
      case 'pause':
        end.stop()
        return later(() => end.goOn())
      case 'retune':
        return this.#retune(end, rng(this.#scenario.seed + fault.at)) // the same, whatever else is
      default:
        this.#kill(fault, end)
    }
  }

  #churn(path: number, times: number): void {
    if (times === 0 || this.#healed) return
    const [first] = this.#network.over(path)
    if (first && this.#random.chance(0.3)) this.#network.reset(first)
    else if (first && this.#random.chance(0.5)) this.ends[0].run(core => core.leave(first.lane))
    else this.#dial(path)
    this.world.after(this.#random.integer(0, CHURN_MS), () => this.#churn(path, times - 1))
  }

  #retune(end: SimEnd, random: Rng): void {
    end.run(core => {
      if (random.chance(0.3)) core.mode.redundant = !core.mode.redundant
      for (const lane of core.lanes.values()) {
        if (random.chance(0.5)) lane.weight = random.pick([0.1, 0.5, 1, 4])
        if (random.chance(0.5)) lane.backup = !lane.backup
        if (random.chance(0.2)) lane.budgetBytes = random.integer(0, 100_000)
      }
    })
  }

  /** What a session does not survive. */
  #kill(fault: Fault, end: SimEnd): void {
    const other = this.ends[1 - fault.end]!
    switch (fault.kind) {
      case 'restart':
        this.#restart(fault.end)
        return
      case 'abort':
        this.#fatal = true
        end.abort()
        return
      case 'garbage':
        this.#garbage(end)
        return
      case 'hostile':
        this.#distrust(other)
        end.kill()
        this.#lie(new Hostile(this.#random.fork(), other), MOST_LIES)
        return
      case 'flipUnseen':
        for (const each of this.ends) this.#distrust(each)
        this.#flip(end)
    }
  }

  /** The accepting end is a new process, which does not know the session, or something that takes
   *  connections and is none of ours. One that had answered is missed; of one that had not, nobody
   *  knew. The dialling end is not there any more. */
  #restart(index: EndIndex): void {
    const end = this.ends[index]
    end.kill()
    for (const each of [...this.#network.connections]) this.#network.reset(each)
    if (index === 0 || this.#welcomed) {
      this.#fatal = true
      if (index === 1) this.#met = false
      this.#mute = this.#random.chance(0.3)
      return
    }
    const [dialling] = this.ends
    const { apps } = this.#scenario
    this.#met = false
    this.ends[1] = this.#end(1, new Content(apps[1].sizes), new Content(apps[0].sizes))
    this.ends[1].trusts = dialling.trusts
    this.#pair()
  }

  /** What no peer should send: a message of chance on every lane, and then what none may. */
  #garbage(end: SimEnd): void {
    this.#fatal = true
    this.#distrust(end)
    this.#distrust(this.ends[0] === end ? this.ends[1] : this.ends[0])
    for (const lane of [...end.core.lanes.keys()]) {
      const type = Buffer.of(this.#random.integer(0x0f, 0x18))
      const rest = this.#random.bytes(this.#random.integer(0, 40))
      end.receive(lane, Buffer.concat([type, rest]))
    }
    // Some of it is harmless, such as a PING. Then the session is ended by force.
    const [lane] = end.core.lanes.keys()
    if (lane !== undefined) end.receive(lane, Buffer.of(0xff))
    if (end.state === 'open') end.abort()
  }

  #lie(liar: Hostile, times: number): void {
    if (times === 0 || this.#healed) return
    liar.act()
    this.world.after(this.#random.integer(0, LIE_MS), () => this.#lie(liar, times - 1))
  }

  /** A bit is flipped of what an end is told next. */
  #flip(end: SimEnd): void {
    const receive = end.receive.bind(end)
    let flips = this.#random.integer(1, 5)
    end.receive = (lane, message, line) => {
      if (flips-- <= 0) return receive(lane, message, line)
      const flipped = Buffer.from(message)
      const at = this.#random.integer(0, Math.min(message.length - 1, 40))
      flipped[at]! ^= 1 << this.#random.integer(0, 7)
      receive(lane, flipped, line)
    }
  }

  /** What an end was told is not what was said: only its bounds are checked from now on. */
  #distrust(end: SimEnd): void {
    this.#fatal = true
    end.trusts = false
  }

  #heal(): void {
    this.#healed = true
    for (const [index, path] of this.#network.paths.entries()) {
      path.heal()
      this.#network.release(index, 0)
      this.#network.release(index, 1)
    }
    for (const end of this.ends) end.goOn()
    if (!this.#fatal) return
    for (const each of [...this.#network.connections]) this.#network.reset(each)
    this.world.after(IDLE_MS, () => {
      for (const end of this.ends) if (!end.trusts && end.state === 'open') end.abort()
    })
  }

  #stuck(rule: Rule, what: string): Violation {
    return new Violation(rule, `${what}: ${this.#state()}`)
  }

  #state(): string {
    return this.ends
      .map(({ core, state, deliveredBytes, writtenBytes, ended, failure }) => {
        const lanes = [...core.lanes.values()].map(
          ({ number, state, inFlight, room, blocked }) =>
            `${number} ${state} ${inFlight}/${Math.round(room)}${blocked ? ' blocked' : ''}`,
        )
        const { finished, backlog } = core
        const { retainedBytes } = core.totals
        const facts = { writtenBytes, deliveredBytes, finished, ended, backlog, retainedBytes }
        return `${state} ${JSON.stringify(facts)} ${failure?.message ?? ''} [${lanes.join(', ')}]`
      })
      .join(' · ')
  }
}
