// memoryPair: two pipes joined in memory, with no socket. The reference implementation of the
// contract, and what tests and programs without a network stand on.
//
// What one end writes is the very Buffer that the other end reads. At most the two high-water marks
// wait between them.

import { type Done, numbered, PipeBase, whole } from './base.ts'
import { PipeError } from './errors.ts'
import type { Kind, Message, MessageSizes, Pipe } from './pipe.ts'

export interface MemoryOptions {
  /** The largest message, in bytes; 1 MiB. Says nothing for `bytes`. */
  maxMessageBytes?: number
  /** The size that suits best, in bytes; 64 KiB or the maximum. */
  preferredMessageBytes?: number
}

/** Two ends of one connection in memory. For a kind other than bytes each is a message pipe. */
export function memoryPair(): [Pipe<'bytes'>, Pipe<'bytes'>]
export function memoryPair<K extends Kind>(
  kind: K,
  options?: MemoryOptions,
): [Pipe<K> & MessageSizes, Pipe<K> & MessageSizes]
export function memoryPair(kind: Kind = 'bytes', options: MemoryOptions = {}): [Pipe, Pipe] {
  const left = new MemoryPipe(kind, options)
  const right = new MemoryPipe(kind, options)
  left.peer = right
  right.peer = left
  return [left, right]
}

class MemoryPipe extends PipeBase<Kind> implements MessageSizes {
  readonly maxMessageBytes: number
  readonly preferredMessageBytes: number
  peer!: MemoryPipe
  #held: Done | undefined // the callback of the peer's write that our reader has not made room for

  constructor(kind: Kind, { maxMessageBytes = 1 << 20, preferredMessageBytes }: MemoryOptions) {
    super({ kind, label: numbered('memory') })
    this.maxMessageBytes = maxMessageBytes
    this.preferredMessageBytes = Math.min(preferredMessageBytes ?? 1 << 16, maxMessageBytes)
  }

  override _write(unit: Message, _encoding: string, done: Done): void {
    this.accept(unit)
    const chunk = whole(unit)
    if (this.kind !== 'bytes' && chunk.length > this.maxMessageBytes) {
      const sentence = `message of ${chunk.length} bytes, limit ${this.maxMessageBytes}`
      return done(new PipeError('ERR_PIPE_LIMIT', sentence, { label: this.label }))
    }
    // Not in this tick: the reader must not run inside the writer's write().
    queueMicrotask(() => this.peer.#take(chunk, done))
  }

  override _read(): void {
    const held = this.#held
    this.#held = undefined
    held?.()
  }

  override _final(done: Done): void {
    queueMicrotask(() => {
      if (!this.peer.destroyed) this.peer.push(null)
      done()
    })
  }

  override _destroy(error: Error | null, done: Done): void {
    const { peer } = this
    const cause = new PipeError('ERR_PIPE_RESET', 'the peer aborted', { label: peer.label })
    if (!this.complete && !peer.destroyed) peer.destroy(cause)
    this.#held?.(cause) // the peer's write: it will never be read
    done(error)
  }

  #take(chunk: Buffer, done: Done): void {
    if (this.destroyed) return done(new PipeError('ERR_PIPE_RESET', 'the peer aborted'))
    if (this.deliver(chunk)) done()
    else this.#held = done
  }
}
