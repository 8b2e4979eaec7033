// LaneKeeper: keeps one lane of a trunk up, while it is wanted.
//
//                 ┌───────────────── the pause is over ────────────────┐
//                 ▼                                                    │
//   absent ──▶ dialling ── the far end said something ──▶ up ──▶ lost: waiting
//      ▲          └───────── failed, or silent for too long ──────────▶│
//      └ no address now                       spent ◀── the budget is ─┘

import { type Layer, logger, type MessagePipe, PipeError } from '@striper/core'
import type { LaneProperties, StripePipe } from '@striper/stripe'
import { LaneBudget, type Spender } from './budget.ts'
import { greet } from './greeting.ts'
import type { Prover } from './proof.ts'
import type { Backoff, DialRate } from './pure/backoff.ts'
import { whyLost, wordsFor } from './words.ts'

const log = logger('trunk')

/** Dials one lane. `greet` has to be the first layer on its bytes: `greet => stack(connect({ port:
 *  7000 }), greet, frame())`. */
export type DialLane = (greet: Layer) => MessagePipe

/**
 * - `dialling`: dialled, and the far end has said nothing yet.
 * - `up`: the far end said something.
 * - `waiting`: to be dialled again.
 * - `absent`: there is nothing to dial from, or to.
 * - `spent`: its budget is.
 */
export type WantedState = 'dialling' | 'up' | 'waiting' | 'absent' | 'spent'

/** What becomes of a lane that is wanted. */
export interface WantedLane {
  readonly key: string
  readonly state: WantedState
  /** The state in words: `dialling`, `up`, `waits 1.2 s: connection refused`, `no such interface
   *  now`, `over budget`. */
  readonly why: string
  /** How long it has been so, in ms. */
  readonly forMs: number
  /** How often it was dialled. */
  readonly attempts: number
  /** Its pipe, while it is dialling or up; `addressOf` and the label of `stripe.lanes` fit it. */
  readonly lane: MessagePipe | undefined
  readonly weight: number
  readonly backup: boolean
  readonly budget: LaneBudget
}

/** What a lane is to be: how to dial it, or why it cannot be now. */
export interface LaneWish extends LaneProperties {
  dial: DialLane
  budget?: LaneBudget
  absent?: string
}

export interface KeeperInit {
  readonly key: string
  readonly pipe: StripePipe
  readonly prover: Prover
  readonly backoff: Backoff
  readonly rate: DialRate
  readonly random: () => number
  readonly dialTimeoutMs: number
  /** Told of each new state. */
  readonly changed: (wanted: WantedLane) => void
}

export class LaneKeeper {
  readonly #init: KeeperInit
  readonly #own = new LaneBudget() // where it is given none to share
  readonly #wake = () => void this.#dialAgain()
  #wish: LaneWish
  #state: WantedState = 'absent'
  #why = ''
  #since = performance.now()
  #attempts = 0
  #dialAt = 0 // while it waits
  #lane: MessagePipe | undefined
  #heardAt: number | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  /** What the first dial threw, if it did; it is dialled again all the same. */
  readonly thrown: unknown

  /** It dials at once, where it can. */
  constructor(init: KeeperInit, wish: LaneWish) {
    this.#init = init
    this.#wish = wish
    if (wish.budgetBytes !== undefined) this.#own.bytes = wish.budgetBytes
    if (wish.absent === undefined) this.thrown = this.#dialAgain()
    else this.#become('absent', wish.absent)
  }

