// reassemble: one ordered byte pipe over parcels that arrive in any order.
//
//   write ──▶ Outgoing ── DATA, END ──▶ ┌───────┐ ◀── DATA, END ── the far end's Outgoing
//                                       │ below │
//   read  ◀── Incoming ◀─ DATA, END ─── └───────┘ ─── CREDIT ────▶ as our reader reads
//
// What is below is never paused: the bytes that everybody waits for may be behind those that nobody
// wants yet. Credit bounds what waits here instead. It knows parcels, and so a message pipe as
// well; of lanes it knows nothing.

import { afterReady, isLender, labelOf, logger, LoanPipe, pieces, PipeError } from '@striper/core'
import { writeLent } from '@striper/core'
import type { Borrower, Done, Layer, Loan, Message, ParcelPipe } from '@striper/core'
import { Lent } from './lent.ts'
import { Incoming } from './pure/incoming.ts'
import { Outgoing } from './pure/outgoing.ts'
import {
  BLOCKED,
  CREDIT,
  DATA,
  decode,
  encodeHeader,
  END,
  HEADER_BYTES,
  INITIAL_CREDIT,
} from './pure/wire.ts'

const log = logger('reassemble')

const DEFAULT_WINDOW_BYTES = 16 * 1024 * 1024
const LARGEST_WINDOW_BYTES = 1024 * 1024 * 1024

export interface ReassembleOptions {
  /** What may wait at this end, for its reader or for bytes before it, at most, in bytes: 64 KiB to
   *  1 GiB, default 16 MiB. The window begins with 4 MiB and grows as the network needs. The stream
   *  is no faster than the window for each round trip. */
  windowBytes?: number
}

/**
 * One ordered byte pipe over a parcel or message pipe, at whose other end is another `reassemble`.
 * An end of the pipe below before the stream's own is ERR_PIPE_TRUNCATED; a peer that sends beyond
 * its credit gets ERR_PIPE_LIMIT. Destroying it before its time destroys the pipe below, whose peer
 * then sees an abort.
 */
export function reassemble(options: ReassembleOptions = {}): Layer<ParcelPipe, ReassemblePipe> {
  const { windowBytes = DEFAULT_WINDOW_BYTES } = options
  if (!(windowBytes >= INITIAL_CREDIT && windowBytes <= LARGEST_WINDOW_BYTES)) {
    throw new RangeError(
      `windowBytes must be ${INITIAL_CREDIT}..${LARGEST_WINDOW_BYTES}, got ${windowBytes}`,
    )
  }
  return below => new ReassemblePipe(below, windowBytes)
}

/** What waits at the receiving end of a stream, in bytes. */
export interface ReassembleStats {
  /** For its reader, or for bytes before it. */
  readonly heldBytes: number
  /** The most that ever waited for bytes before it. */
  readonly peakHeldBytes: number
  /** What may wait now. */
  readonly windowBytes: number
}

/** The pipe that `reassemble` makes. */
export class ReassemblePipe extends LoanPipe<'bytes'> {
  readonly #lower: ParcelPipe
  readonly #outgoing = new Outgoing()
  readonly #incoming: Incoming
  readonly #loans = new Map<number, Loan>() // of parcels that wait, by offset
  readonly #lent = new Lent()
  #held: Done | undefined // the callback of a write whose bytes are not all sent
  #finishing: Done | undefined // the callback of end(), while END is not sent
  #endSent = false
  #wanted = false // whether the reader wants more
  #endGiven = false

