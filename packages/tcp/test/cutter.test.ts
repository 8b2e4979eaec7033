// A chunk for several reads: each has bytes of its own, and the chunk goes back when all are done.

import { ChunkStock } from '@striper/core'
import { expect, test } from 'vitest'
import { Cutter } from '../src/cutter.ts'

const CHUNK_BYTES = 1000
const LEAST_BYTES = 100

function scene() {
  const stock = new ChunkStock(CHUNK_BYTES, 10)
  const cutter = new Cutter(stock, LEAST_BYTES)
  const read = (bytes: number, fill: number) => {
    const open = cutter.open()
    open.memory.fill(fill, open.filled, open.filled + bytes)
    return open.cut(bytes)
  }
  return { stock, cutter, read }
}

test('reads lie behind one another in one chunk, and none changes another', () => {
  const { stock, read } = scene()
  const parts = [300, 1, 500].map((bytes, index) => read(bytes, index))
  expect(parts.map(({ chunk }) => [chunk.length, chunk.byteOffset])).toEqual([
    [300, 0],
    [1, 300],
    [500, 301],
  ])
  expect(parts.every(({ chunk }, index) => chunk.every(byte => byte === index))).toBe(true)
  expect([stock.lent, stock.free]).toEqual([1, 0])
})

test('a chunk with less room than a read should have gets no more', () => {
  const { cutter, read } = scene()
  const first = read(CHUNK_BYTES - LEAST_BYTES, 1)
  expect(cutter.open().room).toBe(LEAST_BYTES)
  read(1, 2)
  const next = read(10, 3)
  expect(next.chunk.buffer).not.toBe(first.chunk.buffer)
  expect(next.chunk.byteOffset).toBe(0)
})

test('a chunk goes back when the last of its loans is over, and is filled from its beginning', () => {
  const { stock, read } = scene()
  const [a, b] = [read(10, 1), read(10, 2)]
  a.loan.release()
  a.loan.release() // a second time does nothing
  expect([stock.lent, stock.free]).toEqual([1, 0])
  b.loan.release()
  expect([stock.lent, stock.free]).toEqual([0, 1])
  const c = read(10, 3)
  expect(c.chunk.buffer).toBe(a.chunk.buffer)
  expect(c.chunk.byteOffset).toBe(0)
})

test('a chunk of which one part is kept is never used again', () => {
  const { stock, read } = scene()
  const [a, b] = [read(10, 1), read(10, 2)]
  a.loan.keep()
  const c = read(10, 3) // of the same chunk: who keeps a part of it has no more than that
  expect(c.chunk.buffer).toBe(a.chunk.buffer)
  b.loan.release()
  c.loan.release()
  expect([stock.lent, stock.free]).toEqual([0, 0])
  expect(read(10, 4).chunk.buffer).not.toBe(a.chunk.buffer)
  expect([...a.chunk]).toEqual(Array(10).fill(1))
})

test('a read that brings nothing leaves no chunk lent, and takes none from others', () => {
  const { stock, cutter, read } = scene()
  cutter.open().leave()
  expect([stock.lent, stock.free]).toEqual([0, 1])
  const a = read(10, 1)
  cutter.open().leave()
  expect(stock.lent).toBe(1)
  a.loan.release()
  expect([stock.lent, stock.free]).toEqual([0, 1])
})
