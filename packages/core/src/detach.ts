// Detaching: a pipe that is no more than a socket gives that socket to what stands on it.
//
// A layer that Node has in C++, such as TLS, works on a socket at half the cost of the same on a
// pipe. Whoever stands on a pipe owns it, so it may ask for what is at the bottom of it. It gets
// it once, reads and writes there itself, and no pipe in between sees a byte more. They stay where
// they are, for `below`, and close when the socket does.

import type { Duplex } from './stream.ts'

/** A byte pipe that may be able to give up the socket that it stands on. */
export interface Detachable {
  /** Whether it can just now: it is open, and nothing in it waits to be written, or has ended. */
  readonly detachable: boolean
  /**
   * Gives up the socket, a net.Socket. What was read and nobody took is put back: `unread`, and
   * behind it what waits in the pipe. `abort` is called instead, where the pipe is destroyed
   * before the socket has closed; it has to close the socket, so that the peer sees an abort.
   */
  detachSocket(unread: Buffer, abort: () => void): Duplex
  /** To be asked where that socket has ended, before it is destroyed: the reset that the system has
   *  reported as an end; undefined where it was one. `writes`: this side has not ended it. */
  resetBehindEnd(writes: boolean): Error | undefined
}

/** Whether a Duplex is such a pipe, and can give up its socket just now. */
export function isDetachable<D extends Duplex>(duplex: D): duplex is D & Detachable {
  return 'detachSocket' in duplex && (duplex as D & Detachable).detachable
}

/** All that waits in a pipe to be read, taken out of it. Nobody must listen to 'data'. */
export function takeUnread(pipe: Duplex): Buffer {
  const chunks: Buffer[] = []
  for (let chunk; (chunk = pipe.read() as Buffer | null) !== null;) chunks.push(chunk)
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
}
