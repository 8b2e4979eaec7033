// How a socket is read whose chunks may be lent.
//
//   system ── a little ──▶ landing, one for all sockets
//                             │ it was not full: that is all; a copy of its own size
//                             └ it was full: a large chunk, begun with these bytes,
//                               and one more read for all else that waits
//
// Memory has to be set aside for a socket before its data comes. So each has the landing, which
// costs an idle one nothing, and a large chunk is taken only when there is something to fill it.
// What is copied is the landing: small messages, and the first bytes of large reads.

import { chunks, compact, descriptorOf, type Loan, NO_BYTES } from '@striper/core'
import { ownerOf, readInto } from '@striper/core'
import { readSync } from 'node:fs'
import type { Socket } from 'node:net'

/** No common size of a block: behind one that fills it exactly there is nothing to read. */
export const LANDING_BYTES = 6 * 1024
/** With the headers of a parcel no more than 256 KiB, and so than a chunk has. */
const READ_BYTES = 255 * 1024
/** What is not lent has fresh memory, of which a large piece costs more than a second read. */
const OWN_BYTES = 64 * 1024

const landing = Buffer.allocUnsafeSlow(LANDING_BYTES)

/** What all sockets of this thread that can lend have read so far, in bytes. */
export interface ReadStats {
  /** All that was read. */
  bytes: number
  /** How much of it was copied into a chunk after it had been read. */
  copiedBytes: number
  /** How much of it was lent. */
  lentBytes: number
}

const stats: ReadStats = { bytes: NO_BYTES, copiedBytes: NO_BYTES, lentBytes: NO_BYTES }

/** Counters of this thread that only rise, and how many chunks are lent and free just now. */
export function readStats(): Readonly<ReadStats> & { lentChunks: number; freeChunks: number } {
  return { ...stats, lentChunks: chunks.lent, freeChunks: chunks.free }
}

/** Whoever reads from a socket with loans. */
export interface Owner {
  /** Whether the next chunk may be lent: nobody else would see it. */
  readonly lends: boolean
  /** Takes a chunk where `lends` was true just before. */
  lend(chunk: Buffer, loan: Loan | undefined): void
}

/** Has an open socket read for its owner, which has to be an `Owner` as is here: what may not be
 *  lent goes into the socket's own buffer, and comes by 'data'. Returns false, and changes nothing,
 *  where the socket cannot do so. */
export function readForOwner(socket: Socket): boolean {
  // The system of Windows may hold on to a buffer; of TLS the descriptor has no bytes for us.
  if (process.platform === 'win32' || 'encrypted' in socket) return false
  return descriptorOf(socket) !== undefined && readInto(socket, landing, landed)
}

function landed(this: Socket, bytes: number): boolean {
  const owner = ownerOf(this) as Owner | undefined // none any more where it has stood aside
  const small = bytes < LANDING_BYTES
  stats.bytes += bytes
  stats.copiedBytes += bytes
  if (!owner?.lends) return this.push(small ? copyOfLanding(bytes) : readAll(this))
  if (small) owner.lend(copyOfLanding(bytes), undefined)
  else lendAll(this, owner)
  if (!small) takeTurns(this)
  return small
}

const resting: Socket[] = []

/** Lets a socket that has just had a large chunk go on when all others have had their turn: the
 *  system would be asked at once whether there is more, which would be little, up to 32 times. */
function takeTurns(socket: Socket): void {
  if (resting.push(socket) === 1) setImmediate(goOn)
}

function goOn(): void {
  for (const socket of resting.splice(0)) if (!socket.isPaused()) socket.resume()
}

function copyOfLanding(bytes: number): Buffer {
  const copy = Buffer.allocUnsafe(bytes)
  landing.copy(copy, 0, 0, bytes)
  return copy
}

function lendAll(socket: Socket, owner: Owner): void {
  const loan = chunks.take()
  const bytes = fill(socket, loan.memory, READ_BYTES)
  stats.lentBytes += bytes
  owner.lend(loan.memory.subarray(0, bytes), loan)
}

function readAll(socket: Socket): Buffer {
  const memory = Buffer.allocUnsafeSlow(OWN_BYTES)
  return compact(memory.subarray(0, fill(socket, memory, OWN_BYTES)))
}

/** Fills memory with the landing and what else there is, up to `most` bytes; how many that is. */
function fill(socket: Socket, memory: Buffer, most: number): number {
  landing.copy(memory)
  try {
    const more = readMore(socket, memory, most)
    stats.bytes += more
    return LANDING_BYTES + more
  } catch (error) {
    // Said once by the system, so Node would never hear of it. Not before the bytes are given.
    process.nextTick(() => socket.destroy(error as Error))
    return LANDING_BYTES
  }
}

/** Reads what else there is just now behind the landing: how many bytes, 0 where there is nothing,
 *  or the end. Throws the system's error. */
function readMore(socket: Socket, memory: Buffer, most: number): number {
  const fd = descriptorOf(socket)
  if (fd === undefined) return 0
  try {
    return readSync(fd, memory, LANDING_BYTES, most - LANDING_BYTES, null)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0
    throw error
  }
}
