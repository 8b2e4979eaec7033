// trunk: keeps the lanes of a stripe up, at the dialling end.
//
// A lane that cannot be dialled, or is lost, is dialled again, for ever: at once or nearly so after
// one that worked, then after pauses that double, each cut short by chance so that a thousand
// clients do not come back in step (Brooker, "Exponential Backoff And Jitter", 2015: full jitter).

import { type Layer, logger, type MessagePipe } from '@striper/core'
import { type LaneProperties, stripe, type StripeOptions } from '@striper/stripe'
import type { StripePipe } from '@striper/stripe'
import { greet } from './greeting.ts'
import { Prover } from './proof.ts'

const log = logger('trunk')

/** Dials one lane. `greet` has to be the first layer on its bytes: `greet => stack(connect({ port:
 *  7000 }), greet, frame())`. */
export type DialLane = (greet: Layer) => MessagePipe

/** A lane to keep up: how to dial it, and its properties, if it has any. A budget is for the lane
 *  and whatever is dialled in its place, together, and counts headers as well. */
export type TrunkLane = DialLane | ({ dial: DialLane } & LaneProperties)

export interface TrunkOptions {
  /** One for each lane that is to be kept up. */
  lanes: readonly TrunkLane[]
  /** The pause before the first re-dial, at most, in ms; 250. It doubles with each failure. */
  firstPauseMs?: number
  /** The longest pause, in ms; 30 s. */
  longestPauseMs?: number
  /** A number from 0 to 1, for the pauses; `Math.random`. */
  random?: () => number
  /** What the stripe is made with. */
  stripe?: Omit<StripeOptions, 'role' | 'session' | 'lanes'>
}

/** A stripe whose lanes are dialled now, and again whenever they are lost, until it is done or
 *  destroyed. */
export function trunk(options: TrunkOptions): StripePipe {
  if (options.lanes.length === 0) throw new RangeError('a trunk has at least one lane')
  const prover = new Prover()
  const pipe = stripe({ ...options.stripe, session: prover.session })
  const keepers = options.lanes.map(lane => {
    const { dial, ...properties } = typeof lane === 'function' ? { dial: lane } : lane
    return new LaneKeeper(pipe, prover, dial, properties, options)
  })
  pipe.once('close', () => {
    for (const keeper of keepers) keeper.stop()
  })
  return pipe
}

/** Keeps one lane up. */
class LaneKeeper {
  readonly #pipe: StripePipe
  readonly #prover: Prover
  readonly #dial: DialLane
  readonly #properties: LaneProperties
  readonly #options: TrunkOptions
  #budgetBytes: number // what is left of it
  #pauseMs = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    pipe: StripePipe,
    prover: Prover,
    dial: DialLane,
    properties: LaneProperties,
    options: TrunkOptions,
  ) {
    this.#pipe = pipe
    this.#prover = prover
    this.#dial = dial
    this.#properties = properties
    this.#options = options
    this.#budgetBytes = properties.budgetBytes ?? Infinity
    this.#worked()
    this.#redial()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #redial(): void {
    const lane = this.#dial(greet(this.#pipe.session))
    lane.once('data', () => this.#worked())
    lane.once('close', () => this.#lost(lane))
    this.#prover.prove(lane, this.#pipe)
    this.#pipe.addLane(lane, { ...this.#properties, budgetBytes: this.#budgetBytes })
  }

  /** The far end took the lane. */
  #worked(): void {
    this.#pauseMs = this.#options.firstPauseMs ?? 250
  }

  #lost(lane: MessagePipe): void {
    if (this.#pipe.destroyed) return
    this.#budgetBytes -= lane.stats.bytesIn + lane.stats.bytesOut
    if (this.#budgetBytes <= 0) return
    const { random = Math.random, longestPauseMs = 30_000 } = this.#options
    const pauseMs = random() * this.#pauseMs
    log('%s: %s closed, dialled again in %d ms', this.#pipe.label, lane.label, pauseMs)
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs)
    this.#timer = setTimeout(() => {
      if (!this.#pipe.destroyed) this.#redial()
    }, pauseMs)
  }
}
