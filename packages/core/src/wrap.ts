// WrapPipe: all the plumbing of a Duplex that stands on a Duplex, once.
//
//   writer ── write ──▶ encode ──▶ lower.write     `false` from below holds the writer's callback
//   reader ◀── push ─── decode ◀── lower 'data'    `false` from the reader pauses what is below
//
// A layer is a codec in a WrapPipe. It passes half-close each way, turns a failure of either side
// into a failure of the other, and closes after what it stands on has closed.

import { abort } from './abort.ts'
import { afterReady, type Done, PipeBase, type PipeInit, pieces, writeAll } from './base.ts'
import type { Codec } from './codec.ts'
import { PipeError } from './errors.ts'
import { Listeners } from './owner.ts'
import { isPipe, labelOf } from './pipe.ts'
import type { Kind, Layer, Message } from './pipe.ts'
import type { Duplex } from './stream.ts'

export interface WrapInit<K extends Kind> extends Omit<PipeInit<K>, 'below'> {
  /** None: chunks pass as they are. */
  codec?: Codec
}

export class WrapPipe<K extends Kind> extends PipeBase<K> {
  #lower: Duplex
  readonly #codec: Codec | undefined
  #held: Done | undefined // the callback of a write that the lower pipe has not drained yet
  #lowerEnded = false
  #lowerGone = false // has emitted 'close': a socket says `closed` before its descriptor is
  #stands = true // false where what is below serves somebody else
  #give: ((unit: Buffer) => void) | undefined // for the codec, when something has come

