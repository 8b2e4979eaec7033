// SimPath and SimLine: a network in virtual time.
//
//   send ──▶ [ buffer ] ── rate ──▶ ( delay ) ──▶ deliver     one direction of a connection
//
// A path is what connections cross: while it is stalled nothing moves in that direction, and what
// was sent is not lost, as under TCP, but waits. A connection that is reset loses what is on it.

import type { CallOff, World } from './world.ts'

/** How a path treats what crosses it, in each direction alike. */
export interface PathOptions {
  bytesPerMs: number
  delayMs: number
  /** What a sender may have given and the rate not taken yet, before it is told to wait; in
   *  bytes. */
  bufferBytes: number
}

/** What connections cross. Change it while they do. */
export class SimPath {
  readonly options: PathOptions
  #bytesPerMs: number
  readonly #stalled = [false, false]
  readonly #lines = new Set<SimLine>()

  constructor(options: PathOptions) {
    this.options = options
    this.#bytesPerMs = options.bytesPerMs
  }

  /** The rate now; `options` has the rate when all is well. What is on its way already goes on at a
   *  new one. */
  get bytesPerMs(): number {
    return this.#bytesPerMs
  }

  set bytesPerMs(bytesPerMs: number) {
    this.#bytesPerMs = bytesPerMs
    for (const line of this.#lines) line.changePace()
  }

  /** Whether a connection can be made. */
  get passable(): boolean {
    return !this.#stalled[0] && !this.#stalled[1]
  }

  isStalled(direction: 0 | 1): boolean {
    return this.#stalled[direction]!
  }

  /** Stops a direction, or lets it go on. */
  stall(direction: 0 | 1, stalled: boolean): void {
    this.#stalled[direction] = stalled
    if (!stalled) for (const line of this.#lines) line.goOn()
  }

  /** All is well again. */
  heal(): void {
    this.bytesPerMs = this.options.bytesPerMs
    this.stall(0, false)
    this.stall(1, false)
  }

  add(line: SimLine): void {
    this.#lines.add(line)
  }

  remove(line: SimLine): void {
    this.#lines.delete(line)
  }
}

/** A message that the path is taking. */
interface Service {
  /** How much of it was left at `since`. */
  readonly bytes: number
  readonly bytesPerMs: number
  readonly since: number
  readonly callOff: CallOff
}

/** One direction of a connection over a path. */
export class SimLine {
  readonly #world: World
  readonly #path: SimPath
  readonly #direction: 0 | 1
  readonly #deliver: (message: Buffer) => void
  readonly #drained: () => void
  readonly #buffer: Buffer[] = []
  #buffered = 0
  #full = false
  #service: Service | undefined // of the first message in the buffer
  #lastArrival = 0
  #cut = false

  constructor(
    world: World,
    path: SimPath,
    direction: 0 | 1,
    deliver: (message: Buffer) => void,
    drained: () => void,
  ) {
    this.#world = world
    this.#path = path
    this.#direction = direction
    this.#deliver = deliver
    this.#drained = drained
    path.add(this)
  }

  /** Takes a message; false: it is full, wait for `drained`. */
  send(message: Buffer): boolean {
    if (this.#cut) return true
    this.#buffer.push(message)
    this.#buffered += message.length
    const full = this.#buffered > this.#path.options.bufferBytes
    this.#full ||= full // until it has drained, whatever else is sent
    this.goOn()
    return !full
  }

  /** What is on it is lost, and nothing more is delivered. */
  cut(): void {
    this.#cut = true
    this.#path.remove(this)
  }

  /** The path moves again, or there is something new. */
  goOn(): void {
    const head = this.#buffer[0]
    if (head === undefined || this.#service || this.#path.isStalled(this.#direction)) return
    this.#serve(head.length + 1)
  }

  /** The path has another rate. */
  changePace(): void {
    if (this.#service === undefined) return
    const { bytes, bytesPerMs, since, callOff } = this.#service
    callOff()
    this.#serve(bytes - (this.#world.now - since) * bytesPerMs)
  }

  #serve(bytes: number): void {
    const { bytesPerMs } = this.#path
    const callOff = this.#world.after(bytes / bytesPerMs, () => this.#served())
    this.#service = { bytes, bytesPerMs, since: this.#world.now, callOff }
  }

  #served(): void {
    this.#service = undefined
    if (this.#cut) return
    const message = this.#buffer.shift()!
    this.#buffered -= message.length
    this.#arrive(message)
    if (this.#full && this.#buffered * 2 <= this.#path.options.bufferBytes) {
      this.#full = false
      this.#drained()
    }
    this.goOn()
  }

  /** In order, however the delay changes; what is on the way stops with the path. */
  #arrive(message: Buffer): void {
    const { delayMs } = this.#path.options
    this.#lastArrival = Math.max(this.#lastArrival, this.#world.now + delayMs)
    this.#world.at(this.#lastArrival, () => {
      if (!this.#cut) this.#deliver(message)
    })
  }
}
