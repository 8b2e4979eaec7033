// Messages that straddle chunks, and who has their memory.

import { type Borrower, type Lender, type Loan, PipeBase } from '@striper/core'
import { frame } from '@striper/frame'
import { afterEach, expect, test } from 'vitest'
import { joinedChunks } from '../src/frame.ts'

const BYTES = 40_000

afterEach(() => expect(joinedChunks.lent, 'chunks that are lent at rest').toBe(0))

/** A byte pipe that gives what the test says. */
class Source extends PipeBase<'bytes'> {
  constructor() {
    super({ kind: 'bytes', label: 'source' })
  }

  override _read(): void {
    // Chunks come when the test gives them.
  }
}

type Lent = { message: Buffer; loan: Loan | undefined }

/** A frame whose messages come in two chunks each, lent to the test. */
function scene() {
  const source = new Source()
  const pipe = frame()(source)
  const [seen, lent]: [Buffer[], Lent[]] = [[], []]
  pipe.on('error', () => undefined)
  pipe.on('data', (message: Buffer) => seen.push(message))
  const borrower: Borrower = { borrow: (message, loan) => lent.push({ message, loan }) }
  ;(pipe as unknown as Lender).lendTo(borrower)
  const give = async (byte: number, bytes = BYTES) => {
    const wire = Buffer.alloc(4 + bytes, byte)
    wire.writeUInt32BE(bytes)
    source.push(wire.subarray(0, 1000))
    source.push(wire.subarray(1000))
    await new Promise(setImmediate)
  }
  return { pipe, seen, lent, give }
}

const isAll = (message: Buffer, byte: number) => message.equals(Buffer.alloc(BYTES, byte))

test('who borrows a joined message has it until he gives it back; then it is used again', async () => {
  const { lent, give } = scene()
  await give(1)
  await give(2)
  const [one, two] = lent as [Lent, Lent]
  expect([isAll(one.message, 1), isAll(two.message, 2)]).toEqual([true, true])
  expect(joinedChunks.lent).toBe(2)
  one.loan!.release()
  await give(3)
  const three = lent[2]!
  expect(three.message.buffer, 'the memory that came back').toBe(one.message.buffer)
  expect([isAll(two.message, 2), isAll(three.message, 3)]).toEqual([true, true])
  one.loan!.release() // again: it is not his any more
  await give(4)
  expect(isAll(three.message, 3)).toBe(true)
  for (const { loan } of lent) loan!.release()
})

test('what others see as well, or is small, has memory of its own', async () => {
  const { pipe, seen, lent, give } = scene()
  await give(1, 10_000)
  await give(2, 66_560)
  lent[1]!.loan!.release() // 65 KiB: the largest that frame takes by default
  expect(lent[0]!.loan).toBeUndefined()
  expect(lent[0]!.message.buffer.byteLength).toBeLessThan(20_000)
  const onlooker: Buffer[] = []
  pipe.on('data', (message: Buffer) => onlooker.push(message))
  for (let byte = 3; byte < 9; byte++) await give(byte)
  expect(lent.length).toBe(2)
  expect(seen.map((message, index) => isAll(message, index + 3))).toEqual(Array(6).fill(true))
  expect(onlooker.length).toBe(6)
})
