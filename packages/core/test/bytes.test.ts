import { ByteQueue } from '@striper/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const text = Buffer.from('0123456789abcdef')

/** A queue that holds the text, cut at these places. */
function cutAt(...places: number[]): ByteQueue {
  const queue = new ByteQueue()
  let start = 0
  for (const end of [...places, text.length]) {
    queue.push(text.subarray(start, end))
    start = end
  }
  return queue
}

test('take() gives the same bytes wherever two cuts fall', () => {
  for (let one = 0; one <= text.length; one++) {
    for (let two = one; two <= text.length; two++) {
      for (let count = 0; count <= text.length; count++) {
        const queue = cutAt(one, two)
        expect(queue.peek(count)).toEqual(text.subarray(0, count))
        expect(queue.length).toBe(text.length)
        expect(queue.take(count)).toEqual(text.subarray(0, count))
        expect(queue.length).toBe(text.length - count)
        expect(queue.take(queue.length)).toEqual(text.subarray(count))
      }
    }
  }
})

test('a slice that lies in one chunk is a view of it, one that straddles two is a copy', () => {
  const queue = cutAt(8)
  expect(queue.take(3).buffer).toBe(text.buffer)
  expect(queue.take(5).buffer).toBe(text.buffer)
  expect(cutAt(8).take(9)).toEqual(text.subarray(0, 9))
  const copy = cutAt(8).take(9)
  copy.fill(0)
  expect(text.toString()).toBe('0123456789abcdef')
})

test('takeUpTo() gives what lies together, uncopied, and nothing of an empty queue', () => {
  const queue = cutAt(3, 10)
  expect(queue.takeUpTo(2).toString()).toBe('01')
  expect(queue.takeUpTo(5).toString()).toBe('2')
  expect(queue.takeUpTo(100).toString()).toBe('3456789')
  expect(queue.takeUpTo(6).toString()).toBe('abcdef')
  expect(queue.takeUpTo(1)).toHaveLength(0)
})

test('more than there is is a RangeError, and nothing is lost by asking', () => {
  const queue = cutAt(4)
  expect(() => queue.take(17)).toThrow(new RangeError('17 bytes asked of 16'))
  expect(() => queue.peek(17)).toThrow(RangeError)
  expect(() => new ByteQueue().take(1)).toThrow(RangeError)
  expect(queue.take(16)).toEqual(text)
})

test('it behaves as one long Buffer does, whatever is pushed and taken', () => {
  const step = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map(bytes => ({ push: Buffer.from(bytes) })),
    fc.nat(60).map(take => ({ take })),
    fc.nat(60).map(upTo => ({ upTo })),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), steps => {
      const queue = new ByteQueue()
      let model = Buffer.alloc(0)
      for (const each of steps) {
        if ('push' in each) {
          queue.push(each.push)
          model = Buffer.concat([model, each.push])
        } else {
          const count = 'take' in each ? Math.min(each.take, model.length) : each.upTo
          const taken = 'take' in each ? queue.take(count) : queue.takeUpTo(count)
          expect(taken).toEqual(model.subarray(0, taken.length))
          if ('take' in each) expect(taken).toHaveLength(count)
          else if (count > 0 && model.length > 0) expect(taken.length).toBeGreaterThan(0)
          model = model.subarray(taken.length)
        }
        expect(queue.length).toBe(model.length)
      }
    }),
    { seed: 20, numRuns: 200 },
  )
})

test('a queue that is never empty lets go of what it has given', () => {
  const queue = new ByteQueue()
  const refs: WeakRef<Buffer>[] = []
  for (let i = 0; i < 300; i++) {
    const chunk = Buffer.from(new ArrayBuffer(1000))
    refs.push(new WeakRef(chunk))
    queue.push(chunk)
    if (i > 0) queue.takeUpTo(1000)
  }
  return new Promise<void>(resolve => setImmediate(resolve)).then(() => {
    globalThis.gc?.()
    expect(queue.length).toBe(1000)
    expect(refs.filter(ref => ref.deref() !== undefined).length).toBeLessThan(10)
  })
})
