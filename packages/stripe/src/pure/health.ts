// Health: when a lane is asked for a sign of life, no longer trusted, or given up. Functions of
// what is known of the lanes, and of the time.
//
//   quiet for PING_MS ──▶ ping     and for DEAD_MS ──▶ drop
//   bytes under way, no progress for its patience ──▶ suspect
//   suspect for some times that, while others work ──▶ drop, so that it can be dialled again

import type { Lane } from './lane.ts'

/** A lane on which nothing was heard for so long is asked for a sign of life; in ms. */
const PING_MS = 10_000
/** One that gives none is dropped when nothing was heard for so long; in ms. */
export const DEAD_MS = 20_000
/** One that is suspect, while others work, is dropped after so many times its patience. */
const SUSPECT_TIMES = 4
const LEAST_SUSPECT_MS = 1000

/** Without credit for so long, lanes are asked whether it was granted in words that were lost; in
 *  ms */
export const STARVED_MS = 1000
/** A tick that is so late was not late by itself: this process, or the machine, was stopped; in ms
 *  */
export const LEAP_MS = 1000

export type Lanes = ReadonlyMap<number, Lane>

/** What to do about a lane. */
export type Verdict = { do: 'nothing' | 'ping' } | { do: 'drop'; reason: string }

/** When something may have to be done about a lane, in ms. */
export function lookAt(lane: Lane, lanes: Lanes): number {
  const at = Math.min(lane.suspectAt ?? Infinity, checkAt(lane, lanes))
  if (lanes.size < 2) return at // nobody could do better
  return Math.min(at, lane.lateAt ?? Infinity, lane.overdueAt ?? Infinity)
}

/** When to ask for a verdict on a lane again, in ms. */
function checkAt(lane: Lane, lanes: Lanes): number {
  const quiet = lane.heardAt + (lane.asked ? DEAD_MS : PING_MS)
  const { suspectSince } = lane
  if (suspectSince === undefined || !othersWork(lane, lanes)) return quiet
  const patience = Math.max(LEAST_SUSPECT_MS, SUSPECT_TIMES * lane.meter.patience)
  return Math.min(quiet, suspectSince + patience)
}

/** What to do about a lane now. It is asked at `checkAt`; before, there is nothing to do. */
export function check(lane: Lane, lanes: Lanes, now: number): Verdict {
  if (now < checkAt(lane, lanes)) return { do: 'nothing' }
  if (now >= lane.heardAt + DEAD_MS) return { do: 'drop', reason: `silent for ${DEAD_MS} ms` }
  if (lane.suspectSince !== undefined && othersWork(lane, lanes)) {
    return { do: 'drop', reason: 'silent, while others are not' }
  }
  return { do: 'ping' }
}

/** Whether another lane works, so that it is not all the world that is silent. */
function othersWork(than: Lane, lanes: Lanes): boolean {
  for (const lane of lanes.values()) {
    if (lane !== than && lane.state === 'working' && lane.heardAt > than.heardAt) return true
  }
  return false
}

/** A lane that is leaving and has nothing under way, so that it may end; each is told once. */
export function takeLeaver(lanes: Lanes): Lane | undefined {
  for (const lane of lanes.values()) {
    if (lane.state !== 'leaving' || lane.flight.length > 0 || lane.ended) continue
    lane.ended = true
    return lane
  }
  return undefined
}
