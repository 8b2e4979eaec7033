// tls: secrecy, and who is there.
//
//   writer ──▶ TlsPipe ──▶ TLSSocket (Node's) ──▶ carrier ──▶ pipe below
//
// TLS 1.3 (RFC 8446) over any byte pipe. It opens when the handshake is done and the peer is known:
// by a secret that both share, or by its certificate. Each direction ends with a close_notify; an
// end without one is ERR_PIPE_TRUNCATED. An abort is an abort of what is below.

import {
  type ByteDuplex,
  type Done,
  isPipeError,
  labelOf,
  type Layer,
  logger,
  type Pipe,
  PipeError,
  type Secured,
  WrapPipe,
} from '@striper/core'
import type { TLSSocket } from 'node:tls'
import { Carrier } from './carrier.ts'
import { asClient, asServer, type ClientOptions, type ServerOptions, type Side } from './sides.ts'

const log = logger('tls')

const BATCH_BYTES = 256 * 1024

/**
 * The dialling end. With a secret, `server` has to be the name that the server gives itself. The
 * pipe fails with ERR_PIPE_AUTH where the peer is not who it should be, or takes us not for whom
 * it should; with ERR_PIPE_TIMEOUT where that is not settled in `handshakeTimeoutMs`. Throws at
 * once for certificates that cannot be read.
 */
export function tlsClient(options: ClientOptions): Layer<ByteDuplex, TlsPipe> {
  return tls(asClient(options), false)
}

/** The listening end; fails as `tlsClient` does. */
export function tlsServer(options: ServerOptions): Layer<ByteDuplex, TlsPipe> {
  return tls(asServer(options), true)
}

function tls(side: Side, listens: boolean): Layer<ByteDuplex, TlsPipe> {
  return below => {
    const carrier = new Carrier(below, listens)
    return new TlsPipe(carrier, side, `tls(${labelOf(below)})`)
  }
}

/** A byte pipe with secrecy. Made by `tlsClient` and `tlsServer`. */
export class TlsPipe extends WrapPipe<'bytes'> implements Secured {
  readonly #carrier: Carrier
  readonly #socket: TLSSocket
  readonly #side: Side
  readonly #identify: () => string
  #peer: string | undefined
  #opened: Done | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(carrier: Carrier, side: Side, label: string) {
    const { socket, identify } = side.handshake(carrier, error => this.destroy(this.explain(error)))
    super(socket, { kind: 'bytes', label })
    this.#carrier = carrier
    this.#socket = socket
    this.#side = side
    this.#identify = identify
    carrier.on('error', error => this.destroy(this.explain(error)))
    socket.on('end', () => (carrier.closeNotified = true))
  }

  override get below(): readonly Pipe[] {
    return [this.#carrier]
  }

  /** Who is there: the id of the secret, or the fingerprint of the certificate. Throws a TypeError
   *  before the pipe is ready. */
  get peer(): string {
    if (this.#peer === undefined) throw new TypeError(`${this.label} does not know its peer yet`)
    return this.#peer
  }

  /** Bytes that both ends of this connection can make, and nobody else (RFC 8446, 7.5). Throws a
   *  TypeError before the pipe is ready, or after it has closed. */
  exportKeyingMaterial(label: string, length: number): Buffer {
    if (this.#peer === undefined || this.lower.destroyed) {
      throw new TypeError(`${this.label} is not open: it has no keys`)
    }
    return this.#socket.exportKeyingMaterial(length, label, Buffer.alloc(0))
  }

  protected override open(done: Done): void {
    this.#opened = done
    const { handshakeTimeoutMs, secured } = this.#side
    this.lower.once(secured, () => this.#shaken())
    this.lower.once('close', () => this.#settle())
    const start = () => {
      this.#timer = setTimeout(() => {
        const sentence = `no handshake in ${handshakeTimeoutMs} ms`
        this.destroy(new PipeError('ERR_PIPE_TIMEOUT', sentence, { label: this.label }))
      }, handshakeTimeoutMs)
    }
    if (this.destroyed) this.#settle()
    else if (this.#carrier.pending) this.#carrier.once('ready', start)
    else start()
  }

  protected override cancel(): void {
    super.cancel()
    this.#settle()
  }

  /** By phase: what OpenSSL says differs from version to version. */
  protected override explain(error: Error): PipeError {
    const { label } = this
    if (isPipeError(error)) return PipeError.from(error, label)
    const options = { label, cause: error }
    if (this.#carrier.ended) {
      const where = this.pending ? 'inside the handshake' : 'without a close_notify'
      return new PipeError('ERR_PIPE_TRUNCATED', `ended ${where}`, options)
    }
    if (this.pending || !this.#heard) {
      const sentence = `not who was expected, at one end or the other: ${error.message}`
      return new PipeError('ERR_PIPE_AUTH', sentence, options)
    }
    return new PipeError('ERR_PIPE_PROTOCOL', `what came is not what was sent`, options)
  }

  /** Node encrypts all of a write before it asks whether anybody takes it: so it gets little. */
  protected override send(chunks: readonly Buffer[], done: Done): void {
    const batches = inBatches(chunks)
    const next: Done = error => {
      const { value: batch } = error ? {} : batches.next()
      if (batch) super.send(batch, next)
      else done(error)
    }
    next()
  }

  protected override abortLower(): void {
    this.#carrier.destroy()
    this.lower.destroy()
  }

  override _destroy(error: Error | null, done: Done): void {
    super._destroy(error, () => {
      if (this.#carrier.closed) done(error)
      else this.#carrier.once('close', () => done(error))
    })
  }

  /** Whether the peer has taken us. A server of certificates judges when the client is open. */
  get #heard(): boolean {
    return !this.#side.judgedLater || this.stats.bytesIn > 0 || this.readableEnded
  }

  #shaken(): void {
    try {
      this.#peer = this.#identify()
    } catch (error) {
      this.destroy(this.explain(error as Error))
      return
    }
    log('%s open, with %s', this.label, this.#peer)
    this.#settle()
  }

  #settle(): void {
    clearTimeout(this.#timer)
    const opened = this.#opened
    this.#opened = undefined
    opened?.()
  }
}

/** Chunks in batches of at most `BATCH_BYTES`; what is larger is cut. */
function* inBatches(chunks: readonly Buffer[]): Generator<Buffer[], undefined> {
  let batch: Buffer[] = []
  let room = BATCH_BYTES
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + room)
      batch.push(piece)
      at += piece.length
      room -= piece.length
      if (room > 0) continue
      yield batch
      batch = []
      room = BATCH_BYTES
    }
  }
  if (batch.length > 0) yield batch
}
