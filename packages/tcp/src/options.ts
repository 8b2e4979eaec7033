// What every socket here is made with, and the option that says some of it.

import { BYTES_HIGH_WATER } from '@striper/core'

const DEFAULT_KEEP_ALIVE_MS = 60_000
/** What the system takes: whole seconds, 32,767 at most. Of anything else Node.js says nothing, and
 *  the system has its own two hours. */
const LEAST_KEEP_ALIVE_MS = 1000
const MOST_KEEP_ALIVE_MS = 32_767_000

export interface SocketOptions {
  /** How long a connection may be silent before the system asks whether its other end is there, in
   *  ms: 1 s to 32,767 s, whole seconds; 60 s unless given, 0 for never. Where ten questions, a
   *  second apart, have no answer it fails with ERR_PIPE_TIMEOUT. */
  keepAliveMs?: number
}

/** Options of a socket of Node: what everybody here wants, and what was asked for. Throws a
 *  RangeError. */
export function socketOptions({ keepAliveMs = DEFAULT_KEEP_ALIVE_MS }: SocketOptions) {
  const within = keepAliveMs >= LEAST_KEEP_ALIVE_MS && keepAliveMs <= MOST_KEEP_ALIVE_MS
  if (!within && keepAliveMs !== 0) {
    const range = `${LEAST_KEEP_ALIVE_MS}..${MOST_KEEP_ALIVE_MS}, or 0`
    throw new RangeError(`keepAliveMs must be ${range}, got ${keepAliveMs}`)
  }
  return {
    allowHalfOpen: true,
    highWaterMark: BYTES_HIGH_WATER,
    noDelay: true,
    keepAlive: keepAliveMs > 0, // or a peer that vanished while nothing was said is never found out
    keepAliveInitialDelay: keepAliveMs,
  }
}
