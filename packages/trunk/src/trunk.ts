// trunk: keeps the lanes of a stripe up, at the dialling end.
//
// A lane that cannot be dialled, or is lost, is dialled again, for as long as it is wanted
// (keeper.ts; the pauses are in pure/backoff.ts). Which lanes are wanted may change at any time:
// `setLanes` takes the whole list, and leaves alone what was in the last one.

import { checkedProperties, StripePipe } from '@striper/stripe'
import type { LaneProperties, StripeOptions } from '@striper/stripe'
import type { LaneBudget } from './budget.ts'
import { type DialLane, LaneKeeper, type LaneWish, type WantedLane } from './keeper.ts'
import { Prover } from './proof.ts'
import { Backoff, DialRate } from './pure/backoff.ts'

/** Lanes that were lost are dialled again at most so fast, in this process, those of all trunks:
 *  so many at once, then so many a second. */
const MOST_AT_ONCE = 200
const MOST_A_SECOND = 100
const everybody = new DialRate(MOST_A_SECOND, MOST_AT_ONCE)

/** A lane to keep up: how to dial it, and its properties, if it has any. */
export type TrunkLane = DialLane | TrunkLaneOptions

export interface TrunkLaneOptions extends LaneProperties {
  dial: DialLane
  /** Which lane it is, for `setLanes` and for people: of two lists, those with the same key are the
   *  same lane. Otherwise lanes with the same `dial` are. */
  key?: string
  /** A budget to share with other lanes, instead of `budgetBytes`, which is for the lane and what
   *  is dialled in its place. Both count messages, with their headers. Another budget than before
   *  is for the next dial. */
  budget?: LaneBudget
  /** Why it cannot be dialled now, in words: it is kept in the list and not dialled, and a
   *  connection that it has is reset. */
  absent?: string
}

/** Where a trunk's lanes come from, if not from a list: `lanePolicy` makes one. It is called once
 *  for each trunk, before that is used, and calls its `setLanes` from then until it closes. */
export interface LaneSource {
  supply(trunk: TrunkPipe): void
}

export interface TrunkOptions {
  /** One for each lane that is to be kept up, or what will say. */
  lanes: readonly TrunkLane[] | LaneSource
  /** The pause before the first re-dial, at most, in ms; 250. It doubles with each failure, and is
   *  halved for each second that a lane lived. */
  firstPauseMs?: number
  /** The longest pause, in ms; 30 s. */
  longestPauseMs?: number
  /** How long a lane may take from its dial to the far end's first word, in ms; 15 s. */
  dialTimeoutMs?: number
  /** A number from 0 to 1, for the pauses; `Math.random`. */
  random?: () => number
  /** What the stripe is made with. */
  stripe?: Omit<StripeOptions, 'role' | 'session' | 'lanes'>
}

/** A stripe whose lanes are dialled now, and again whenever they are lost, until it is done or
 *  destroyed. What the first dial of a lane throws is thrown. */
export function trunk(options: TrunkOptions): TrunkPipe {
  const { lanes } = options
  if ('length' in lanes && lanes.length === 0) throw new RangeError('a trunk has at least one lane')
  const pipe = new TrunkPipe(options)
  try {
    if ('length' in lanes) pipe.setLanes(lanes)
    else lanes.supply(pipe)
  } catch (error) {
    pipe.destroy()
    throw error
  }
  return pipe
}

/** A stripe that keeps its lanes up. It emits `wanted`, with a WantedLane, for each of them that is
 *  dialled, up, waiting and so on. Made by `trunk`. */
export class TrunkPipe extends StripePipe {
  readonly #options: ReturnType<typeof checked>
  readonly #prover: Prover
  readonly #keepers = new Map<string, LaneKeeper>()

