// RoutedLane: one lane of a policy: by which of its ways it is dialled.
//
//   ways   192.0.2.7 → 198.51.100.1    fails     ─┐ the next dial tries the next way; a lane that
//          192.0.2.7 → 198.51.100.2    worked    ─┘ worked is dialled again by the same

import { type Layer, type MessagePipe, PipeError } from '@striper/core'
import type { DialLane } from './keeper.ts'
import { type Interfaces, type LaneWay, type PlannedLane, stillThere } from './pure/wanted.ts'

/** Dials one lane from where and to where it is told: `(greet, way) => stack(connect(way), greet,
 *  frame())`. */
export type DialWay = (greet: Layer, way: LaneWay) => MessagePipe

/** Made by a policy, for each trunk and key. */
export class RoutedLane {
  #plan: PlannedLane
  #way: LaneWay | undefined // of the last dial
  #lane: MessagePipe | undefined

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
      lane.once('close', () => {
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

/** Whether the far end has said anything on a lane. */
function heard(lane: MessagePipe): boolean {
  return lane.stats.messagesIn > 0
}
