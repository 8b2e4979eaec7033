// A session as the running command knows it, at either end: a stripe of lanes, and a mux on it.

import type { Mux, StripePipe, TrunkPipe } from 'striper'

/** One session. */
export interface Session {
  /** Some digits of its id, for people. */
  readonly name: string
  /** Who is at the other end; null where nobody proved who it is. */
  readonly peer: string | null
  readonly pipe: StripePipe | TrunkPipe
  readonly mux: Mux
  /** When it began, as `performance.now()`. */
  readonly since: number
}

/** A session, from now on. */
export function sessionOf(pipe: StripePipe | TrunkPipe, mux: Mux, peer: string | null): Session {
  const name = pipe.session.toString('hex', 0, 4)
  return { name, peer, pipe, mux, since: performance.now() }
}