  constructor(lower: ParcelPipe, windowBytes: number) {
    super({ kind: 'bytes', label: `reassemble(${labelOf(lower)})`, below: [lower] })
    this.#lower = lower
    this.#incoming = new Incoming(windowBytes)
    lower.on('error', error => this.destroy(PipeError.from(error, this.label)))
    lower.on('close', () => this.#lowerClosed())
    lower.on('end', () => this.#lowerEnded())
    lower.on('drain', () => this.#pump())
    lower.on('data', (message: Buffer) => this.#receive(message))
  }

  /** What waits at this end. */
  get reassembleStats(): ReassembleStats {
    const { held: heldBytes, peakHeld: peakHeldBytes, window: windowBytes } = this.#incoming
    return { heldBytes, peakHeldBytes, windowBytes }
  }

  /** Lends bytes that came in parcels which are lent. Nothing is then read ahead. */
  override lendTo(borrower: Borrower | undefined): void {
    super.lendTo(borrower)
    if (!isLender(this.#lower)) return
    this.#lower.lendTo(borrower && { borrow: (message, loan) => this.#receive(message, loan) })
  }

  override resume(): this {
    super.resume()
    if (this.lending.borrower) this.#release()
    return this
  }

  protected override open(done: Done): void {
    afterReady(this.#lower, done)
    this.#grant()
  }

  protected override cancel(): void {
    this.#lower.destroy()
  }

  override _write(chunk: Buffer, _encoding: string, done: Done): void {
    this._writev([{ chunk }], done)
  }

  override _writev(writes: { chunk: unknown }[], done: Done): void {
    for (const write of writes) {
      const chunk = write.chunk as Buffer
      this.accept(chunk)
      this.#outgoing.write(chunk)
      this.#lent.write(chunk.length, this.written.take(chunk))
    }
    this.#held = done
    this.#pump()
  }

  override _final(done: Done): void {
    this.#finishing = done
    this.#pump()
  }

  override _read(): void {
    this.#wanted = true
    this.#release()
  }

  override _destroy(error: Error | null, done: Done): void {
    const aborted = error ?? new PipeError('ERR_PIPE_ABORTED', 'destroyed', { label: this.label })
    this.#held?.(aborted)
    this.#held = undefined
    for (const loan of this.#loans.values()) loan.release() // nobody has seen the bytes
    this.#loans.clear()
    this.#lent.clear()
    this.written.keep()
    const lower = this.#lower
    if (lower.closed) return done(error)
    lower.once('close', () => done(error))
    if (!this.complete) lower.destroy()
  }

  /** Sends what credit and the pipe below allow, then what waited for that. */
  #pump(): void {
    if (this.destroyed) return
    const lower = this.#lower
    const outgoing = this.#outgoing
    this.#grant()
    while (outgoing.ready && !lower.writableNeedDrain) {
      const { offset } = outgoing
      const bytes = outgoing.next(lower.preferredMessageBytes - HEADER_BYTES)!
      const loan = this.#lent.share(offset, outgoing.offset)
      const message = [encodeHeader(DATA, offset), ...bytes]
      writeLent(lower, message, loan)
    }
    const blocked = lower.writableNeedDrain ? undefined : outgoing.takeBlocked()
    if (blocked !== undefined) lower.write(encodeHeader(BLOCKED, blocked))
    if (outgoing.queued > 0) return
    const held = this.#held
    this.#held = undefined
    held?.()
    if (this.#finishing && outgoing.queued === 0) this.#sendEnd(this.#finishing)
  }

  #sendEnd(done: Done): void {
    this.#finishing = undefined
    this.#endSent = true
    this.#lower.write(encodeHeader(END, this.#outgoing.offset), error => {
      done(error && PipeError.from(error, this.label))
    })
    this.#endLower()
  }

  #receive(message: Message, loan?: Loan): void {
    if (this.destroyed) return loan?.release()
    try {
      const parcel = decode(message)
      if (parcel.type === DATA) {
        const held = this.#incoming.data(parcel.offset, parcel.bytes)
        if (loan && held) this.#loans.set(parcel.offset, loan)
        else loan?.release()
      } else loan?.release()
      if (parcel.type === END) this.#incoming.end(parcel.offset)
      else if (parcel.type === CREDIT) this.#outgoing.credit(parcel.offset)
      else if (parcel.type === BLOCKED && this.#wants) this.#incoming.blocked(parcel.offset)
      if (parcel.type === CREDIT) this.#pump()
      else this.#release()
    } catch (error) {
      this.destroy(PipeError.from(error, this.label))
    }
  }

  /** Whether the reader waits. What is read ahead of a borrower that has paused is not lent. */
  get #wants(): boolean {
    return this.#wanted && (this.lending.borrower === undefined || !this.isPaused())
  }

  /** Gives the reader what is in order, as far as it wants it. */
  #release(): void {
    const incoming = this.#incoming
    while (this.#wants && !this.destroyed) {
      const { offset } = incoming
      const bytes = incoming.next()
      if (bytes === undefined) {
        incoming.wanting()
        break
      }
      const loan = this.#loans.get(offset)
      if (loan) this.#loans.delete(offset)
      this.#wanted = this.lending.lend(bytes, loan) || this.#deliverAll(bytes)
    }
    if (incoming.ended && !this.#endGiven) {
      this.#endGiven = true
      this.push(null)
    }
    if (incoming.arrived) this.#endLower()
    else if (!this.#lower.writableNeedDrain) this.#grant()
  }

  #deliverAll(bytes: Message): boolean {
    let more = true
    for (const piece of pieces(bytes)) more = this.deliver(piece)
    return more
  }

  #grant(): void {
    if (this.#lower.writableEnded || this.#lower.destroyed) return
    const limit = this.#incoming.grant()
    if (limit !== undefined) this.#lower.write(encodeHeader(CREDIT, limit))
  }

  /** Nothing more will be said either way, so the pipe below may end. */
  #endLower(): void {
    if (this.#endSent && this.#incoming.arrived && !this.#lower.writableEnded) this.#lower.end()
  }

  #lowerEnded(): void {
    if (this.#incoming.arrived || this.destroyed) return
    const sentence = `ended at ${this.stats.bytesIn} bytes, before the end of the stream`
    this.destroy(new PipeError('ERR_PIPE_TRUNCATED', sentence, { label: this.label }))
  }

  #lowerClosed(): void {
    log('%s: below closed, %o', this.label, this.stats)
    if (this.destroyed || (this.#endSent && this.#incoming.arrived)) return
    const sentence = `${this.#lower.label} closed before the end of the stream`
    this.destroy(new PipeError('ERR_PIPE_CLOSED', sentence, { label: this.label }))
  }
}
