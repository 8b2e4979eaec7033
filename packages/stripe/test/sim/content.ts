// Content: what a program sends, so that whatever is lost, doubled or changed is noticed. A message
// has its index in its first four bytes, and the rest follows from it: no copy is kept, and what is
// sent is a view of one pattern.

const PATTERN = Buffer.from(
  Array.from({ length: 100_000 }, (_, index) => (index * 31 + (index >> 7)) & 255),
)
const INDEX_BYTES = 4

export class Content {
  readonly #sizes: readonly number[]
  readonly #seen = new Set<number>()
  #next = 0
  /** Bytes that were checked. */
  bytes = 0
  /** Bytes of the last message that was made. */
  lastBytes = 0

  constructor(sizes: readonly number[]) {
    this.#sizes = sizes
  }

  /** The next message, in two pieces, with so many bytes beside its index. */
  next(size: number): Buffer[] {
    const index = Buffer.allocUnsafe(INDEX_BYTES)
    index.writeUInt32BE(this.#next)
    this.lastBytes = size + INDEX_BYTES
    return [index, body(this.#next++, size)]
  }

  /** Whether every message has come. */
  get complete(): boolean {
    return this.#seen.size === this.#sizes.length
  }

  /** Whether a message has come. */
  has(index: number): boolean {
    return this.#seen.has(index)
  }

  /** What is wrong with a message that came; undefined where nothing is. */
  check(message: Buffer): string | undefined {
    const index = message.length >= INDEX_BYTES ? message.readUInt32BE(0) : -1
    const size = this.#sizes[index]
    if (size === undefined) return `message ${index} was never sent`
    if (this.#seen.has(index)) return `message ${index} came twice`
    this.#seen.add(index)
    this.bytes += message.length
    const from = start(index)
    const same = message.compare(PATTERN, from, from + size, INDEX_BYTES) === 0
    return same ? undefined : `message ${index} has changed`
  }
}

function start(index: number): number {
  return (index * 17) % 20_000
}

function body(index: number, size: number): Buffer {
  const from = start(index)
  return PATTERN.subarray(from, from + size)
}
