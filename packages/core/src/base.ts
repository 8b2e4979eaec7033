// PipeBase: what every pipe of ours is, whatever it stands on.
//
// A Duplex with both high-water marks set (readable-stream's own default of 16 KiB makes an idle
// sink of 64 KiB chunks answer `false` to every write), half-open always, opened by `open()`,
// counted.

import { NO_BYTES } from './counter.ts'
import type { Kind, Message, Pipe, PipeStats } from './pipe.ts'
import { Duplex } from './stream.ts'

/** Called when an operation is over, with the failure if it failed. */
export type Done = (error?: Error | null) => void

/** What a byte pipe buffers in each direction before it says that it is full, in bytes. */
export const BYTES_HIGH_WATER = 256 * 1024
/** What a message pipe buffers in each direction before it says that it is full, in messages. */
export const MESSAGES_HIGH_WATER = 16

const NOTHING: readonly Pipe[] = []
let lastNumber = 0

/** A label for an endpoint, unlike any before: `tcp#4`. */
export function numbered(name: string): string {
  return `${name}#${++lastNumber}`
}

export interface PipeInit<K extends Kind> {
  kind: K
  label: string
  below?: readonly Pipe[]
  /** What a byte pipe holds for a reader that has not asked for it, in bytes, instead of
   *  BYTES_HIGH_WATER. With 0 it holds no more than the chunk that it is giving: the pipe sees each
   *  chunk taken. */
  readAheadBytes?: number
}

export abstract class PipeBase<K extends Kind> extends Duplex implements Pipe<K> {
  readonly kind: K
  readonly label: string
  readonly stats: PipeStats = {
    bytesIn: NO_BYTES,
    bytesOut: NO_BYTES,
    messagesIn: 0,
    messagesOut: 0,
  }
  readonly #below: readonly Pipe[]
  #pending = true

  constructor({ kind, label, below = NOTHING, readAheadBytes }: PipeInit<K>) {
    const bytes = kind === 'bytes'
    const mark = bytes ? BYTES_HIGH_WATER : MESSAGES_HIGH_WATER
    super({
      allowHalfOpen: true,
      objectMode: !bytes,
      readableHighWaterMark: readAheadBytes ?? mark,
      writableHighWaterMark: mark,
    })
    this.kind = kind
    this.label = label
    this.#below = below
  }

  get below(): readonly Pipe[] {
    return this.#below
  }

  get pending(): boolean {
    return this.#pending
  }

  /** Opens the pipe: a handshake, a connect. What is written meanwhile waits. */
  protected open(done: Done): void {
    done()
  }

  /** Hurries a pending `open()`, whose pipe has been destroyed meanwhile, to its callback. */
  protected cancel(): void {
    // An open() that takes no time needs no hurry.
  }

  override _construct(done: Done): void {
    this.open(error => {
      if (error) return done(error)
      done()
      // Not before the Duplex itself knows: a listener may write, end or destroy at once.
      queueMicrotask(() => {
        if (this.destroyed) return
        this.#pending = false
        this.emit('ready')
      })
    })
  }

  override destroy(error?: Error): this {
    const opening = this.#pending && !this.destroyed
    super.destroy(error) // waits for open() to call back
    if (opening) this.cancel()
    return this
  }

  override write(unit: unknown, ...rest: unknown[]): boolean {
    if (this.kind !== 'bytes') sizeOf(unit as Message) // throws here, where the mistake is
    return (super.write as (...all: unknown[]) => boolean).call(this, unit, ...rest)
  }

  /** Whether both directions are done, so that a `destroy()` takes nothing from the peer. */
  protected get complete(): boolean {
    return this.readableEnded && this.writableFinished
  }

  /** Gives a unit to the reader, and counts it. False: the reader has enough, wait for `_read()` */
  protected deliver(unit: Buffer): boolean {
    this.stats.bytesIn += unit.length
    if (this.kind !== 'bytes') this.stats.messagesIn++
    return this.push(unit)
  }

  /** Counts a unit that the writer gave. */
  protected accept(unit: Message): void {
    this.stats.bytesOut += sizeOf(unit)
    if (this.kind !== 'bytes') this.stats.messagesOut++
  }
}

/** For the `open()` of a pipe that is open when the one below is. Calls back where that one fails
 *  as well: its error is the owner's to listen for, and has destroyed the pipe above by then. */
export function afterReady(below: Duplex, done: Done): void {
  if (!(below as { pending?: boolean }).pending || below.destroyed) return done()
  const settled = () => {
    below.off('ready', settled).off('close', settled)
    done()
  }
  below.on('ready', settled).on('close', settled)
}

/** The bytes of a message, whole or in pieces. Anything else is a programmer's mistake. */
export function sizeOf(message: Message): number {
  if (message instanceof Uint8Array) return message.length
  if (!Array.isArray(message)) throw new TypeError(`a message is a Buffer or an array of them`)
  let bytes = 0
  for (const piece of message as readonly Buffer[]) bytes += piece.length
  return bytes
}

/** A message as one Buffer; copies only where it is in pieces. */
export function whole(message: Message): Buffer {
  if (message instanceof Uint8Array) return message
  return message.length === 1 ? message[0]! : Buffer.concat(message)
}

/** Writes a chunk, or several as one write, where the Duplex can. `done` is called when the last
 *  has gone, which is when all have. The answer is that of `write()`. */
export function writeAll(to: Duplex, chunks: Message, done?: Done): boolean {
  if (chunks instanceof Uint8Array) return to.write(chunks, done)
  if (chunks.length === 1) return to.write(chunks[0], done)
  let more = true
  to.cork()
  const last = chunks.length - 1
  for (let i = 0; i < last; i++) to.write(chunks[i])
  if (last >= 0) more = to.write(chunks[last], done)
  to.uncork()
  return more
}

/** A message without its first bytes, which lie in its first piece. */
export function behind(message: Message, bytes: number): Message {
  if (message instanceof Uint8Array) return message.subarray(bytes)
  const [first, ...others] = message
  return first!.length === bytes ? others : [first!.subarray(bytes), ...others]
}

/** The pieces of a message. */
export function pieces(message: Message): readonly Buffer[] {
  return message instanceof Uint8Array ? [message] : message
}
