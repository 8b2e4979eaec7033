// What a stripe is made with, and what may be known of it.

import type { MessagePipe } from '@striper/core'
import type { Lane, LaneState } from './pure/lane.ts'
import { type Schedule, soonest } from './pure/schedule.ts'
import { INITIAL_CREDIT, SESSION_ID_BYTES } from './pure/wire.ts'

const DEFAULT_WINDOW_BYTES = 16 * 1024 * 1024
/** The smallest window of a stripe, in bytes: the credit that every session begins with. */
export const LEAST_WINDOW_BYTES = INITIAL_CREDIT
const LARGEST_WINDOW_BYTES = 1024 * 1024 * 1024
const DEFAULT_NO_LANE_TIMEOUT_MS = 60_000
const LEAST_PARCEL_BYTES = 1024
const MOST_PARCEL_BYTES = 64 * 1024

export interface StripeOptions {
  /** `dial` (default): this end numbers the lanes and says HELLO first. `accept`: the other
   *  does. */
  role?: 'dial' | 'accept'
  /** The session's id, 16 bytes; random unless given. It is no secret. */
  session?: Buffer
  /** The first lanes; more may be added, and removed, at any time. */
  lanes?: Iterable<MessagePipe>
  /** What may wait at this end for its reader, and what may be sent and not acknowledged, in bytes:
   *  each 512 KiB to 1 GiB, default 16 MiB. */
  windowBytes?: number
  /** The most bytes that what stands on the stripe cuts a parcel of, 64 for headers aside: 1 KiB
   *  to 64 KiB. It takes less where the lanes deliver less in 20 ms; unless given, the lanes and
   *  the window alone count. For this end; the other has its own. */
  maxParcelBytes?: number
  /** Which lane gets the next parcel; default `soonest`. */
  schedule?: Schedule
  /** Sends every parcel on two lanes, the two that the schedule picks: for what is small and must
   *  not wait. Default false; may be changed while it runs. */
  redundant?: boolean
  /** How long the session outlives its last lane, in ms, before it fails with ERR_PIPE_NO_LANES;
   *  60 s. */
  noLaneTimeoutMs?: number
}

/** Options with every default in its place; throws a RangeError for one out of range. */
export function checked(options: StripeOptions) {
  const {
    role = 'dial',
    session = randomId(),
    windowBytes = DEFAULT_WINDOW_BYTES,
    maxParcelBytes = Infinity,
    schedule = soonest,
    redundant = false,
    noLaneTimeoutMs = DEFAULT_NO_LANE_TIMEOUT_MS,
  } = options
  if (session.length !== SESSION_ID_BYTES) {
    throw new RangeError(`session must be ${SESSION_ID_BYTES} bytes, got ${session.length}`)
  }
  if (!(windowBytes >= LEAST_WINDOW_BYTES && windowBytes <= LARGEST_WINDOW_BYTES)) {
    const range = `${LEAST_WINDOW_BYTES}..${LARGEST_WINDOW_BYTES}`
    throw new RangeError(`windowBytes must be ${range}, got ${windowBytes}`)
  }
  const cut = maxParcelBytes >= LEAST_PARCEL_BYTES && maxParcelBytes <= MOST_PARCEL_BYTES
  if (options.maxParcelBytes !== undefined && !cut) {
    const range = `${LEAST_PARCEL_BYTES}..${MOST_PARCEL_BYTES}`
    throw new RangeError(`maxParcelBytes must be ${range}, got ${maxParcelBytes}`)
  }
  if (!(noLaneTimeoutMs >= 0)) {
    throw new RangeError(`noLaneTimeoutMs must be 0 or more, got ${noLaneTimeoutMs}`)
  }
  return { role, session, windowBytes, maxParcelBytes, schedule, redundant, noLaneTimeoutMs }
}

/** What its owner says of a lane. Each may be changed while it runs. Of weight and backup the end
 *  that dials tells the other, where they hold as well, unless its own owner says otherwise. */
export interface LaneProperties {
  /** How much the lane is preferred: with 0.5 it is chosen as though it were half as fast. Where
   *  there is always more to send, every lane is used all the same. Above 0; default 1. */
  readonly weight?: number
  /** Used only while no other lane works; default false. */
  readonly backup?: boolean
  /** Bytes of parcels that may go by it, both ways together, before it is let go; no limit. */
  readonly budgetBytes?: number
}

/** Properties with every default in its place; throws a RangeError for one out of range. */
export function checkedProperties(properties: LaneProperties): Required<LaneProperties> {
  const { weight = 1, backup = false, budgetBytes = Infinity } = properties
  if (!(weight > 0)) throw new RangeError(`weight must be above 0, got ${weight}`)
  if (!(budgetBytes >= 0)) throw new RangeError(`budgetBytes must be 0 or more, got ${budgetBytes}`)
  return { weight, backup, budgetBytes }
}

/** What is known of a lane. */
export interface LaneStats {
  readonly number: number
  readonly label: string
  readonly state: LaneState
  /** Why it takes nothing just now, in words; undefined where it does. */
  readonly reason: string | undefined
  /** How it is preferred at this end: as its owner said, or else as the end that dialled it did. */
  readonly weight: number
  readonly backup: boolean
  /** What it delivers, in bytes a second; undefined while nothing is known. */
  readonly rate: number | undefined
  /** The least round trip of late. */
  readonly rttMs: number | undefined
  /** Bytes given to it that are not acknowledged. */
  readonly inFlight: number
  /** How many there may be. */
  readonly room: number
  /** Bytes of parcels, copies counted. */
  readonly bytesOut: number
  readonly bytesIn: number
  /** Parcels that went by it though they had gone by another before. */
  readonly copiesOut: number
}

/** A lane as its statistics. */
export function toStats(lane: Lane): LaneStats {
  const { number, label, state, reason, weight, backup } = lane
  const { inFlight, room, bytesOut, bytesIn, copiesOut } = lane
  const rate = lane.rate === undefined ? undefined : lane.rate * 1000
  const rttMs = lane.rtt
  const moved = { inFlight, room, bytesOut, bytesIn, copiesOut }
  return { number, label, state, reason, weight, backup, rate, rttMs, ...moved }
}

/** Randomness that a browser has as well. */
function randomId(): Buffer {
  return Buffer.from(globalThis.crypto.getRandomValues(new Uint8Array(SESSION_ID_BYTES)))
}