  get wanted(): WantedLane {
    const { weight = 1, backup = false } = this.#wish
    const now = performance.now()
    const seconds = (Math.max(0, this.#dialAt - now) / 1000).toFixed(1)
    return {
      key: this.#init.key,
      state: this.#state,
      why: this.#state === 'waiting' ? `waits ${seconds} s: ${this.#why}` : this.#why,
      forMs: now - this.#since,
      attempts: this.#attempts,
      lane: this.#lane,
      weight,
      backup,
      budget: this.#budget,
    }
  }

  /** It is to be this from now on. Its connection is kept, at the expense of the budget that it was
   *  dialled with; unless it is absent. */
  change(wish: LaneWish): void {
    const exchanged = (wish.budget ?? this.#own) !== this.#budget
    if (exchanged) this.#budget.forget(this.#wake)
    this.#wish = wish
    const vanished = wish.absent !== undefined && this.#state !== 'absent'
    if (vanished) this.#letGo(lane => lane.destroy()) // first: a raised budget would dial it
    if (wish.budget === undefined) this.#own.bytes = wish.budgetBytes ?? Infinity
    if (wish.absent !== undefined) {
      this.#become('absent', wish.absent)
    } else if (this.#state === 'absent' || (this.#state === 'spent' && exchanged)) {
      this.#wake()
    } else if (this.#lane) {
      this.#init.pipe.setLane(this.#lane, this.#preferences)
    }
  }

  /** If it waits, it does so for no longer than after a first failure. */
  hurry(): void {
    const { backoff, random } = this.#init
    const pauseMs = random() * backoff.firstMs
    const sooner = performance.now() + pauseMs < this.#dialAt
    if (this.#state === 'waiting' && sooner) this.#pause(pauseMs)
  }

  /** It is wanted no more; what is under way on it arrives. */
  remove(): void {
    this.#letGo(lane => this.#init.pipe.removeLane(lane))
  }

  /** The trunk is over: its lanes are the stripe's to close. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#budget.forget(this.#wake)
  }

  get #budget(): LaneBudget {
    return this.#wish.budget ?? this.#own
  }

  get #preferences(): LaneProperties {
    const { weight = 1, backup = false } = this.#wish
    return { weight, backup }
  }

  #become(state: WantedState, why: string): void {
    const news = state !== this.#state || why !== this.#why || state === 'waiting'
    if (state !== this.#state) this.#since = performance.now()
    this.#state = state
    this.#why = why
    if (news) this.#init.changed(this.wanted)
  }

  /** A dial that throws is a dial that failed. What it threw. */
  #dialAgain(): unknown {
    if (this.#init.pipe.destroyed) return undefined
    this.#budget.forget(this.#wake)
    try {
      this.#dial()
    } catch (error) {
      this.#wait(0, `cannot be dialled: ${wordsFor(error)}`)
      return error
    }
    return undefined
  }

  #dial(): void {
    if (this.#budget.leftBytes === 0) return this.#spent()
    const { pipe, prover, dialTimeoutMs } = this.#init
    this.#attempts++
    const lane = this.#wish.dial(greet(pipe.session))
    this.#heardAt = undefined
    const spender: Spender = {
      get spentBytes() {
        return lane.stats.bytesIn + lane.stats.bytesOut
      },
      allow: bytes => {
        if (!lane.destroyed) pipe.setLane(lane, { budgetBytes: bytes })
      },
    }
    prover.prove(lane, pipe)
    try {
      pipe.addLane(lane, this.#preferences)
    } catch (error) {
      lane.destroy() // nobody owns it
      throw error
    }
    this.#lane = lane
    const budget = this.#budget
    budget.join(spender)
    lane.once('data', () => this.#heard(lane))
    lane.once('close', () => {
      budget.leave(spender)
      this.#lost(lane)
    })
    this.#timer = setTimeout(() => {
      const sentence = `no answer in ${dialTimeoutMs} ms`
      lane.destroy(new PipeError('ERR_PIPE_TIMEOUT', sentence, { label: lane.label }))
    }, dialTimeoutMs)
    this.#become('dialling', 'dialling')
  }

  /** The far end took the lane. */
  #heard(lane: MessagePipe): void {
    if (lane !== this.#lane) return
    clearTimeout(this.#timer)
    this.#heardAt = performance.now()
    this.#become('up', 'up')
  }

  #lost(lane: MessagePipe): void {
    if (lane !== this.#lane) return
    this.#lane = undefined
    clearTimeout(this.#timer)
    if (this.#init.pipe.destroyed) return
    if (this.#budget.leftBytes === 0) return this.#spent()
    const heard = this.#heardAt !== undefined
    const livedMs = heard ? performance.now() - this.#heardAt! : 0
    this.#wait(livedMs, whyLost(lane, heard))
  }

  /** Until the next dial. */
  #wait(livedMs: number, why: string): void {
    const { pipe, key, backoff, random } = this.#init
    const pauseMs = backoff.lost(livedMs, random())
    log('%s: %s: %s, dialled again in %d ms', pipe.label, key, why, pauseMs)
    this.#pause(pauseMs)
    this.#become('waiting', why)
  }

  /** Its own pause first, then for its turn among all. */
  #pause(ms: number): void {
    this.#after(ms, () => {
      const turnMs = this.#init.rate.take(performance.now())
      if (turnMs > 0) this.#after(turnMs, this.#wake)
      else this.#wake()
    })
  }

  #after(ms: number, then: () => void): void {
    clearTimeout(this.#timer)
    this.#dialAt = performance.now() + ms
    this.#timer = setTimeout(then, ms)
  }

  #spent(): void {
    this.#budget.await(this.#wake)
    this.#become('spent', 'over budget')
  }

  /** Does without its connection from now on, and without a timer. */
  #letGo(how: (lane: MessagePipe) => void): void {
    const lane = this.#lane
    this.#lane = undefined
    this.stop()
    if (lane) how(lane)
  }
}
