// Network: connections over paths, and whose they are. A connection is dialled by one end and
// accepted by the other; one that is gone is gone with what was on it, and each end learns of that
// a little later.

import { type PathOptions, type Rng, SimLine, SimPath, type World } from '@striper/testkit/sim'
import { ACK } from '../../src/pure/wire.ts'

export type EndIndex = 0 | 1

export interface Connection {
  /** The lane's number; that of a twin is taken already. */
  readonly lane: number
  readonly path: number
  readonly twin: boolean
  /** What each end sends on. */
  readonly lines: readonly [SimLine, SimLine]
  open: boolean
}

/** Who is told what happens to connections. */
export interface Told {
  /** The dialling end has it. */
  opened(connection: Connection): void
  arrived(connection: Connection, at: EndIndex, message: Buffer): void
  drained(connection: Connection, at: EndIndex): void
  /** An end learns that it is gone. */
  lost(connection: Connection, at: EndIndex): void
}

const RETRY_MS = 100
/** How long an end takes to learn of a loss, at most. */
const LEARN_MS = 20
/** How long an end that closes waits for what it said to arrive, at most. */
const FAREWELL_MS = 5000

export class Network {
  readonly paths: readonly SimPath[]
  readonly connections = new Set<Connection>()
  readonly #world: World
  readonly #random: Rng
  readonly #told: Told
  readonly #withheld = new Map<string, (() => void)[]>() // by path and end
  #lanes = 0

  constructor(world: World, random: Rng, paths: readonly PathOptions[], told: Told) {
    this.#world = world
    this.#random = random
    this.paths = paths.map(options => new SimPath(options))
    this.#told = told
  }

  /** Dials until a path lets a connection through, as long as that is wanted. */
  dial(path: number, wanted: () => boolean, twinOf?: number): void {
    if (!wanted()) return
    const way = this.paths[path]!
    if (!way.passable) {
      this.#world.after(RETRY_MS, () => this.dial(path, wanted, twinOf))
      return
    }
    const line = (from: EndIndex) => {
      const to = from === 0 ? 1 : 0
      const deliver = (message: Buffer) => this.#deliver(connection, to, message)
      return new SimLine(this.#world, way, from, deliver, () =>
        this.#told.drained(connection, from),
      )
    }
    const connection: Connection = {
      lane: twinOf ?? this.#lanes++,
      path,
      twin: twinOf !== undefined,
      lines: [line(0), line(1)],
      open: true,
    }
    this.connections.add(connection)
    this.#world.after(2 * way.options.delayMs, () => {
      if (connection.open) this.#told.opened(connection)
    })
  }

  /** The connections over a path. */
  over(path: number): Connection[] {
    return [...this.connections].filter(each => each.path === path)
  }

  /** The connection of a lane that is up. */
  ofLane(lane: number): Connection | undefined {
    for (const each of this.connections) if (each.lane === lane && !each.twin) return each
    return undefined
  }

  /** A connection is gone, with what is on it. */
  reset(connection: Connection): void {
    if (!connection.open) return
    connection.open = false
    for (const line of connection.lines) line.cut()
    this.connections.delete(connection)
    for (const end of [0, 1] as const) {
      const after = this.#random.integer(0, LEARN_MS)
      this.#world.after(after, () => this.#told.lost(connection, end))
    }
  }

  /** A connection is closed once what is on it has arrived, or that takes too long. */
  close(connection: Connection): void {
    const { options, bytesPerMs } = this.paths[connection.path]!
    const ms = options.delayMs + options.bufferBytes / bytesPerMs + 1
    this.#world.after(Math.min(ms, FAREWELL_MS), () => this.reset(connection))
  }

  /** ACKs over a path to an end wait. */
  withhold(path: number, end: EndIndex): void {
    const key = `${path} ${end}`
    if (!this.#withheld.has(key)) this.#withheld.set(key, [])
  }

  /** ACKs that waited arrive, in any order. */
  release(path: number, end: EndIndex): void {
    const key = `${path} ${end}`
    const held = this.#withheld.get(key) ?? []
    this.#withheld.delete(key)
    while (held.length > 0) held.splice(this.#random.integer(0, held.length - 1), 1)[0]!()
  }

  #deliver(connection: Connection, end: EndIndex, message: Buffer): void {
    if (this.#withheld.size > 0 && message[0] === ACK) {
      const held = this.#withheld.get(`${connection.path} ${end}`)
      if (held) {
        held.push(() => {
          if (connection.open) this.#told.arrived(connection, end, message)
        })
        return
      }
    }
    this.#told.arrived(connection, end, message)
  }
}
