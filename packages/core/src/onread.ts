// The seam to what Node keeps to itself: a socket that reads into memory of ours.
//
// A socket of Node reads into 64 KiB that it sets aside anew each time, and one with TLS into as
// much for each record. The option `onread` of `net.connect` makes it read into a given buffer. One
// that was accepted, or has TLS, has no such option, but has all that stands behind it. Where
// something is missing, or is another thing, that is found out, and the socket reads as ever.

import type { Socket } from 'node:net'

interface Handle {
  readonly fd?: number
  onread?: (this: Handle, bytes: unknown) => unknown
  useUserBuffer?: (buffer: Uint8Array) => void
}

interface Fields {
  _handle?: Handle | null
  _unrefTimer?: () => void
  [field: symbol]: unknown
}

/** Takes what has been read; `this` is the socket, so that one function serves all. */
export type OnRead = (this: Socket, bytes: number) => boolean

/** The fields of a socket in which Node keeps the buffer of `onread`, its callback, and what gives
 *  the next buffer. */
let fields: { buffer: symbol; callback: symbol; generator: symbol } | undefined
/** Those that say when there is something. */
const telling = new WeakSet<Socket>()

/**
 * Makes an open socket read into `buffer`, which many sockets may share: each read is over when
 * `onRead` returns. That function gets how many bytes there are, and answers whether it wants more;
 * false stops the reading until the socket is resumed, or read. `next` is asked after it for
 * another buffer in place of the last; undefined: the same again. Returns false, and changes
 * nothing, where this is not to be had. There is no way back for a socket.
 */
export function readInto(
  socket: Socket,
  buffer: Uint8Array,
  onRead: OnRead,
  next: (() => Uint8Array | undefined) | null = null,
): boolean {
  const inside = socket as unknown as Fields
  const handle = inside._handle
  if (!handle?.useUserBuffer) return false
  fields ??= fieldsOf(socket)
  if (!fields || inside[fields.buffer] !== null) return false
  inside[fields.buffer] = buffer
  inside[fields.callback] = onRead
  inside[fields.generator] = next
  handle.useUserBuffer(buffer)
  return true
}

/** Has a socket of `readInto` say when there is something to read, in place of reading, each time
 *  that its buffer is empty: then the system is not asked. (To libuv the empty buffer is one that
 *  is not to be had, ENOBUFS, and it leaves all as it is.) `readable` may read the descriptor
 *  itself, and answers with another buffer; undefined: the same again. Returns false, and changes
 *  nothing, where this is not to be had. To ask again for a socket does nothing more. */
export function tellReadable(
  socket: Socket,
  readable: (this: Socket) => Uint8Array | undefined,
): boolean {
  if (telling.has(socket)) return true
  const inside = socket as unknown as Fields
  const handle = inside._handle
  const { buffer } = fields!
  const read = handle?.onread
  if (!handle || !read) return false
  telling.add(socket)
  handle.onread = bytes => {
    if ((inside[buffer] as Uint8Array).length > 0) return read.call(handle, bytes)
    if (socket.destroyed) return undefined
    inside._unrefTimer?.() // as Node does
    const next = readable.call(socket)
    if (next) inside[buffer] = next
    return next
  }
  return true
}

/** The descriptor of an open socket; undefined where it has none, or none that can be read. */
export function descriptorOf(socket: Socket): number | undefined {
  const fd = (socket as unknown as Fields)._handle?.fd
  return fd !== undefined && fd >= 0 ? fd : undefined
}

function fieldsOf(socket: Socket): typeof fields {
  const named = (name: string) =>
    Object.getOwnPropertySymbols(socket).find(symbol => symbol.description === name)
  const [buffer, callback, generator] = ['kBuffer', 'kBufferCb', 'kBufferGen'].map(named)
  return buffer && callback && generator && { buffer, callback, generator }
}
