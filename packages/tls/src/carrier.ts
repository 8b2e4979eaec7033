// The carrier: the records of TLS on their way to and from the pipe below.
//
//   TLSSocket ── records ──▶ carrier ──▶ pipe below
//   TLSSocket ◀─ records ─── carrier ◀── pipe below, and behind its end: what is no record
//
// A TLSSocket of Node takes an end of what is below for an end of the peer, whether the peer has
// said close_notify or not: whoever can cut a connection could make a part look whole. So the end
// never comes to it bare. Before it come bytes that are no record: behind a close_notify OpenSSL
// reads nothing, and anywhere else it has to fail.

import { type ByteDuplex, labelOf, PipeError, WrapPipe } from '@striper/core'
import { Claims, MAX_CLAIM_BYTES } from './claims.ts'

/** Longer than a record (RFC 8446, 5.2), so that it is none wherever it begins: behind part of a
 *  record it is the wrong rest of it. */
const NO_RECORD = Buffer.alloc(17 * 1024, 0xff)

/** How long the peer's end may take when TLS has ended both ways, in ms. */
export const FAREWELL_MS = 5000

/** A byte pipe that ends with what is no record. */
export class Carrier extends WrapPipe<'bytes'> {
  #ended = false
  #farewell: ReturnType<typeof setTimeout> | undefined
  /** To be set when the peer has said close_notify. */
  closeNotified = false

  readonly #claims: Claims | undefined

  /** `listens`: what comes is from somebody unknown, who may claim what a handshake needs. */
  constructor(below: ByteDuplex, listens: boolean) {
    super(below, { kind: 'bytes', label: `records(${labelOf(below)})` })
    this.#claims = listens ? new Claims() : undefined
  }

  /** Whether what is below has ended. */
  get ended(): boolean {
    return this.#ended
  }

  /** Begins with bytes that have been read already. */
  begin(bytes: Buffer): void {
    this.receive(bytes)
  }

  protected override receive(chunk: Buffer): void {
    const bytes = this.#claims?.tooLong(chunk)
    if (bytes === undefined) return super.receive(chunk)
    const sentence = `a handshake message of ${bytes} bytes, limit ${MAX_CLAIM_BYTES}`
    this.destroy(new PipeError('ERR_PIPE_PROTOCOL', sentence, { label: this.label }))
  }

  protected override finish(): void {
    this.#ended = true
    if (!this.closeNotified) this.push(NO_RECORD)
    super.finish()
  }

  /** A TLSSocket destroys it when it is done itself. The end below may still be on its way then,
   *  and a reset would cross it: so that is waited for. */
  override destroy(error?: Error): this {
    const done = this.closeNotified && this.writableFinished
    if (error || !done || this.#ended || this.destroyed) return super.destroy(error)
    this.#farewell ??= setTimeout(() => super.destroy(), FAREWELL_MS)
    this.resume()
    return this
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#farewell)
    super._destroy(error, done)
  }
}
