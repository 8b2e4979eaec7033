// abort(): ends a Duplex of any make so that its peer cannot take it for a clean end.

import { isPipe } from './pipe.ts'
import type { Duplex } from './stream.ts'

/** Destroys a Duplex before its time. A pipe sees to its peer itself; a TCP socket is reset. Any
 *  other Duplex is destroyed, and whether its peer can tell that from an end is up to what it is:
 *  over a Unix socket it cannot. */
export function abort(duplex: Duplex, error?: Error): void {
  if (isPipe(duplex)) {
    duplex.destroy(error)
    return
  }
  const socket = duplex as Duplex & { resetAndDestroy?: () => void; connecting?: boolean }
  if (socket.resetAndDestroy && !socket.connecting && !socket.destroyed) {
    // While a socket shuts down, libuv refuses to reset it, and Node then forgets it unclosed. It
    // is a matter of one turn: all that was written has gone by then.
    const shuttingDown = socket.writableEnded && !socket.writableFinished && !socket.writableLength
    if (shuttingDown) {
      socket.once('finish', () => abort(socket))
      return
    }
    try {
      socket.resetAndDestroy()
      return
    } catch {
      // Not over TCP: nothing has happened yet, and destroy() below is all there is.
    }
  }
  duplex.destroy()
}
