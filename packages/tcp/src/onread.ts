// The seam to what Node keeps to itself: a socket that reads into memory of ours.
//
// A socket of Node reads into 64 KiB that it sets aside anew each time. The option `onread` of
// `net.connect` makes it read into a given buffer. One that was accepted has no such option, but
// has all that stands behind it. Where something is missing, or is another thing (Windows, where
// the system may hold on to a buffer; TLS), that is found out, and the socket reads as ever.

import { readSync } from 'node:fs'
import type { Socket } from 'node:net'

interface Handle {
  readonly fd?: number
  useUserBuffer?: (buffer: Uint8Array) => void
}

interface Fields {
  _handle?: Handle | null
  [field: symbol]: unknown
}

/** Takes what has been read; `this` is the socket, so that one function serves all. */
export type OnRead = (this: Socket, bytes: number) => boolean

/** The fields of a socket in which Node keeps the buffer of `onread` and its callback. */
let fields: { buffer: symbol; callback: symbol } | undefined

/**
 * Makes an open socket read into `buffer`, which many sockets may share: each read is over when
 * `onRead` returns. That function gets how many bytes there are, and answers whether it wants more;
 * false stops the reading until the socket is resumed, or read. Returns false, and changes nothing,
 * where this is not to be had. There is no way back for a socket.
 */
export function readInto(socket: Socket, buffer: Uint8Array, onRead: OnRead): boolean {
  const inside = socket as unknown as Fields
  const handle = inside._handle
  if (process.platform === 'win32' || 'encrypted' in socket) return false
  if (!handle?.useUserBuffer || typeof handle.fd !== 'number' || handle.fd < 0) return false
  fields ??= fieldsOf(socket)
  if (!fields || inside[fields.buffer] !== null) return false
  inside[fields.buffer] = buffer
  inside[fields.callback] = onRead
  handle.useUserBuffer(buffer)
  return true
}

/** Reads what else there is just now into `buffer`, from `offset` on: how many bytes, 0 where there
 *  is nothing, or the end. Throws the system's error. For sockets that `readInto` made. */
export function readMore(socket: Socket, buffer: Uint8Array, offset: number): number {
  const fd = (socket as unknown as Fields)._handle?.fd
  if (fd === undefined || fd < 0) return 0
  try {
    return readSync(fd, buffer, offset, buffer.length - offset, null)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0
    throw error
  }
}

function fieldsOf(socket: Socket): typeof fields {
  const named = (name: string) =>
    Object.getOwnPropertySymbols(socket).find(symbol => symbol.description === name)
  const [buffer, callback] = [named('kBuffer'), named('kBufferCb')]
  return buffer && callback && { buffer, callback }
}
