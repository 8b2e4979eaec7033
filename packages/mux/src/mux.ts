// mux: many channels over one parcel pipe.
//
//   channel ──┐                                ┌── channel
//   channel ──┼── Mux ══ parcels, below ══ Mux ┼── channel      each with its own order and its own
//   channel ──┘                                └── channel      credit: none waits for another
//
// This is the shell around MuxCore. What is below is never paused: credit bounds what waits here.
// What is urgent finds no queue in front of it: it overtakes those that wait below, where the pipe
// there lets it; where not, few are given to it before it has sent others.

import { type Done, logger, type Message, type ParcelPipe, PipeError } from '@striper/core'
import { isPipeError } from '@striper/core'
import { Channel, type Host } from './channel.ts'
import { checked, checkedHeader, type MuxOptions, type OpenOptions } from './options.ts'
import { MuxCore } from './pure/core.ts'
import type { Output } from './pure/outbox.ts'

const log = logger('mux')

/** Messages that may wait in a pipe below in which none overtakes another. */
const DEPTH = 2
/** What may overtake them until it has taken another, in bytes. */
export const URGENT_BYTES = 16 * 1024

/** What a mux holds, beside the counters of every pipe. */
export interface MuxStats {
  /** Channels that are open. */
  readonly channels: number
  /** Of these, opened by the peer and not taken into use yet. */
  readonly waiting: number
  /** Channels that were ever opened, by either end. */
  readonly opened: number
  /** Channels of the peer that were refused for want of room. */
  readonly refused: number
  /** Bytes that wait for readers, or for bytes before them. */
  readonly heldBytes: number
  /** Bytes that wait to be sent, beside what each channel buffers. */
  readonly queuedBytes: number
  /** What the windows of all channels have grown by, beyond the 64 KiB of each. */
  readonly grownBytes: number
}

/** A pipe in which a message may overtake those that wait. A stripe is one. */
interface Urgent {
  /** False where it may not. `lean`: somebody waits, and will for the next as well. */
  writeUrgent(message: Message, lean: boolean): boolean
}

/**
 * Many channels over a parcel or message pipe, at whose other end is another mux; one of the two
 * dials. It owns the pipe below from now on. Throws a TypeError or a RangeError for options that
 * are none, and for a pipe whose messages are too small.
 */
export function mux(below: ParcelPipe, options: MuxOptions): Mux {
  return new Mux(below, options)
}

/** A mux. Made by `mux`. */
export class Mux {
  /** Settles when the pipe below has closed. Resolves where both ends had drained; rejects with a
   *  PipeError otherwise. It is never an unhandled rejection. */
  readonly done: Promise<void>
  readonly #lower: ParcelPipe
  readonly #urgent: Urgent | undefined
  readonly #depth: number
  readonly #core: MuxCore<Channel>
  readonly #host: Host
  readonly #onChannel: ((channel: Channel) => void) | undefined
  readonly #opening = new Set<Done>()
  #failure: PipeError | undefined
  #urgentLeft = URGENT_BYTES
  #stirred = false
  #settle!: (failure?: Error) => void
  readonly #pump = () => this.#send()
  readonly #stir = () => {
    if (this.#stirred || this.#failure) return
    this.#stirred = true
    queueMicrotask(this.#pump) // not now: whoever writes in this tick shall share in the turns
  }
  readonly #written = () => {
    this.#urgentLeft = URGENT_BYTES
    this.#stir()
  }

