// DelayPipe: what rate, latency and stall have in common. It holds the chunks of each direction
// back in a Line of its own, and pauses whoever fills it: below, the pipe; above, the writer.

import { labelOf, PipeError, WrapPipe } from '@striper/core'
import type { ByteDuplex, Done } from '@striper/core'
import { Line, type Pace } from './line.ts'

export interface DelayInit {
  /** Comes before the label below, in parentheses. */
  name: string
  /** When what was received goes on, and what was sent. */
  received: Pace
  sent: Pace
  /** What each direction holds before it stops its source, in bytes; the chunk or the write that
   *  crosses this is held too. */
  maxHeldBytes: number
}

export class DelayPipe extends WrapPipe<'bytes'> {
  readonly #received: Line
  readonly #sent: Line
  #wanted: (() => void) | undefined // what to call when the reader has room
  #held: Done | undefined // the callback of a write that filled the line

  constructor(below: ByteDuplex, { name, received, sent, maxHeldBytes }: DelayInit) {
    super(below, { kind: 'bytes', label: `${name}(${labelOf(below)})` })
    this.#received = new Line({
      pace: received,
      maxHeldBytes,
      forward: (piece, next) => {
        if (this.deliver(piece)) next()
        else this.#wanted = next
      },
      onRoom: () => this.lower.resume(),
    })
    this.#sent = new Line({
      pace: sent,
      maxHeldBytes,
      forward: (piece, next) => {
        super.send([piece], error => {
          if (!error) next()
        })
      },
      onRoom: () => this.#release(),
    })
  }

  protected override receive(chunk: Buffer): void {
    if (this.destroyed) return
    this.#received.push(chunk)
    if (this.#received.full) this.lower.pause()
  }

  protected override send(chunks: readonly Buffer[], done: Done): void {
    for (const chunk of chunks) this.#sent.push(chunk)
    if (this.#sent.full) this.#held = done
    else done()
  }

  protected override finish(): void {
    this.#received.end(() => super.finish())
  }

  override _final(done: Done): void {
    this.#sent.end(() => super._final(done))
  }

  override _read(): void {
    const next = this.#wanted
    this.#wanted = undefined
    next?.()
    if (!this.#received.full) super._read()
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#received.close()
    this.#sent.close()
    this.#release(error ?? new PipeError('ERR_PIPE_ABORTED', 'destroyed', { label: this.label }))
    super._destroy(error, done)
  }

  #release(error?: Error): void {
    const held = this.#held
    this.#held = undefined
    held?.(error)
  }
}
