// FrameCodec: messages behind their lengths, to chunks and back.
//
//   chunk ──▶ [rest of a message] [message] [message] [beginning of …]
//
// Nothing is copied here but headers. A message that straddles chunks is given in pieces, each a
// view of its chunk, where somebody takes it so; and the loans of these chunks go with it.
//
// Pure.

import { HEAD_BYTES, isSparse, joined, PipeError, pieces, sizeOf, whole } from '@striper/core'
import type { Codec, Loan, Message, SharedLoan } from '@striper/core'

const HEADER_BYTES = 4
/** Pieces at the beginning of a message that have no more bytes than this, all together, are
 *  headers of what stands above: to copy them costs less than to write each by itself. */
const JOINED_BYTES = 64
/** A message in more pieces costs more than a copy, and so does one with fewer bytes. */
const MOST_PIECES = 32
const LEAST_BYTES_IN_PIECES = 4096

/** The codec of `frame`, for a layer of one's own. Pure. */
export class FrameCodec implements Codec {
  readonly #max: number
  readonly #header = Buffer.alloc(HEADER_BYTES)
  #headerBytes = 0 // of it that have come
  #missing = -1 // bytes of the message that is coming; -1 while its header is not here
  #length = 0 // of that message
  #pieces: Buffer[] = [] // of it, those that have come
  #loans: Loan[] = [] // of their memory
  #held = 0 // bytes of that memory
  #last: ArrayBufferLike | undefined // that a piece lies in

  constructor(maxMessageBytes: number) {
    this.#max = maxMessageBytes
  }

  encode(message: Message): readonly Buffer[] {
    const length = sizeOf(message)
    if (length > this.#max) throw this.#tooLong(length)
    const parts = pieces(message)
    let joined = 0
    let end = HEADER_BYTES
    while (joined < parts.length && end + parts[joined]!.length <= HEADER_BYTES + JOINED_BYTES) {
      end += parts[joined++]!.length
    }
    const header = Buffer.allocUnsafe(end)
    header.writeUInt32BE(length)
    let at = HEADER_BYTES
    for (let i = 0; i < joined; i++) at += parts[i]!.copy(header, at)
    return joined === parts.length ? [header] : [header, ...parts.slice(joined)]
  }

  decode(chunk: Buffer, give: (message: Buffer) => void): void {
    this.cut(chunk, undefined, message => give(whole(message)))
  }

  /** As `decode`, but gives messages in pieces where they lie so, and with each a loan where their
   *  chunks have one. */
  cut(
    chunk: Buffer,
    shared: SharedLoan | undefined,
    give: (message: Message, loan: Loan | undefined) => void,
  ): void {
    let at = 0
    for (;;) {
      if (this.#missing < 0) at = this.#readHeader(chunk, at)
      if (this.#missing < 0) return
      const end = Math.min(at + this.#missing, chunk.length)
      this.#missing -= end - at
      if (end > at) this.#hold(chunk.subarray(at, end), shared)
      at = end
      if (this.#missing > 0) return
      this.#missing = -1
      const loans = this.#loans
      const message = toMessage(this.#pieces, loans)
      this.#pieces = []
      if (loans.length > 0) this.#loans = []
      give(message, joined(loans))
    }
  }

  /** Of a message that lies in chunks of which it is a small part, most is copied. */
  #hold(piece: Buffer, shared: SharedLoan | undefined): void {
    const { buffer } = piece
    const more = buffer === this.#last ? 0 : buffer.byteLength
    const isWhole = piece.length === this.#length
    const copies = !isWhole && isSparse(this.#length, this.#held + more)
    this.#pieces.push(copies ? Buffer.from(piece) : piece)
    if (copies) return
    this.#last = buffer
    this.#held += more
    if (shared) this.#loans.push(shared.share())
  }

  /** What has come of a message is of no more use. */
  clear(): void {
    for (const loan of this.#loans) loan.release()
    this.#loans = []
    this.#pieces = []
  }

  finish(): void {
    if (this.#missing < 0 && this.#headerBytes === 0) return
    const missing = this.#missing < 0 ? 'its header' : `${this.#missing} bytes`
    throw new PipeError('ERR_PIPE_TRUNCATED', `ended inside a message, ${missing} missing`)
  }

  /** Reads the header, or what is here of it, and returns where that ends. */
  #readHeader(chunk: Buffer, at: number): number {
    let end = at + HEADER_BYTES
    if (this.#headerBytes === 0 && end <= chunk.length) {
      this.#begin(chunk.readUInt32BE(at))
      return end
    }
    end = Math.min(at + HEADER_BYTES - this.#headerBytes, chunk.length)
    this.#headerBytes += chunk.copy(this.#header, this.#headerBytes, at, end)
    if (this.#headerBytes === HEADER_BYTES) {
      this.#headerBytes = 0
      this.#begin(this.#header.readUInt32BE())
    }
    return end
  }

  #begin(length: number): void {
    if (length > this.#max) throw this.#tooLong(length)
    this.#missing = length
    this.#length = length
    this.#held = 0
    this.#last = undefined
  }

  #tooLong(length: number): PipeError {
    return new PipeError('ERR_PIPE_LIMIT', `message of ${length} bytes, limit ${this.#max}`)
  }
}

/** A message as it is given; where its pieces are joined their loans are over, and taken away. */
function toMessage(parts: Buffer[], loans: Loan[]): Message {
  if (parts.length < 2) return parts[0] ?? EMPTY
  if (parts.length > MOST_PIECES || sizeOf(parts) < LEAST_BYTES_IN_PIECES) {
    const message = whole(parts)
    for (const loan of loans.splice(0)) loan.release()
    return message
  }
  return parts[0]!.length >= HEAD_BYTES ? parts : withHead(parts)
}

/** Copies what the first piece has to have together. */
function withHead(parts: Buffer[]): Message {
  const head = Buffer.allocUnsafe(HEAD_BYTES)
  let bytes = 0
  while (bytes < HEAD_BYTES) {
    const copied = parts[0]!.copy(head, bytes)
    bytes += copied
    if (copied < parts[0]!.length) parts[0] = parts[0]!.subarray(copied)
    else parts.shift()
  }
  return [head, ...parts]
}

const EMPTY = Buffer.alloc(0)
