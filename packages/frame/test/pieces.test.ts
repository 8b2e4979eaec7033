// Messages that straddle chunks: who gets them in pieces, and who has their memory.

import { HEAD_BYTES, type Lender, type Loan, type Message, PipeBase } from '@striper/core'
import { pieces, sizeOf, whole } from '@striper/core'
import { frame } from '@striper/frame'
import { rng } from '@striper/testkit'
import { expect, test } from 'vitest'

/** A byte pipe that lends what the test gives it. */
class Source extends PipeBase<'bytes'> implements Lender {
  #borrower: Parameters<Lender['lendTo']>[0]
  /** Chunks that are out: neither released nor kept. */
  readonly out = new Set<Buffer>()
  kept = 0

  constructor() {
    super({ kind: 'bytes', label: 'source' })
  }

  lendTo(borrower: Parameters<Lender['lendTo']>[0]): void {
    this.#borrower = borrower
  }

  /** Lends a chunk, of memory that may be larger; when it is given back its bytes change. */
  lend(bytes: Buffer, memoryBytes = bytes.length): void {
    const chunk = Buffer.allocUnsafeSlow(memoryBytes).subarray(0, bytes.length)
    bytes.copy(chunk)
    this.lendAs(chunk)
  }

  /** Lends this very chunk. */
  lendAs(chunk: Buffer): void {
    this.out.add(chunk)
    const over = () => this.out.delete(chunk)
    this.#borrower!.borrow(chunk, {
      release: () => over() && chunk.fill(0xee),
      keep: () => over() && this.kept++,
    })
  }

  override _read(): void {
    // Chunks come when the test gives them.
  }
}

type Lent = { message: Message; loan: Loan | undefined }

function scene() {
  const source = new Source()
  const pipe = frame()(source)
  const [seen, lent]: [Buffer[], Lent[]] = [[], []]
  pipe.on('error', () => undefined)
  pipe.on('data', (message: Buffer) => seen.push(message))
  ;(pipe as unknown as Lender).lendTo({
    borrow: (message, loan) => lent.push({ message, loan }),
  })
  return { source, pipe, seen, lent }
}

function onWire(...messages: Buffer[]): Buffer {
  return Buffer.concat(
    messages.flatMap(message => {
      const header = Buffer.alloc(4)
      header.writeUInt32BE(message.length)
      return [header, message]
    }),
  )
}

const text = (bytes: number, from = 0) =>
  Buffer.from(Array.from({ length: bytes }, (_, i) => i + from))
const [LARGE, SMALL] = [text(9000), text(300, 7)]

test('a large message comes in pieces, and its chunks go back when it does', () => {
  const { source, lent } = scene()
  const wire = onWire(LARGE, SMALL)
  source.lend(wire.subarray(0, 5000))
  expect(lent).toEqual([])
  source.lend(wire.subarray(5000))
  expect(lent.map(({ message }) => pieces(message).length)).toEqual([2, 1])
  expect(source.out.size).toBe(2)
  const [large, small] = lent as [Lent, Lent]
  expect(whole(large.message).equals(LARGE)).toBe(true)
  large.loan!.release()
  large.loan!.release() // again: it is not his any more
  expect(source.out.size, 'the second chunk has the small one').toBe(1)
  expect(whole(small.message).equals(SMALL)).toBe(true)
  small.loan!.release()
  expect(source.out.size).toBe(0)
  expect(source.kept).toBe(0)
})

test('whoever keeps a message keeps all its chunks', () => {
  const { source, lent } = scene()
  const wire = onWire(LARGE)
  for (let at = 0; at < wire.length; at += 4000) source.lend(wire.subarray(at, at + 4000))
  lent[0]!.loan!.keep()
  expect([source.out.size, source.kept]).toEqual([0, 3])
  expect(whole(lent[0]!.message).equals(LARGE)).toBe(true)
})

test('wherever a message is cut, its first bytes lie together', () => {
  const wire = onWire(LARGE)
  for (let at = 1; at < HEAD_BYTES + 10; at++) {
    const { source, lent } = scene()
    source.lend(wire.subarray(0, at))
    source.lend(wire.subarray(at, at + 3))
    source.lend(wire.subarray(at + 3))
    const { message, loan } = lent[0]!
    expect(pieces(message)[0]!.length, `cut at ${at}`).toBeGreaterThanOrEqual(HEAD_BYTES)
    expect(whole(message).equals(LARGE)).toBe(true)
    loan?.release()
    expect(source.out.size).toBe(0)
  }
})