  constructor(options: TrunkOptions) {
    const prover = new Prover()
    super({ ...options.stripe, session: prover.session })
    this.#prover = prover
    this.#options = checked(options)
    this.once('close', () => {
      for (const keeper of this.#keepers.values()) keeper.stop()
    })
  }

  /** The lanes that are wanted, and what becomes of each. */
  get wanted(): readonly WantedLane[] {
    return [...this.#keepers.values()].map(keeper => keeper.wanted)
  }

  /**
   * Wants these lanes, and no others, from now on. One that was in the last list keeps its
   * connection, and has the new properties at once; one that is new is dialled; one that is missing
   * is let go when what is under way on it has arrived. With none at all the session fails after
   * its `noLaneTimeoutMs`. Throws a RangeError where two lanes have one key, or a property is out
   * of range, and then changes nothing. What the first dial of a lane throws is thrown when all
   * that is done. Does nothing on a trunk that is over.
   */
  setLanes(lanes: readonly TrunkLane[]): void {
    if (this.destroyed) return
    const wishes = keyed(lanes)
    for (const [key, keeper] of this.#keepers) {
      if (wishes.has(key)) continue
      this.#keepers.delete(key)
      keeper.remove()
    }
    const thrown: unknown[] = []
    for (const [key, wish] of wishes) {
      const keeper = this.#keepers.get(key)
      if (keeper) {
        keeper.change(wish)
        continue
      }
      const newcomer = this.#keep(key, wish)
      this.#keepers.set(key, newcomer)
      if (newcomer.thrown !== undefined) thrown.push(newcomer.thrown)
    }
    if (thrown.length > 0) throw thrown[0]
  }

  /** Dials the lanes that wait within the first pause: something has changed for the better. It
   *  does so by itself when a lane is up after none was. */
  hurry(): void {
    for (const keeper of this.#keepers.values()) keeper.hurry()
  }

  #keep(key: string, wish: LaneWish): LaneKeeper {
    const { firstPauseMs, longestPauseMs, dialTimeoutMs, random } = this.#options
    const backoff = new Backoff(firstPauseMs, longestPauseMs)
    const changed = (wanted: WantedLane) => {
      // Not in this call: who hears it may well call setLanes().
      queueMicrotask(() => {
        if (!this.destroyed) this.emit('wanted', wanted)
      })
      if (wanted.state === 'up' && this.wanted.filter(isUp).length === 1) this.hurry()
    }
    const prover = this.#prover
    const init = {
      key,
      pipe: this,
      prover,
      backoff,
      rate: everybody,
      random,
      dialTimeoutMs,
      changed,
    }
    return new LaneKeeper(init, wish)
  }
}

const isUp = ({ state }: WantedLane) => state === 'up'

/** Options with every default in its place; throws a RangeError for one out of range. */
function checked(options: TrunkOptions) {
  const { firstPauseMs = 250, longestPauseMs = 30_000, dialTimeoutMs = 15_000 } = options
  const { random = Math.random } = options
  if (!(firstPauseMs > 0)) throw new RangeError(`firstPauseMs must be above 0, got ${firstPauseMs}`)
  if (!(longestPauseMs >= firstPauseMs)) {
    const least = `firstPauseMs, ${firstPauseMs}`
    throw new RangeError(`longestPauseMs must be at least ${least}, got ${longestPauseMs}`)
  }
  if (!(dialTimeoutMs > 0 && dialTimeoutMs < 2 ** 31)) {
    throw new RangeError(`dialTimeoutMs must be above 0, and under 2^31, got ${dialTimeoutMs}`)
  }
  return { firstPauseMs, longestPauseMs, dialTimeoutMs, random }
}

/** A name for each function that dials, so that lanes without a key can be told from each other. */
const names = new WeakMap<DialLane, string>()
let lastName = 0

/** Lanes by their keys. Throws a RangeError where two have one, or a property is out of range. */
function keyed(lanes: readonly TrunkLane[]): Map<string, LaneWish> {
  const wishes = new Map<string, LaneWish>()
  for (const lane of lanes) {
    const wish: TrunkLaneOptions = typeof lane === 'function' ? { dial: lane } : lane
    if (wish.key !== undefined && wishes.has(wish.key)) {
      throw new RangeError(`two lanes have the key '${wish.key}'`)
    }
    checkedProperties(wish)
    wishes.set(wish.key ?? nameOf(wish.dial, wishes), wish)
  }
  return wishes
}

function nameOf(dial: DialLane, taken: ReadonlyMap<string, unknown>): string {
  const name = names.get(dial) ?? `lane ${++lastName}`
  names.set(dial, name)
  let free = name
  for (let i = 2; taken.has(free); i++) free = `${name}, ${i}`
  return free
}
