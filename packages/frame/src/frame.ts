// frame: gives a byte pipe borders.
//
//   ┌─────────────┬──────────────────┐
//   │ length  u32 │ length bytes     │   big-endian; a length of 0 is an empty message
//   └─────────────┴──────────────────┘
//
// A message that lies in one chunk from below is a view of it. One that straddles chunks is copied
// for a reader, and comes in pieces to a borrower.

import { isLender, labelOf, Lending, PassingPipe, pieces, PipeError } from '@striper/core'
import { SharedLoan, whole } from '@striper/core'
import type { Borrower, ByteDuplex, Layer, Lender, Loan, Message } from '@striper/core'
import type { MessagePipe } from '@striper/core'
import { FrameCodec } from './codec.ts'

/** 512 KiB of payload, and room for the headers of whatever stands above. */
const DEFAULT_MAX_MESSAGE_BYTES = 513 * 1024
const LARGEST_MAX_MESSAGE_BYTES = 16 * 1024 * 1024

export interface FrameOptions {
  /** The largest message either way, in bytes: 1 to 16 MiB, default 513 KiB. A longer one destroys
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

class FramePipe extends PassingPipe<'messages'> implements Borrower, Lender {
  readonly maxMessageBytes: number
  readonly #codec: FrameCodec
  readonly #lending = new Lending(this)
  readonly #giveMessage = (message: Message, loan: Loan | undefined): void => {
    if (this.#lending.lend(message, loan)) return
    if (!this.deliver(whole(message))) this.lower.pause()
  }

  constructor(below: ByteDuplex, maxMessageBytes: number) {
    const codec = new FrameCodec(maxMessageBytes)
    super(below, { kind: 'messages', label: `frame(${labelOf(below)})`, codec })
    this.maxMessageBytes = maxMessageBytes
    this.#codec = codec
  }

  get preferredMessageBytes(): number {
    return this.maxMessageBytes
  }

  /** Lends messages, in pieces where they lie so, with loans where it has borrowed itself. */
  lendTo(borrower: Borrower | undefined): void {
    this.#lending.borrower = borrower
    if (isLender(this.lower)) this.lower.lendTo(borrower && this)
  }

  /** For the pipe below. */
  borrow(chunk: Message, loan: Loan | undefined): void {
    const shared = loan && new SharedLoan(loan)
    for (const piece of pieces(chunk)) this.#cut(piece, shared)
    shared?.done()
  }

  protected override receive(chunk: Buffer): void {
    this.#cut(chunk, undefined)
  }

  #cut(chunk: Buffer, shared: SharedLoan | undefined): void {
    if (this.destroyed) return
    try {
      this.#codec.cut(chunk, shared, this.#giveMessage)
    } catch (error) {
      this.destroy(PipeError.from(error, this.label))
    }
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#codec.clear()
    super._destroy(error, done)
  }
}
