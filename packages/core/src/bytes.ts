// ByteQueue: chunks go in, exact slices come out, and a byte is copied only where a slice straddles
// two chunks. (Joining every chunk to what is left is quadratic for a large message in small
// chunks.)

import { sizeOf, whole } from './base.ts'
import type { Message } from './pipe.ts'

export class ByteQueue {
  #chunks: Buffer[] = []
  #first = 0 // index of the first chunk that still holds something
  #offset = 0 // bytes of it that are gone
  #length = 0

  /** Bytes in the queue. */
  get length(): number {
    return this.#length
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#length += chunk.length
  }

  /** The next `count` bytes, without taking them. Throws a RangeError if there are not as many. */
  peek(count: number): Buffer {
    const head = this.#chunks[this.#first]
    const end = this.#offset + count
    if (head !== undefined && head.length >= end) return head.subarray(this.#offset, end)
    return this.#gather(count)
  }

  /** Takes the next `count` bytes. Throws a RangeError if there are not as many. */
  take(count: number): Buffer {
    const slice = this.peek(count)
    this.#drop(count)
    return slice
  }

  /** Takes the next bytes as they lie, uncopied: all of the first chunk, but at most `count`. */
  takeUpTo(count: number): Buffer {
    const head = this.#chunks[this.#first]
    return head === undefined ? EMPTY : this.take(Math.min(count, head.length - this.#offset))
  }

  #drop(count: number): void {
    this.#length -= count
    this.#offset += count
    for (;;) {
      const head = this.#chunks[this.#first]
      if (head === undefined || head.length > this.#offset) break
      this.#offset -= head.length
      this.#chunks[this.#first++] = EMPTY // lets go of its memory
    }
    if (this.#first === this.#chunks.length) {
      this.#chunks = []
      this.#first = 0
    } else if (this.#first >= 64) {
      this.#chunks.splice(0, this.#first) // or a queue that is never empty would grow for ever
      this.#first = 0
    }
  }

  #gather(count: number): Buffer {
    if (count > this.#length) throw new RangeError(`${count} bytes asked of ${this.#length}`)
    const joined = Buffer.allocUnsafe(count)
    let filled = 0
    let from = this.#offset
    for (let i = this.#first; filled < count; i++) {
      filled += this.#chunks[i]!.copy(joined, filled, from, from + count - filled)
      from = 0
    }
    return joined
  }
}

/** A chunk, or a message in pieces, that is to be kept for long: itself, or a copy where it is a
 *  small part of large buffers, which it would keep alive. */
export function compact(chunk: Buffer): Buffer
export function compact(message: Message): Message
export function compact(message: Message): Message {
  if (message instanceof Uint8Array) {
    return isSparse(message.length, message.buffer.byteLength) ? Buffer.from(message) : message
  }
  let held = 0
  let last: ArrayBufferLike | undefined
  for (const { buffer } of message) {
    if (buffer !== last) held += buffer.byteLength
    last = buffer
  }
  return isSparse(sizeOf(message), held) ? whole(message) : message
}

/** Whether so many bytes keep much more memory alive than they have. */
export function isSparse(bytes: number, memoryBytes: number): boolean {
  return bytes * 4 < memoryBytes
}

const EMPTY = Buffer.alloc(0)
