// ByteQueue: chunks go in, exact slices come out, and a byte is copied only where a slice straddles
// two chunks. (Joining every chunk to what is left is quadratic for a large message in small
// chunks.)

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
  peek(count: number, allocate: (bytes: number) => Buffer = Buffer.allocUnsafe): Buffer {
    const head = this.#chunks[this.#first]
    const end = this.#offset + count
    if (head !== undefined && head.length >= end) return head.subarray(this.#offset, end)
    return this.#gather(count, allocate)
  }

  /** Takes the next `count` bytes. Throws a RangeError if there are not as many. Where they have to
   *  be copied, `allocate` says where to. */
  take(count: number, allocate: (bytes: number) => Buffer = Buffer.allocUnsafe): Buffer {
    const slice = this.peek(count, allocate)
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

  #gather(count: number, allocate: (bytes: number) => Buffer): Buffer {
    if (count > this.#length) throw new RangeError(`${count} bytes asked of ${this.#length}`)
    const joined = allocate(count)
    let filled = 0
    let from = this.#offset
    for (let i = this.#first; filled < count; i++) {
      filled += this.#chunks[i]!.copy(joined, filled, from, from + count - filled)
      from = 0
    }
    return joined
  }
}

/** A chunk that is to be kept for long: itself, or a copy where it is a small part of a large
 *  buffer, which it would keep alive. */
export function compact(chunk: Buffer): Buffer {
  return chunk.length * 4 < chunk.buffer.byteLength ? Buffer.from(chunk) : chunk
}

const EMPTY = Buffer.alloc(0)
