// tls: secrecy, and who is there.
//
//   writer ──▶ TlsPipe ──▶ TLSSocket (Node's) ═══════════════════▶ net.Socket, of the pipe below
//                                             ──▶ carrier ──▶ pipe below, where that has none
//
// TLS 1.3 (RFC 8446) over any byte pipe, and on a socket itself where the pipe below gives it up.
// It opens when the handshake is done and the peer is known: by a secret that both share, or by its
// certificate. Each direction ends with a close_notify; an end without one is ERR_PIPE_TRUNCATED.
// An abort is an abort of what is below.

import {
  type Borrower,
  type ByteDuplex,
  type Detachable,
  type Done,
  isDetachable,
  isPipeError,
  labelOf,
  type Layer,
  type Lender,
  Lending,
  type Loan,
  logger,
  PassingPipe,
  type Pipe,
  PipeError,
  type Secured,
  seesAlone,
  writeAll,
} from '@striper/core'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { inBatches } from './batches.ts'
import { Carrier } from './carrier.ts'
import { groupsOffered } from './hello.ts'
import { abortNative, asSocket, knownGroups, resetUnlessDone, watchEnd } from './native.ts'
import { Records } from './records.ts'
import { asClient, asServer, type ClientOptions, type ServerOptions, type Side } from './sides.ts'

const log = logger('tls')

const NOTHING = Buffer.alloc(0)

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
  return below => new TlsPipe(below, side, listens)
}

/** A byte pipe with secrecy. Made by `tlsClient` and `tlsServer`. Lends what it reads, and takes
 *  loans. */