test.each([
  [40_000, 0],
  [20_000, 1],
  [10_000, 3],
])('in chunks of %i bytes, hardly filled, a message of 9,000 holds %i', (memory, chunks) => {
  const { source, lent } = scene()
  const wire = onWire(LARGE)
  for (let at = 0; at < wire.length; at += 2000) {
    source.lend(wire.subarray(at, at + 2000), memory)
    expect(source.out.size).toBeLessThanOrEqual(chunks)
  }
  expect(source.out.size).toBe(chunks)
  expect(whole(lent[0]!.message).equals(LARGE)).toBe(true)
  lent[0]!.loan?.release()
  source.lend(onWire(SMALL), memory) // whoever gets all of one may judge for himself
  expect(source.out.size).toBe(1)
  lent[1]!.loan!.release()
  expect(source.out.size).toBe(0)
})

test('of many parts of one chunk it is counted once', () => {
  const { source, lent } = scene()
  const memory = Buffer.allocUnsafeSlow(30_000)
  const wire = onWire(LARGE)
  wire.copy(memory, 5)
  for (let at = 0; at < wire.length; at += 3000) {
    source.lendAs(memory.subarray(5 + at, 5 + Math.min(at + 3000, wire.length)))
  }
  expect(pieces(lent[0]!.message).length).toBe(4)
  expect(pieces(lent[0]!.message).every(piece => piece.buffer === memory.buffer)).toBe(true)
})

test('a message that is small, or in many pieces, is joined, and its chunks go back at once', () => {
  const { source, lent } = scene()
  source.lend(onWire(SMALL).subarray(0, 100))
  source.lend(onWire(SMALL).subarray(100))
  const wire = onWire(LARGE)
  for (let at = 0; at < wire.length; at += 200) source.lend(wire.subarray(at, at + 200))
  expect(source.out.size).toBe(0)
  expect(lent.map(({ message }) => message instanceof Uint8Array)).toEqual([true, true])
  expect(
    lent.map(({ message }) => whole(message).equals(message === lent[0]!.message ? SMALL : LARGE)),
  ).toEqual([true, true])
})

test('what others see as well is whole, and nobody changes it', () => {
  const { source, pipe, seen, lent } = scene()
  const onlooker: Buffer[] = []
  pipe.on('data', (message: Buffer) => onlooker.push(message))
  const wire = onWire(LARGE)
  source.lend(wire.subarray(0, 5000))
  source.lend(wire.subarray(5000))
  expect(lent).toEqual([])
  expect([source.out.size, source.kept], 'both are kept').toEqual([0, 2])
  return new Promise<void>(resolve => setImmediate(resolve)).then(() => {
    expect([seen, onlooker].map(all => all.length === 1 && all[0]!.equals(LARGE))).toEqual([
      true,
      true,
    ])
  })
})

test('what has come of a message goes back when the pipe is destroyed', async () => {
  const { source, pipe, lent } = scene()
  source.lend(onWire(LARGE).subarray(0, 5000))
  pipe.destroy()
  source.lend(onWire(LARGE).subarray(5000))
  await new Promise(resolve => pipe.on('close', resolve))
  expect(lent).toEqual([])
  expect(source.out.size).toBe(0)
})

test.each([1, 2, 3, 4, 5])(
  'messages of all sizes, cut anywhere, come as they were (seed %i)',
  seed => {
    const random = rng(seed)
    const { source, lent } = scene()
    const messages = Array.from({ length: 60 }, (_, i) =>
      text(random.integer(0, i % 3 ? 200 : 20_000), i),
    )
    const wire = onWire(...messages)
    const [got, loans]: [Buffer[], (Loan | undefined)[]] = [[], []]
    for (let at = 0; at < wire.length;) {
      const end = at + random.integer(1, random.integer(0, 1) ? 50 : 8000)
      source.lend(wire.subarray(at, end))
      at = end
      for (const { message, loan } of lent.splice(0)) {
        got.push(Buffer.from(whole(message)))
        expect(sizeOf(message)).toBe(got.at(-1)!.length)
        loans.push(loan)
      }
      while (loans.length > random.integer(0, 4)) loans.shift()?.release()
    }
    expect(Buffer.concat(got).equals(Buffer.concat(messages))).toBe(true)
    expect(got.map(({ length }) => length)).toEqual(messages.map(({ length }) => length))
    for (const loan of loans) loan?.release()
    expect([source.out.size, source.kept]).toEqual([0, 0])
  },
)
