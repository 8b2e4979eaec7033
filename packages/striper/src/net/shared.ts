// SharedTrunk: one trunk to a server, and the connections that this process has on it.
//
//   open ─▶ in use ⇄ idle ── idleMs ──▶ drained ─▶ closed
//
// When it is idle for long enough it is drained: what is under way arrives first, and then each of
// its sockets is closed.

import { type ByteDuplex, type BytePipe, type Layer, PipeError, stack } from '@striper/core'
import { frame } from '@striper/frame'
import { type Channel, type Mux, mux, type Priority } from '@striper/mux'
import { connect as connectTcp } from '@striper/tcp'
import { type Secret, tlsClient } from '@striper/tls'
import { lanePolicy, type LanePlace, trunk, type TrunkPipe, type WantedLane } from '@striper/trunk'

/** How long a server may take to agree that all is over, before the sockets are reset, in ms. */
const DRAIN_MS = 10_000

/** What a trunk is dialled with, and who is told that it takes no more connections. */
export interface SharedTrunkInit {
  host: string
  port: number
  from: readonly LanePlace[]
  secrecy: { key: Secret; server?: string } | undefined
  idleMs: number
  over: (trunk: SharedTrunk) => void
}

/** Made by `connect`, for the first connection to a server. */
export class SharedTrunk {
  readonly #init: SharedTrunkInit
  readonly #pipe: TrunkPipe
  readonly #mux: Mux
  #open = 0
  #reached = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(init: SharedTrunkInit) {
    this.#init = init
    const { host, port, from, secrecy } = init
    const layer: Layer = secrecy ? tlsClient(secrecy) : (bytes: ByteDuplex) => bytes as BytePipe
    const policy = lanePolicy({
      from,
      to: [{ host, port }],
      dial: (greet, way) => stack(connectTcp(way), greet, layer, frame()),
    })
    this.#pipe = trunk({ lanes: policy })
    this.#mux = mux(this.#pipe, { role: 'dial' })
    this.#pipe.on('wanted', (lane: WantedLane) => this.#judge(lane))
    const over = () => {
      clearTimeout(this.#timer)
      init.over(this)
    }
    this.#mux.done.then(over, over)
  }

  /** Whether it takes connections. */
  get usable(): boolean {
    return !this.#mux.draining
  }

  open(priority: Priority | undefined): Channel {
    clearTimeout(this.#timer)
    const channel = this.#mux.open({ priority })
    this.#open++
    channel.once('close', () => {
      if (--this.#open === 0) this.#rest()
    })
    return channel
  }

  #rest(): void {
    if (!this.usable) return // it has failed, or is draining
    this.#timer = setTimeout(() => {
      this.#init.over(this)
      this.#mux.drain().catch(() => undefined) // what went wrong, its connections knew
      this.#timer = setTimeout(() => this.#mux.destroy(), DRAIN_MS)
    }, this.#init.idleMs)
  }

  /** A server that no lane has ever reached is out of reach: who connects wants to know that now,
   *  and not in a minute. */
  #judge({ state, why }: WantedLane): void {
    this.#reached ||= state === 'up'
    if (this.#reached || this.#pipe.wanted.some(mayStillReach)) return
    const { host, port } = this.#init
    const reason = why.replace(/^waits [\d.]+ s: /, '')
    this.#mux.destroy(new PipeError('ERR_PIPE_CONNECT', `cannot reach ${host}:${port}: ${reason}`))
  }
}

function mayStillReach({ state, why }: WantedLane): boolean {
  return state === 'dialling' || state === 'up' || why.startsWith('resolving ')
}
