// Slack: for how long a lane may have more under way than it holds by itself.
//
//   slow lanes:  40 ms each
//   fast ones:   as long as 3 MiB last, all lanes together
//
// Pure: no clock; times are in ms.

import { type LaneView, ratesOf } from './schedule.ts'

/** For the time that an acknowledgement may wait, and to see whether the lane can do more. More of
 *  it fills queues, which drop what does not fit. */
export const MOST_SLACK_MS = 40
/** In all lanes together, in bytes. Where both ends are near, 40 ms of fast lanes are tens of MiB.
 *  Those come no sooner, and cost: all that is under way is copied in and out of caches that have
 *  no room for it. */
const MOST_QUEUED_BYTES = 3 * 1024 * 1024

/** The slack of lanes that are used together. */
export function slackMs(lanes: Iterable<Pick<LaneView, 'rate'>>): number {
  return Math.min(MOST_SLACK_MS, MOST_QUEUED_BYTES / ratesOf(lanes))
}
