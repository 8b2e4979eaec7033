// RoutedLane: one lane of a policy: by which of its ways it is dialled.
//
//   ways   192.0.2.7 → 198.51.100.1    fails     ─┐ the next dial tries the next way; a lane that
//          192.0.2.7 → 198.51.100.2    worked    ─┘ worked is dialled again by the same
//
// A way that swallows all that is sent to it (an IPv6 that leads nowhere is the common one) must
// not cost the whole time that a dial may take while there is another: so a dial that does not even
// connect is given up sooner then. It is not two dials at once, as RFC 8305 has it, for each would
// be a lane; a trunk has mostly several, and they begin by different ways.

import { type Layer, type MessagePipe, PipeError, type Pipe } from '@striper/core'
import type { DialLane } from './keeper.ts'
import { type Interfaces, type LaneWay, type PlannedLane, stillThere } from './pure/wanted.ts'

/** How long a dial may take to connect while there is another way to try, in ms: a second for a SYN
 *  that was lost, and a round trip. Doubled when all ways were tried in vain. */
const CONNECT_MS = 2000

/** Dials one lane from where and to where it is told: `(greet, way) => stack(connect(way), greet,
 *  frame())`. */
export type DialWay = (greet: Layer, way: LaneWay) => MessagePipe

/** Made by a policy, for each trunk and key. */
export class RoutedLane {
  #plan: PlannedLane
  #way: LaneWay | undefined // of the last dial
  #lane: MessagePipe | undefined
  #inVain = 0 // dials, since one was heard

  /** Dials the lane by the way whose turn it is. */
  readonly dial: DialLane

  /** `failed` is told of each way by which the far end did not answer. */
  constructor(plan: PlannedLane, dialWay: DialWay, failed: (way: LaneWay) => void) {
    this.#plan = plan
    this.dial = greet => {
      const way = this.#next()
      this.#way = way
      const lane = dialWay(greet, way)
      this.#lane = lane
      const timer = this.#giveUpInTime(lane)
      lane.once('close', () => {
        clearTimeout(timer)
        this.#inVain = heard(lane) ? 0 : this.#inVain + 1
        if (!heard(lane)) failed(way)
      })
      return lane
    }
  }

  /** Its ways may be others now. A connection from an address that is gone is let go at once. */
  replan(plan: PlannedLane, interfaces: Interfaces): void {
    this.#plan = plan
    const [lane, way] = [this.#lane, this.#way]
    if (!lane || !way || lane.destroyed || stillThere(plan.place, way, interfaces)) return
    const sentence = `${way.localAddress} is gone`
    lane.destroy(new PipeError('ERR_PIPE_CLOSED', sentence, { label: lane.label }))
  }

  /** Whether it is up, to an address of this server. */
  reaches({ addresses, port }: { addresses: readonly string[]; port: number }): boolean {
    const [lane, way] = [this.#lane, this.#way]
    if (!lane || !way || lane.destroyed || !heard(lane)) return false
    return way.port === port && addresses.includes(way.host)
  }

  #giveUpInTime(lane: MessagePipe): ReturnType<typeof setTimeout> | undefined {
    const { length } = this.#plan.ways
    if (length < 2) return undefined
    const ms = CONNECT_MS * 2 ** Math.floor(this.#inVain / length)
    return setTimeout(() => {
      if (!bottomOf(lane).pending) return
      const sentence = `no answer in ${ms} ms`
      lane.destroy(new PipeError('ERR_PIPE_TIMEOUT', sentence, { label: lane.label }))
    }, ms)
  }

  #next(): LaneWay {
    const { ways } = this.#plan
    const { localAddress, host, port } = this.#way ?? {}
    const last = ways.findIndex(
      way => way.localAddress === localAddress && way.host === host && way.port === port,
    )
    const worked = this.#lane !== undefined && heard(this.#lane)
    const next = last < 0 || worked ? Math.max(last, 0) : (last + 1) % ways.length
    return ways[next]!
  }
}

/** What a lane stands on in the end. */
function bottomOf(lane: Pipe): Pipe {
  const [below] = lane.below
  return below === undefined ? lane : bottomOf(below)
}

/** Whether the far end has said anything on a lane. */
function heard(lane: MessagePipe): boolean {
  return lane.stats.messagesIn > 0
}
