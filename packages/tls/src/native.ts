// TLS on a socket itself, which Node has in C++: half the cost of records that pass a pipe.
//
//   TLSSocket ══ records, in C++ ══ net.Socket
//
// What a TLSSocket keeps to itself there is how the peer has ended: it takes an end of the
// connection for an end of the peer, whether he has said close_notify or not (RFC 8446, 6.1). Each
// of the two comes as push(null), so both together come as two.
//
//   push(null), and the socket is still being read     a close_notify
//   push(null), it is not, and another follows         both: OpenSSL had not looked so far
//   push(null), it is not, and none follows            an end, and no close_notify
//
// Whether it is being read its handle knows: it does not let itself be started twice.

import { abort } from '@striper/core'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createSecureContext, type TLSSocket } from 'node:tls'
import { getSystemErrorName } from 'node:util'

interface Handle {
  reading?: boolean
  readStart?: () => number
  readStop?: () => number
}

const handleOf = (socket: Socket) => (socket as unknown as { _handle?: Handle | null })._handle

/** What a pipe has given up, as the socket that it has to be. */
export function asSocket(given: Duplex): Socket {
  if (given instanceof Socket) return given
  throw new TypeError('a pipe gave up what is no socket of this Node')
}

const known = new Map<string, boolean>()

/** Those of some groups that this Node's OpenSSL has. */
export function knownGroups(names: readonly string[]): readonly string[] {
  return names.filter(name => {
    if (!known.has(name)) known.set(name, hasGroup(name))
    return known.get(name)
  })
}

function hasGroup(name: string): boolean {
  try {
    createSecureContext({ ecdhCurve: name })
    return true
  } catch {
    return false
  }
}

/** Has `cut` called, in place of 'end', where a TLSSocket on `socket` ends without close_notify. */
export function watchEnd(made: TLSSocket, socket: Socket, cut: () => void): void {
  const push = made.push.bind(made)
  let state: 'open' | 'asked' | 'over' = 'open'
  made.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    if (chunk === null && state === 'open' && isAtEnd(made, socket)) {
      state = 'asked'
      // What follows follows in the same turn.
      setImmediate(() => {
        if (state === 'asked' && !made.destroyed) cut()
      })
      return false
    }
    if (chunk === null) state = 'over'
    return push(chunk, encoding)
  }
}

/** To be asked within push(null): whether that came as the connection ended. Where the reader had
 *  stopped it, records that had been read before have brought that. */
function isAtEnd(made: TLSSocket, socket: Socket): boolean {
  const handle = handleOf(socket)
  if (handleOf(made)?.reading === false || !handle?.readStart) return false
  const answer = handle.readStart()
  if (answer === 0) handle.readStop?.()
  return answer === 0 || getSystemErrorName(answer) !== 'EALREADY'
}

/** Has a socket reset where the TLSSocket on it is destroyed before both directions are done. Node
 *  would close it, by destroy(), which the peer takes for an end. */
export function resetUnlessDone(made: TLSSocket, socket: Socket): void {
  socket.destroy = error => {
    Reflect.deleteProperty(socket, 'destroy')
    const done = made.readableEnded && made.writableFinished
    if (done || isShuttingDown(made)) socket.destroy(error)
    else abort(socket)
    return socket
  }
}

/** Destroys a TLSSocket. While its socket is shut down, libuv does not reset it: see abort(). */
export function abortNative(made: TLSSocket): void {
  if (isShuttingDown(made) && !made.destroyed) made.once('finish', () => made.destroy())
  else made.destroy()
}

function isShuttingDown(made: TLSSocket): boolean {
  return made.writableEnded && !made.writableFinished && made.writableLength === 0
}
