// How the records of a TLSSocket are read whose bytes may be lent.
//
//   record ──▶ landing, one for all sockets
//                 │ it was not full: that is all; a copy of its own size
//                 └ it was full, as those of a long message are: a large chunk, begun with it;
//                   the records behind it go straight there, until one is not full
//
// Node decrypts a record, of 16 KiB at most, and copies it to where the socket reads. That was set
// aside anew for each, and collecting it as garbage was a fifth of what the reading end cost. What
// is in the chunk is lent when it is full, when a record says that no more follows, and at the end
// of each turn, so that nothing waits there for what may never come.

import { type ChunkLoan, chunks, type Loan, readInto, SharedLoan } from '@striper/core'
import type { TLSSocket } from 'node:tls'

/** The most that a record has (RFC 8446, 5.1), and all that Node gives at once. */
export const RECORD_BYTES = 16 * 1024

const landing = Buffer.allocUnsafeSlow(RECORD_BYTES)

/** Whoever reads from a TLSSocket with loans. */
export interface Reader {
  /** Whether bytes may be lent just now: nobody else would see them. */
  borrows(): boolean
  /** Takes bytes where that was so just before. */
  lend(chunk: Buffer, loan: Loan): void
  /** Takes bytes for good, behind all that it has not read yet; false: it has enough. */
  give(chunk: Buffer): boolean
}

export class Records {
  readonly #reader: Reader
  #chunk: ChunkLoan | undefined // where the next record goes, if not to the landing
  #loan: SharedLoan | undefined // of it
  #filled = 0 // bytes of it
  #given = 0 // of these
  #asked = false // to give the rest at the end of this turn
  #over = false

  constructor(reader: Reader) {
    this.#reader = reader
  }

  /** Has an open socket read so from now on. Where it cannot, nothing changes. */
  start(socket: TLSSocket): void {
    const landed = (bytes: number) => this.#landed(bytes)
    if (!readInto(socket, landing, landed, () => this.#next())) return
    const push = socket.push.bind(socket)
    socket.push = (chunk: unknown, encoding?: BufferEncoding) => {
      if (chunk === null) this.#flush() // behind its end it would take nothing
      return push(chunk, encoding)
    }
  }

  /** Gives what waits. */
  #flush(): boolean {
    if (this.#given === this.#filled) return true
    const bytes = this.#chunk!.memory.subarray(this.#given, this.#filled)
    this.#given = this.#filled
    if (!this.#reader.borrows()) return this.#reader.give(Buffer.from(bytes))
    this.#reader.lend(bytes, this.#loan!.share())
    return true
  }

  /** Nobody wants any more. Node may still write to the chunk, so that is used for nothing else. */
  clear(): void {
    this.#over = true
    this.#given = this.#filled
    this.#loan?.share().keep()
    this.#endChunk()
  }

  #landed(bytes: number): boolean {
    if (this.#over) return true
    const isFull = bytes === RECORD_BYTES && this.#reader.borrows()
    if (this.#chunk) this.#filled += bytes
    else if (isFull) this.#beginChunk()
    else return this.#reader.give(Buffer.from(landing.subarray(0, bytes)))
    if (isFull && this.#filled < chunks.chunkBytes) {
      this.#giveSoon()
      return true
    }
    const more = this.#flush()
    this.#endChunk()
    return more
  }

  /** Where the next record goes. */
  #next(): Buffer {
    return this.#chunk?.memory.subarray(this.#filled) ?? landing
  }

  #beginChunk(): void {
    this.#chunk = chunks.take()
    this.#loan = new SharedLoan(this.#chunk)
    this.#filled = landing.copy(this.#chunk.memory)
    this.#given = 0
  }

  #endChunk(): void {
    this.#loan?.done()
    this.#chunk = this.#loan = undefined
    this.#filled = this.#given = 0
  }

  #giveSoon(): void {
    if (this.#asked) return
    this.#asked = true
    setImmediate(() => {
      this.#asked = false
      this.#flush()
    })
  }
}
