// frame: gives a byte pipe borders.
//
//   ┌─────────────┬──────────────────┐
//   │ length  u32 │ length bytes     │   big-endian; a length of 0 is an empty message
//   └─────────────┴──────────────────┘
//
// A message that lies in one chunk from below is a view of it; only one that straddles chunks is
// copied, for a borrower into memory that is used again.

import { ByteQueue, ChunkStock, isLender, labelOf, Lending, PipeError, pieces } from '@striper/core'
import { SharedLoan, sizeOf, WrapPipe } from '@striper/core'
import type { Borrower, ByteDuplex, Codec, Layer, Lender, Loan } from '@striper/core'
import type { Message, MessagePipe } from '@striper/core'

const HEADER_BYTES = 4
/** Pieces at the beginning of a message that have no more bytes than this, all together, are
 *  headers of what stands above: to copy them costs less than to write each by itself. */
const JOINED_BYTES = 64

/** 64 KiB of payload, and room for the headers of whatever stands above. */
const DEFAULT_MAX_MESSAGE_BYTES = 65 * 1024
const LARGEST_MAX_MESSAGE_BYTES = 16 * 1024 * 1024

/** A message that straddles chunks is joined in memory that is used again, where somebody borrows
 *  it: fresh memory costs a garbage collection for every few hundred of them. A smaller one has
 *  memory of its own size, or whoever keeps it would keep much more; a larger one as well. */
const JOINED_CHUNK_BYTES = 66 * 1024
const LEAST_JOINED_BYTES = 32 * 1024
/** The chunks of all frames of this thread. */
export const joinedChunks = new ChunkStock(JOINED_CHUNK_BYTES, 16)

export interface FrameOptions {
  /** The largest message either way, in bytes: 1 to 16 MiB, default 65 KiB. A longer one destroys
   *  the pipe with ERR_PIPE_LIMIT, at the end that writes it or, before it takes memory, at the end
   *  that reads its length. */
  maxMessageBytes?: number
}

/** Length-prefixed messages over a byte pipe. An end of the pipe below inside a message is
 *  ERR_PIPE_TRUNCATED. */
export function frame(options: FrameOptions = {}): Layer<ByteDuplex, MessagePipe> {
  const { maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES } = options
  if (!(maxMessageBytes >= 1 && maxMessageBytes <= LARGEST_MAX_MESSAGE_BYTES)) {
    throw new RangeError(
      `maxMessageBytes must be 1..${LARGEST_MAX_MESSAGE_BYTES}, got ${maxMessageBytes}`,
    )
  }
  return below => new FramePipe(below, maxMessageBytes)
}

class FramePipe extends WrapPipe<'messages'> implements Borrower, Lender {
  readonly maxMessageBytes: number
  readonly #codec: FrameCodec
  readonly #lending = new Lending(this)
  #lent: { memory: ArrayBufferLike; shared: SharedLoan } | undefined // the chunk that is being read
  #joined: Loan | undefined // of the message that was joined just now
  #begun: SharedLoan[] = [] // chunks in which the message lies that is not complete

  constructor(below: ByteDuplex, maxMessageBytes: number) {
    const label = `frame(${labelOf(below)})`
    const codec = new FrameCodec(maxMessageBytes, bytes => this.#allocate(bytes))
    super(below, { kind: 'messages', label, codec })
    this.maxMessageBytes = maxMessageBytes
    this.#codec = codec
  }

  /** Lends the messages that lie in chunks which it has borrowed itself. */
  lendTo(borrower: Borrower | undefined): void {
    this.#lending.borrower = borrower
    if (isLender(this.lower)) this.lower.lendTo(borrower && this)
  }

  /** For the pipe below. */
  borrow(chunk: Buffer, loan: Loan | undefined): void {
    if (loan === undefined) return this.receive(chunk)
    const shared = new SharedLoan(loan)
    this.#lent = { memory: chunk.buffer, shared }
    this.receive(chunk)
    this.#lent = undefined
    if (this.#codec.waiting > 0 && !this.destroyed) this.#begun.push(shared)
    else shared.done()
  }

  protected override receive(chunk: Buffer): void {
    super.receive(chunk)
    if (this.#begun.length > 0 && this.#codec.waiting <= chunk.length) this.#letGo()
  }

  protected override deliver(message: Buffer): boolean {
    const loan = this.#loanOf(message)
    return this.#lending.lend(message, loan) || super.deliver(message)
  }

  /** What lies in two chunks is joined, in memory that is used again as well. */
  #allocate(bytes: number): Buffer {
    const fits = bytes >= LEAST_JOINED_BYTES && bytes <= JOINED_CHUNK_BYTES
    if (!fits || this.#lending.borrower === undefined) return Buffer.allocUnsafe(bytes)
    const chunk = joinedChunks.take()
    this.#joined = chunk
    return chunk.memory.subarray(0, bytes)
  }

  #loanOf(message: Buffer): Loan | undefined {
    const joined = this.#joined
    this.#joined = undefined
    if (joined) return joined
    const lent = this.#lent
    return lent && message.buffer === lent.memory ? lent.shared.share() : undefined
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#letGo()
    super._destroy(error, done)
  }

  #letGo(): void {
    const begun = this.#begun
    this.#begun = []
    for (const shared of begun) shared.done()
  }

  get preferredMessageBytes(): number {
    return this.maxMessageBytes
  }
}

/** The codec of `frame`, for a layer of one's own. Pure. */
export class FrameCodec implements Codec {
  readonly #max: number
  readonly #allocate: ((bytes: number) => Buffer) | undefined
  readonly #queue = new ByteQueue()
  #length = -1 // of the message that is coming; -1 while its header is not here

  /** `allocate` gives the memory of a message that comes in parts. */
  constructor(maxMessageBytes: number, allocate?: (bytes: number) => Buffer) {
    this.#max = maxMessageBytes
    this.#allocate = allocate
  }

  /** Bytes of a message that is not complete, its header not counted. */
  get waiting(): number {
    return this.#queue.length
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
    const queue = this.#queue
    const rest = queue.length > 0 || this.#length >= 0 ? chunk : this.#decodeWhole(chunk, give)
    queue.push(rest)
    for (;;) {
      if (this.#length < 0) {
        if (queue.length < HEADER_BYTES) return
        const length = queue.take(HEADER_BYTES).readUInt32BE()
        if (length > this.#max) throw this.#tooLong(length)
        this.#length = length
      }
      if (queue.length < this.#length) return
      const message = queue.take(this.#length, this.#allocate)
      this.#length = -1
      give(message)
    }
  }

  /** Gives the messages that lie whole in a chunk, and returns what is behind them. */
  #decodeWhole(chunk: Buffer, give: (message: Buffer) => void): Buffer {
    let at = 0
    while (at + HEADER_BYTES <= chunk.length) {
      const length = chunk.readUInt32BE(at)
      if (length > this.#max) throw this.#tooLong(length)
      const end = at + HEADER_BYTES + length
      if (end > chunk.length) break
      give(chunk.subarray(at + HEADER_BYTES, end))
      at = end
    }
    return at === 0 ? chunk : chunk.subarray(at)
  }

  finish(): void {
    if (this.#length < 0 && this.#queue.length === 0) return
    const missing = this.#length < 0 ? 'its header' : `${this.#length - this.#queue.length} bytes`
    throw new PipeError('ERR_PIPE_TRUNCATED', `ended inside a message, ${missing} missing`)
  }

  #tooLong(length: number): PipeError {
    return new PipeError('ERR_PIPE_LIMIT', `message of ${length} bytes, limit ${this.#max}`)
  }
}