export class TlsPipe extends PassingPipe<'bytes'> implements Lender, Secured {
  readonly #owned: ByteDuplex
  readonly #side: Side
  readonly #listens: boolean
  #carrier: Carrier | undefined // once it is shaking hands over a pipe
  #socket: TLSSocket | undefined // once it is shaking hands
  #identify!: () => string
  #hello: Buffer | undefined // of a client: as much as has come, while it is to be judged
  #abort: (() => void) | undefined // where it stands on a socket itself
  #cut = false // where that has ended without a close_notify
  #last: Loan | undefined // of what is sent, while its last batch is
  readonly #lending = new Lending(this)
  #records: Records | undefined // where somebody has borrowed
  #peer: string | undefined
  #opened: Done | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(below: ByteDuplex, side: Side, listens: boolean) {
    super(below, { kind: 'bytes', label: `tls(${labelOf(below)})` })
    this.#owned = below
    this.#side = side
    this.#listens = listens
  }

  override get below(): readonly Pipe[] {
    return this.#carrier ? [this.#carrier] : super.below
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
    return this.#socket!.exportKeyingMaterial(length, label, Buffer.alloc(0))
  }

  lendTo(borrower: Borrower | undefined): void {
    this.#lending.borrower = borrower
    if (this.#peer !== undefined) this.#readLent()
  }

  protected override get readsAhead(): boolean {
    return this.#records === undefined
  }

  protected override open(done: Done): void {
    this.#opened = done
    super.open(error => {
      if (error || this.destroyed) this.#settle(error)
      else this.#begin()
    })
  }

  #begin(): void {
    const { handshakeTimeoutMs } = this.#side
    this.#timer = setTimeout(() => {
      const sentence = `no handshake in ${handshakeTimeoutMs} ms`
      this.destroy(new PipeError('ERR_PIPE_TIMEOUT', sentence, { label: this.label }))
    }, handshakeTimeoutMs)
    if (!isDetachable(this.#owned)) return this.#shake(undefined)
    if (!this.#listens) return this.#shakeNatively(NOTHING)
    this.#hello = NOTHING
    this.lower.resume()
  }

  protected override receive(chunk: Buffer): void {
    if (this.#hello === undefined) return super.receive(chunk)
    const hello = Buffer.concat([this.#hello, chunk])
    this.#hello = hello
    const groups = groupsOffered(hello)
    if (groups === undefined) return
    this.#hello = undefined
    const known = knownGroups(groups)
    if (known.length > 0 && isDetachable(this.#owned)) this.#shakeNatively(hello, known)
    else this.#shake(hello)
  }

  protected override finish(): void {
    if (!this.#hello) return super.finish()
    this.#cut = true
    this.destroy(this.explain(new Error('the connection has ended')))
  }

  /** Over whatever pipe that is. */
  #shake(hello: Buffer | undefined): void {
    this.standAside()
    const carrier = new Carrier(this.#owned, this.#listens)
    carrier.on('error', error => this.destroy(this.explain(error)))
    this.#carrier = carrier
    this.#greet(carrier)
    this.#socket!.on('end', () => (carrier.closeNotified = true))
    if (hello) carrier.begin(hello)
  }

  /** On the socket itself. */
  #shakeNatively(unread: Buffer, groups?: readonly string[]): void {
    this.standAside()
    const below = this.#owned as ByteDuplex & Detachable
    const given = below.detachSocket(unread, () => {
      if (below.errored) this.destroy(this.#ofBelow(below.errored)) // it says why
      this.#abort!()
    })
    const socket = asSocket(given)
    this.#greet(socket, groups)
    const made = this.#socket!
    this.#abort = () => abortNative(made)
    resetUnlessDone(made, socket)
    watchEnd(made, socket, () => {
      const reset = below.resetBehindEnd(!made.writableEnded)
      this.#cut = reset === undefined
      this.destroy(this.explain(reset ?? new Error('the connection has ended')))
    })
  }

  #greet(on: Carrier | Socket, groups?: readonly string[]): void {
    const failed = (error: Error) => this.destroy(this.explain(error))
    const { socket, identify } = this.#side.handshake(on, failed, groups)
    this.#socket = socket
    this.#identify = identify
    // Not in this tick: OpenSSL has called, and cannot do yet what may be asked of it next.
    socket.once(this.#side.secured, () => setImmediate(() => this.#shaken()))
    this.standOn(socket)
  }

  protected override cancel(): void {
    super.cancel()
    this.#settle()
  }

  /** By phase: what OpenSSL says differs from version to version. */
  protected override explain(error: Error): PipeError {
    const { label } = this
    if (isPipeError(error)) return PipeError.from(error, label)
    if ('syscall' in error) return this.#ofBelow(error)
    const options = { label, cause: error }
    if (this.#cut || this.#carrier?.ended) {
      const where = this.pending ? 'inside the handshake' : 'without a close_notify'
      return new PipeError('ERR_PIPE_TRUNCATED', `ended ${where}`, options)
    }
    if (this.pending || !this.#heard) {
      const sentence = `not who was expected, at one end or the other: ${error.message}`
      return new PipeError('ERR_PIPE_AUTH', sentence, options)
    }
    return new PipeError('ERR_PIPE_PROTOCOL', `what came is not what was sent`, options)
  }

  #ofBelow(error: Error): PipeError {
    return PipeError.from(PipeError.from(error, labelOf(this.#owned)), this.label)
  }

  /** Node encrypts all of a write before it asks whether anybody takes it: so it gets little. */
  protected override send(chunks: readonly Buffer[], done: Done): void {
    const batches = inBatches(chunks)
    const loan = this.takeLoan()
    const next: Done = error => {
      const batch = error ? undefined : batches.shift()
      if (batch === undefined) {
        if (error) loan?.keep()
        return done(error)
      }
      if (batches.length === 0) this.#last = loan
      super.send(batch, next)
    }
    next()
  }

  /** When the last of what was sent has gone, all of it is encrypted. */
  protected override give(chunks: readonly Buffer[]): boolean {
    const loan = this.#last
    this.#last = undefined
    return writeAll(this.lower, chunks, loan && (error => (error ? loan.keep() : loan.release())))
  }

  protected override abortLower(): void {
    if (this.#abort) return this.#abort()
    this.#carrier?.destroy()
    super.abortLower()
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#records?.clear()
    const below = this.#carrier ?? this.#owned
    super._destroy(error, () => {
      if (below.closed) done(error)
      else below.once('close', () => done(error))
    })
  }

  /** Whether the peer has taken us. A server of certificates judges when the client is open. */
  get #heard(): boolean {
    return !this.#side.judgedLater || this.stats.bytesIn > 0 || this.readableEnded
  }

  #shaken(): void {
    if (this.destroyed || this.lower.destroyed) return // it says why when it has closed
    try {
      this.#peer = this.#identify()
    } catch (error) {
      this.destroy(this.explain(error as Error))
      return
    }
    log('%s open, with %s', this.label, this.#peer)
    this.#readLent()
    this.#settle()
  }

  #readLent(): void {
    if (this.#records || this.#lending.borrower === undefined) return
    const socket = this.#socket!
    this.#records = new Records({
      borrows: () => !this.destroyed && this.#lending.ready && seesAlone(socket),
      lend: (chunk, loan) => this.#lending.lend(chunk, loan),
      give: chunk => socket.push(chunk),
    })
    this.#records.start(socket)
  }

  #settle(error?: Error | null): void {
    clearTimeout(this.#timer)
    const opened = this.#opened
    this.#opened = undefined
    opened?.(error)
  }
}