  constructor(lower: ParcelPipe, options: MuxOptions) {
    const { onChannel, ...limits } = checked(lower, options)
    this.#lower = lower
    this.#urgent = 'writeUrgent' in lower ? (lower as unknown as Urgent) : undefined
    // A stripe should see that there is more: it uses a slow lane only for a writer that waits.
    this.#depth = this.#urgent ? lower.writableHighWaterMark : DEPTH
    this.#onChannel = onChannel
    this.#core = new MuxCore(limits)
    this.#host = {
      core: this.#core,
      lower,
      stir: this.#stir,
      whenReady: done => this.#whenReady(done),
    }
    this.done = new Promise((resolve, reject) => {
      this.#settle = failure => (failure ? reject(failure) : resolve())
    })
    this.done.catch(() => undefined) // whoever does not care may leave it alone
    lower.on('error', error => this.#fail(error))
    lower.on('ready', () => this.#ready())
    lower.on('data', (message: Buffer) => this.#receive(message))
    lower.on('end', () => this.#lowerEnded())
    lower.on('close', () => this.#lowerClosed())
    if (lower.closed) queueMicrotask(() => this.#lowerClosed()) // it will not say so again
  }

  /** For logs: `mux(stripe#3)`. */
  get label(): string {
    return `mux(${this.#lower.label})`
  }

  /** The pipe that it stands on. */
  get below(): ParcelPipe {
    return this.#lower
  }

  /** The channels that are open. */
  get channels(): readonly Channel[] {
    return [...this.#core.channels()].flatMap(({ pipe }) => (pipe ? [pipe] : []))
  }

  /** What it holds. */
  get muxStats(): MuxStats {
    const { size, waiting, opened, refused, queuedBytes, stock } = this.#core
    const { heldBytes, grownBytes } = stock
    return { channels: size, waiting, opened, refused, heldBytes, queuedBytes, grownBytes }
  }

  /** Whether no channels are opened any more: an end drains, or it is over. */
  get draining(): boolean {
    return this.#core.draining || this.#failure !== undefined
  }

  /**
   * Opens a channel. It may be written at once; what is written in this tick goes with its OPEN.
   * Where it cannot be opened it fails: with ERR_PIPE_LIMIT at `maxChannels`, with ERR_PIPE_CONNECT
   * where the mux drains or is over, or where the peer refuses it. Throws a TypeError or a
   * RangeError for a header that is none, or too long.
   */
  open({ header, priority }: OpenOptions = {}): Channel {
    const { own, failure } = this.#openCore(checkedHeader(header), priority)
    const channel = new Channel(this.#host, own)
    if (failure) channel.fail(failure)
    return channel
  }

  /** Lets the mux run out: no channels are opened any more, by neither end, and when the last has
   *  closed, at both ends, the pipe below is ended. It is `done`. A peer that never closes its
   *  channels can be cut short by `destroy()`. */
  drain(): Promise<void> {
    this.#core.drain()
    this.#stir()
    return this.done
  }

  /** Aborts every channel, and what is below. They fail with ERR_PIPE_ABORTED, or with `error` as
   *  their cause, and its code if it is a PipeError. Does nothing once the mux has failed. */
  destroy(error?: Error): void {
    const aborted = new PipeError('ERR_PIPE_ABORTED', error?.message ?? 'destroyed', {
      label: this.label,
      cause: error,
    })
    this.#fail(isPipeError(error) ? error : aborted)
  }

  #hasFailed(): boolean {
    return this.#failure !== undefined
  }

  #openCore(header: Buffer, priority: OpenOptions['priority']) {
    const core = this.#core
    if (this.draining) {
      const sentence = this.#failure ? 'the mux is over' : 'the mux takes no more channels'
      const failure = new PipeError('ERR_PIPE_CONNECT', sentence, { cause: this.#failure })
      return { own: core.closed(header, priority), failure }
    }
    const own = core.open(header, priority)
    if (own) return { own, failure: undefined }
    const sentence = `${core.size} channels are open, and no more may be`
    const failure = new PipeError('ERR_PIPE_LIMIT', sentence)
    return { own: core.closed(header, priority), failure }
  }

  #whenReady(done: Done): void {
    if (this.#lower.pending && !this.#lower.destroyed) this.#opening.add(done)
    else done()
  }

  #ready(): void {
    for (const done of this.#opening) done()
    this.#opening.clear()
    this.#stir()
  }

  #receive(message: Buffer): void {
    if (this.#failure) return
    let effect
    try {
      effect = this.#core.receive(message, performance.now())
    } catch (error) {
      this.#fail(PipeError.from(error, this.label))
      return
    }
    // Not inside the try: what a user's listener throws is no failure of the peer.
    if (effect?.do === 'opened') this.#opened(new Channel(this.#host, effect.channel))
    else if (effect?.do === 'readable') effect.channel.pipe?.release()
    else if (effect) effect.channel.pipe?.fail(effect.error)
    this.#stir()
  }

  #opened(channel: Channel): void {
    channel.on('error', logged) // whoever takes it listens as well
    if (this.#onChannel) this.#onChannel(channel)
    else channel.refuse('no channels are taken here')
  }

  /** Sends what is due, as far as the pipe below has room; and, beyond, a little that is urgent. */
  #send(): void {
    this.#stirred = false
    const lower = this.#lower
    if (this.#hasFailed() || lower.writableEnded) return
    const parcelBytes = Math.min(lower.preferredMessageBytes, lower.maxMessageBytes)
    while (lower.writableLength < this.#depth && !this.#hasFailed()) {
      const output = this.#core.poll(parcelBytes)
      if (output === undefined) break
      this.#perform(output)
    }
    while (this.#mayHurry()) {
      const output = this.#core.poll(parcelBytes, true)
      if (output === undefined) break
      this.#perform(output)
    }
    if (this.#core.over && !this.#hasFailed()) lower.end()
  }

  #mayHurry(): boolean {
    if (this.#urgent === undefined || this.#hasFailed() || this.#lower.pending) return false
    return this.#urgentLeft > 0
  }

  #perform({ message, urgent, channel }: Output<Channel>): void {
    if (urgent && this.#mayHurry() && this.#urgent!.writeUrgent(message, channel !== undefined)) {
      for (const piece of message) this.#urgentLeft -= piece.length
    } else if (channel?.endSent) {
      const done = channel.pipe!.ending()
      this.#lower.write(message, error => {
        done(error)
        this.#written()
      })
      return
    } else {
      this.#lower.write(message, this.#written)
    }
    channel?.pipe?.sent()
  }

  #lowerEnded(): void {
    if (this.#failure || this.#core.heardAll) return
    const sentence = `${this.#lower.label} ended before its channels`
    this.#fail(new PipeError('ERR_PIPE_TRUNCATED', sentence, { label: this.label }))
  }

  #lowerClosed(): void {
    if (!this.#failure && !(this.#core.over && this.#lower.writableFinished)) {
      const sentence = `${this.#lower.label} closed before its channels`
      this.#fail(new PipeError('ERR_PIPE_CLOSED', sentence, { label: this.label }))
    }
    log('%s: over, %o', this.label, this.muxStats)
    this.#settle(this.#failure)
  }

  #fail(failure: unknown): void {
    if (this.#failure) return
    this.#failure = PipeError.from(failure, this.label)
    log('%s', this.#failure.message)
    for (const channel of this.channels) channel.fail(failure)
    this.#ready()
    this.#lower.destroy()
  }
}

function logged(error: Error): void {
  log('%s', error.message)
}
