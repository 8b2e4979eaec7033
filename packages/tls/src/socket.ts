// The seam to Node's TLSSocket: the two things of it that are not public.
//
// A server's TLSSocket that no tls.Server made keeps its failures to itself (the event
// `_tlsError`), and verifies a client's certificate without saying what came of it. (A tls.Server
// shows its socket when the handshake is done, and a pipe is there from the start.) Both are
// looked for; where the second is missing, nobody is let in.

import type { TLSSocket } from 'node:tls'

/** Calls back with each failure of a server's TLSSocket. */
export function onServerFailure(socket: TLSSocket, failed: (error: Error) => void): void {
  socket.on('_tlsError' as 'error', failed)
}

/** What is wrong with the certificate of a server's peer; undefined: nothing. */
export function faultOfClient(socket: TLSSocket): string | undefined {
  const { _handle: handle } = socket as { _handle?: { verifyError?: () => Error | null } | null }
  if (typeof handle?.verifyError !== 'function') return 'this Node cannot say whether to trust it'
  const error = handle.verifyError()
  return error ? error.message : undefined
}
