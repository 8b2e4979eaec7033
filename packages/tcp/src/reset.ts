// A reset that libuv takes for an end.
//
// Where data and a reset wait in the kernel together, because the reader was paused or just not
// quick enough, libuv reads the data, sees that the other side has hung up, and reports an end
// without reading on to the error: half an upload would look like a whole one. The kernel keeps the
// error for whoever reads once more, so we do.

import { readSync, writeSync } from 'node:fs'

const aByte = new Uint8Array(1)
const nothing = new Uint8Array(0)

/** To be asked when a socket has emitted 'end', before it is destroyed: the error behind that end,
 *  or undefined where it was an end. Knows nothing where the handle has no descriptor (Windows,
 *  where libuv does not do this) and of TLS sockets. */
export function resetBehindEnd(socket: object): Error | undefined {
  const handle = (socket as { _handle?: { fd?: number } | null })._handle
  const fd = handle?.fd
  if (fd === undefined || fd < 0 || 'encrypted' in socket) return undefined
  try {
    readSync(fd, aByte) // 0 at an end, at once
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? undefined : (error as Error)
  }
}

/** The same, where a write may have met with the reset before, and nobody have heard of it: then
 *  the error is gone, and only writing is refused. To be asked of a socket that has not been ended
 *  at this side. */
export function resetBehindWrite(socket: object): Error | undefined {
  const fd = (socket as { _handle?: { fd?: number } | null })._handle?.fd
  if (fd === undefined || fd < 0) return undefined
  try {
    writeSync(fd, nothing)
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? undefined : (error as Error)
  }
}