  static readonly #listeners = new Listeners<WrapPipe<Kind>>({
    error: (pipe, _, error) => pipe.destroy(pipe.explain(error)),
    close: (pipe, lower) => pipe.#lowerClosed(lower),
    drain: pipe => pipe.drained(),
    data: (pipe, _, chunk) => pipe.receive(chunk),
    end: pipe => pipe.#lowerEnd(),
  })

  constructor(lower: Duplex, { codec, ...init }: WrapInit<K>) {
    super(isPipe(lower) ? { ...init, below: [lower] } : init)
    this.#lower = lower
    this.#codec = codec
    this.standOn(lower)
  }

  /** What it stands on. */
  protected get lower(): Duplex {
    return this.#lower
  }

  /** Stands on another Duplex from now on. Of what it stood on before, of which it has to have
   *  stood aside, it hears still if it fails. */
  protected standOn(lower: Duplex): void {
    this.#lower = lower
    this.#stands = true
    this.#lowerGone = lower.closed
    lower.allowHalfOpen = true // a foreign socket may say otherwise, and would lose late answers
    // In this very tick: a socket with no listener for 'error' kills the process.
    WrapPipe.#listeners.listen(lower, this, 'error', 'close')
    lower.pause()
    WrapPipe.#listeners.listen(lower, this, 'drain', 'data', 'end')
  }

  /** Leaves what is below to somebody else, who reads and writes there in its place. It fails and
   *  closes with it as before, and aborts it if it is destroyed itself. */
  protected standAside(): void {
    this.#stands = false
    const { lower } = this
    WrapPipe.#listeners.release(lower)
    lower.on('error', (error: Error) => this.destroy(this.explain(error)))
    lower.on('close', () => this.#lowerClosed(lower))
    lower.pause()
  }

  protected override open(done: Done): void {
    if (this.#lowerGone && !this.destroyed) return done(this.#closedBefore())
    afterReady(this.lower, done)
  }

  /** A failure of the pipe below, as one of this pipe. */
  protected explain(error: Error): PipeError {
    return PipeError.from(error, this.label)
  }

  protected override cancel(): void {
    this.abortLower()
  }

  /** Takes a chunk from below. A subclass may hold chunks back or change them. */
  protected receive(chunk: Buffer): void {
    if (this.destroyed) return
    if (!this.#codec) return this.#deliver(chunk)
    try {
      this.#give ??= unit => this.#deliver(unit)
      this.#codec.decode(chunk, this.#give)
    } catch (error) {
      this.destroy(PipeError.from(error, this.label))
    }
  }

  #deliver(unit: Buffer): void {
    if (!this.deliver(unit)) this.lower.pause()
  }

  /** Sends chunks. A subclass may hold them back. */
  protected send(chunks: readonly Buffer[], done: Done): void {
    if (this.give(chunks)) done()
    else this.#held = done
  }

  /** Gives chunks to the pipe below, as one write where it can. False: it is full. */
  protected give(chunks: readonly Buffer[]): boolean {
    return writeAll(this.lower, chunks)
  }

  /** The pipe below has ended, and all before has been received. */
  protected finish(): void {
    try {
      this.#codec?.finish()
    } catch (error) {
      this.destroy(PipeError.from(error, this.label))
      return
    }
    this.push(null)
  }

  /** Ends what is below so that the far end sees an abort. */
  protected abortLower(): void {
    abort(this.lower)
  }

  /** Whether it goes on reading, as far as its buffer goes, while its reader has paused it. */
  protected get readsAhead(): boolean {
    return true
  }

  override pause(): this {
    super.pause()
    if (!this.readsAhead) this.lower.pause()
    return this
  }

  override resume(): this {
    super.resume()
    if (!this.readsAhead && this.readableLength === 0) this.lower.resume()
    return this
  }

  override _read(): void {
    if (this.lower.isPaused()) this.lower.resume()
  }

  override _write(unit: Message, _encoding: string, done: Done): void {
    this.#encodeAndSend([unit], done)
  }

  override _writev(writes: { chunk: unknown }[], done: Done): void {
    this.#encodeAndSend(
      writes.map(write => write.chunk as Message),
      done,
    )
  }

  override _final(done: Done): void {
    // Where it has failed already and is about to say so, that is why, and not our coming too late.
    const { lower } = this
    lower.end((error?: Error | null) => done(error && this.explain(lower.errored ?? error)))
  }

  override _destroy(error: Error | null, done: Done): void {
    const held = this.#held
    this.#held = undefined
    held?.(error ?? new PipeError('ERR_PIPE_ABORTED', 'destroyed', { label: this.label }))
    const { lower } = this
    if (this.#lowerGone) return done(error)
    lower.once('close', () => done(error))
    if (this.complete) lower.destroy()
    else this.abortLower()
  }

  #encodeAndSend(units: readonly Message[], done: Done): void {
    const chunks: Buffer[] = []
    try {
      for (const unit of units) {
        this.accept(unit)
        for (const chunk of this.#codec?.encode(unit) ?? pieces(unit)) chunks.push(chunk)
      }
    } catch (error) {
      return done(PipeError.from(error, this.label))
    }
    if (chunks.length === 0) done()
    else this.send(chunks, done)
  }

  /** The pipe below has room again. */
  protected drained(): void {
    const held = this.#held
    this.#held = undefined
    held?.()
  }

  #lowerEnd(): void {
    this.#lowerEnded = true
    if (!this.destroyed) this.finish()
  }

  #lowerClosed(lower: Duplex): void {
    if (lower !== this.#lower) return // it stood there before
    this.#lowerGone = true
    if (this.destroyed || (this.#lowerEnded && this.lower.writableFinished)) return
    if (this.#stands) this.destroy(this.#closedBefore())
    else this.destroy()
  }

  #closedBefore(): PipeError {
    if (this.lower.errored) return this.explain(this.lower.errored)
    const sentence = `${labelOf(this.lower)} closed before its end`
    return new PipeError('ERR_PIPE_CLOSED', sentence, { label: this.label })
  }
}

/**
 * A layer of one's own, from bytes to bytes: `layer('rot13', () => codec)`. Each pipe gets a codec
 * of its own; its label is `rot13(<label below>)`.
 */
export function layer(name: string, codec: () => Codec): Layer {
  return below =>
    new WrapPipe(below, { kind: 'bytes', label: `${name}(${labelOf(below)})`, codec: codec() })
}
