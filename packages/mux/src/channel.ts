// Channel: one byte pipe of a mux. A Duplex around its core; what it sends and when is the mux's.

import { type Done, isPipeError, numbered, PipeBase, PipeError } from '@striper/core'
import type { ParcelPipe } from '@striper/core'
import type { ChannelCore } from './pure/channel.ts'
import type { MuxCore } from './pure/core.ts'
import { ABORTED, type Priority, REFUSED } from './pure/wire.ts'

/** What a channel needs of its mux. */
export interface Host {
  readonly core: MuxCore<Channel>
  readonly lower: ParcelPipe
  /** There may be something to send. */
  stir(): void
  /** Calls back when the pipe below is open, or will never be. */
  whenReady(done: Done): void
}

/**
 * One of many byte pipes over one. It may be written at once: its first bytes go with its OPEN.
 * What it receives is bounded by its window, 64 KiB at first, and it reads nothing ahead of that.
 *
 * `finish` means that the pipe below has taken all, and the end; over a stripe, that a lane has it.
 * It says nothing of the far reader. `close` without an error says that this end has sent its end
 * and read the peer's, and not that the peer has read ours.
 *
 * It does not own what the mux stands on: destroying it resets this channel and no other. Whatever
 * ends the mux ends it with an error, its code and cause kept, unless it is done.
 */
export class Channel extends PipeBase<'bytes'> {
  readonly #host: Host
  readonly #core: ChannelCore<Channel>
  #opening: Done | undefined
  #held: Done | undefined // the callback of a write whose bytes are not all sent
  #finishing: Done | undefined // the callback of end(), while END is not sent
  #endGiven = false
  #refusal: string | undefined

  constructor(host: Host, core: ChannelCore<Channel>) {
    const label = numbered(`channel(${host.lower.label})`)
    super({ kind: 'bytes', label, readAheadBytes: 0 })
    this.#host = host
    this.#core = core
    core.pipe = this
  }

  /** What the opener said of it: at most 1 KiB, and empty where it said nothing. */
  get header(): Buffer {
    return this.#core.header
  }

  /** Which channels go first, at both ends; undefined: what it sends says. */
  get priority(): Priority | undefined {
    return this.#core.priority
  }

  /** Whether this end opened it. */
  get opener(): boolean {
    return this.#core.own
  }

  /**
   * Refuses a channel that the peer opened: there it fails with ERR_PIPE_CONNECT, and the reason,
   * of which 256 bytes are sent, in its sentence. Here it closes without an error. Throws a
   * TypeError for a channel that this end opened.
   */
  refuse(reason: string): void {
    if (this.opener)
      throw new TypeError(`${this.label}: this end opened it, so it cannot refuse it`)
    this.#refusal = reason
    this.destroy()
  }

  protected override open(done: Done): void {
    if (this.destroyed) return done()
    this.#opening = done
    this.#host.whenReady(() => this.cancel())
  }

  protected override cancel(): void {
    const opening = this.#opening
    this.#opening = undefined
    if (opening === undefined) return
    opening()
    // What was written meanwhile comes in a moment, and the OPEN goes with it.
    if (this.destroyed || this.writableLength > 0) return
    this.#host.core.start(this.#core)
    this.#host.stir()
  }

  override _write(chunk: Buffer, _encoding: string, done: Done): void {
    this.accept(chunk)
    this.#send(chunk)
    this.#hold(done)
  }

  override _writev(writes: { chunk: unknown }[], done: Done): void {
    for (const { chunk } of writes) {
      this.accept(chunk as Buffer)
      this.#send(chunk as Buffer)
    }
    this.#hold(done)
  }

  override _final(done: Done): void {
    const { core } = this.#host
    core.use(this.#core)
    this.#finishing = done
    core.finish(this.#core)
    this.#host.stir()
  }

  override _read(): void {
    this.#host.core.use(this.#core)
    this.#core.wanted = true
    this.release()
  }

  override _destroy(error: Error | null, done: Done): void {
    const aborted = error ?? new PipeError('ERR_PIPE_ABORTED', 'destroyed', { label: this.label })
    const held = this.#held
    this.#held = undefined
    held?.(aborted)
    const { core } = this.#host
    if (this.complete) core.close(this.#core)
    else if (this.#refusal !== undefined) core.close(this.#core, REFUSED, this.#refusal)
    else core.close(this.#core, ABORTED, codeOf(error))
    this.#core.pipe = undefined
    this.#host.stir()
    done(error)
  }

  /** All that was written has gone. */
  sent(): void {
    if (this.#core.outgoing.queued > 0) return
    const held = this.#held
    this.#held = undefined
    held?.()
  }

  /** The END is going: what is to be called when it has. */
  ending(): Done {
    const finishing = this.#finishing!
    this.#finishing = undefined
    return error => finishing(error && PipeError.from(error, this.label))
  }

  /** Gives the reader what is in order, as far as it wants it. */
  release(): void {
    const core = this.#core
    while (core.wanted && !this.destroyed) {
      const bytes = this.#host.core.take(core)
      if (bytes === undefined) break
      core.wanted = this.deliver(bytes)
    }
    if (core.incoming.ended && !this.#endGiven && !this.destroyed) {
      this.#endGiven = true
      this.push(null)
    }
    if (core.creditDue !== undefined) this.#host.stir()
  }

  /** Something has failed below, or the peer has reset it. */
  fail(failure: unknown): void {
    this.destroy(PipeError.from(failure, this.label))
  }

  #send(chunk: Buffer): void {
    this.#host.core.write(this.#core, chunk)
  }

  #hold(done: Done): void {
    const { core } = this.#host
    core.use(this.#core)
    if (this.#core.outgoing.queued === 0 && this.#core.opened) return done() // it was empty
    this.#held = done
    this.#host.stir()
  }
}

/** What the peer is told of an error: its code, if it is one of ours. A sentence may name what is
 *  nobody else's business. */
function codeOf(error: Error | null): string {
  return isPipeError(error) ? error.code : ''
}
