// How a socket is read whose chunks may be lent.
//
//   system ── a little ──▶ landing, one for all sockets
//                             │ it was not full: that is all; a copy of its own size
//                             └ it was full: a part of a large chunk, begun with these
//                               bytes, and one more read for all else that waits
//
// Memory has to be set aside for a socket before its data comes. So each has the landing, which
// costs one that is idle nothing, until that was full. From then on it only says that there is
// something to read: then all that waits is read into a large chunk, behind what others have there;
// into a larger one where the last read filled one, for each read costs the same. A read that
// brings little takes it back to the landing. What is copied is the landing: small messages, and
// the first bytes of a large one.

import { chunks, compact, descriptorOf, largeChunks, type Loan } from '@striper/core'
import { NO_BYTES, ownerOf, readInto, tellReadable } from '@striper/core'
import { readSync } from 'node:fs'
import type { Socket } from 'node:net'
import { Cutter, type OpenChunk } from './cutter.ts'

/** No common size of a block: behind one that fills it exactly there is nothing to read. */
export const LANDING_BYTES = 6 * 1024
/** Less than a chunk has by the headers of a parcel, so that one lies in one. */
const HEADERS_BYTES = 1024
/** Behind a read that leaves less room than this a chunk has no further one, which might be cut. */
const LEAST_ROOM_BYTES = 128 * 1024
/** What is not lent has fresh memory, of which a large piece costs more than a second read. */
const OWN_BYTES = 64 * 1024

const landing = Buffer.allocUnsafeSlow(LANDING_BYTES)
/** In place of the landing, for a socket that is only to say that there is something. */
const NOWHERE = landing.subarray(0, 0)
let next: Buffer | undefined // for the socket that has just read
const cutter = new Cutter(chunks, LEAST_ROOM_BYTES)
const largeCutter = new Cutter(largeChunks, LEAST_ROOM_BYTES)
/** Those that filled what there was of a chunk when they were read last. */
const pouring = new WeakSet<Socket>()

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
  return { ...stats, ...countChunks() }
}

function countChunks() {
  const stocks = [chunks, largeChunks]
  const count = (of: 'lent' | 'free') => stocks.reduce((sum, stock) => sum + stock[of], 0)
  return { lentChunks: count('lent'), freeChunks: count('free') }
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
  if (descriptorOf(socket) === undefined) return false
  return readInto(socket, landing, landed, takeNext)
}

function takeNext(): Buffer | undefined {
  const buffer = next
  next = undefined
  return buffer
}

/** So many bytes are in the landing. */
function landed(this: Socket, bytes: number): boolean {
  const owner = ownerOf(this) as Owner | undefined // none any more where it has stood aside
  const small = bytes < LANDING_BYTES
  stats.bytes += bytes
  stats.copiedBytes += bytes
  if (!owner?.lends) return this.push(small ? copyOfLanding(bytes) : readAll(this))
  if (small) {
    owner.lend(copyOfLanding(bytes), undefined)
  } else {
    const open = cutter.open()
    lendCut(owner, open, fill(this, open.memory, open.filled, endOfRead(open)))
    if (!this.destroyed && tellReadable(this, readable)) next = NOWHERE
  }
  return true
}

/** There is something to read. */
function readable(this: Socket): Buffer | undefined {
  const owner = ownerOf(this) as Owner | undefined
  if (!owner?.lends) return landing
  const open = (pouring.has(this) ? largeCutter : cutter).open()
  const { memory, filled } = open
  const end = endOfRead(open)
  const bytes = read(this, memory, filled, end)
  stats.bytes += bytes ?? 0
  if (bytes !== undefined && bytes >= LANDING_BYTES) {
    if (filled + bytes === end) pouring.add(this)
    else if (bytes < chunks.chunkBytes) pouring.delete(this)
    lendCut(owner, open, bytes)
    return undefined
  }
  const copy = Buffer.from(memory.subarray(filled, filled + (bytes ?? 0)))
  open.leave()
  if (bytes === undefined) return undefined // it is not here yet
  stats.copiedBytes += bytes
  if (bytes > 0) owner.lend(copy, undefined)
  return landing // of an end Node hears there
}

/** Where in a chunk a read ends at the latest. */
function endOfRead({ memory, filled }: OpenChunk): number {
  return Math.min(filled + memory.length - HEADERS_BYTES, memory.length)
}

function lendCut(owner: Owner, open: OpenChunk, bytes: number): void {
  stats.lentBytes += bytes
  const { chunk, loan } = open.cut(bytes)
  owner.lend(chunk, loan)
}

function copyOfLanding(bytes: number): Buffer {
  const copy = Buffer.allocUnsafe(bytes)
  landing.copy(copy, 0, 0, bytes)
  return copy
}

function readAll(socket: Socket): Buffer {
  const memory = Buffer.allocUnsafeSlow(OWN_BYTES)
  return compact(memory.subarray(0, fill(socket, memory, 0, OWN_BYTES)))
}

/** Fills memory between two places with the landing, and what else there is; how many bytes. */
function fill(socket: Socket, memory: Buffer, from: number, to: number): number {
  landing.copy(memory, from)
  const more = read(socket, memory, from + LANDING_BYTES, to) ?? 0
  stats.bytes += more
  return LANDING_BYTES + more
}

/** Reads what there is just now to between two places of memory: how many bytes, 0 at the end,
 *  undefined where there is nothing yet. */
function read(socket: Socket, memory: Buffer, from: number, to: number): number | undefined {
  const fd = descriptorOf(socket)
  if (fd === undefined) return undefined
  try {
    return readSync(fd, memory, from, to - from, null)
  } catch (error) {
    // Said once by the system, so Node would never hear of it. Not before the bytes are given.
    const isFailure = (error as NodeJS.ErrnoException).code !== 'EAGAIN'
    if (isFailure) process.nextTick(() => socket.destroy(error as Error))
    return undefined
  }
}
