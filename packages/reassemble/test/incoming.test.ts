import { whole } from '@striper/core'
import { rng } from '@striper/testkit'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Incoming, MAX_HELD_PARCELS } from '../src/pure/incoming.ts'
import { Outgoing } from '../src/pure/outgoing.ts'
import { INITIAL_CREDIT } from '../src/pure/wire.ts'

const WINDOW = 4 * INITIAL_CREDIT
const PROTOCOL: unknown = expect.objectContaining({ code: 'ERR_PIPE_PROTOCOL' })
const LIMIT: unknown = expect.objectContaining({ code: 'ERR_PIPE_LIMIT' })

function takeAll(incoming: Incoming): string {
  let all = ''
  for (let bytes = incoming.next(); bytes; bytes = incoming.next()) all += bytes.toString()
  return all
}

test('split, in any order, and put together again: what went in comes out', () => {
  const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 40 })
  fc.assert(
    fc.property(pieces, fc.integer({ min: 1, max: 200 }), fc.infiniteStream(fc.nat()), shuffled),
    { seed: 1, numRuns: 300 },
  )
})

function shuffled(chunks: Uint8Array[], parcelBytes: number, choices: Iterator<number>): void {
  const outgoing = new Outgoing()
  const incoming = new Incoming(INITIAL_CREDIT)
  for (const chunk of chunks) outgoing.write(Buffer.from(chunk))
  const parcels: { offset: number; bytes?: Buffer }[] = []
  for (;;) {
    const { offset } = outgoing
    const parts = outgoing.next(parcelBytes)
    if (!parts) break
    parcels.push({ offset, bytes: Buffer.concat(parts) })
  }
  parcels.push({ offset: outgoing.offset })
  const sent = Buffer.concat(chunks)
  const got: Buffer[] = []
  while (parcels.length > 0) {
    const [parcel] = parcels.splice((choices.next().value as number) % parcels.length, 1)
    if (parcel!.bytes) incoming.data(parcel!.offset, parcel!.bytes)
    else incoming.end(parcel!.offset)
    expect(incoming.held).toBeLessThanOrEqual(INITIAL_CREDIT)
    for (let bytes = incoming.next(); bytes; bytes = incoming.next()) got.push(whole(bytes))
    const length = got.reduce((sum, each) => sum + each.length, 0)
    expect(Buffer.concat(got).equals(sent.subarray(0, length)), 'a prefix at any time').toBe(true)
    expect(incoming.ended).toBe(parcels.length === 0)
  }
  expect(Buffer.concat(got).equals(sent)).toBe(true)
}

test('what is held is what has come and was not taken', () => {
  const incoming = new Incoming(WINDOW)
  incoming.data(4, Buffer.from('efg'))
  expect(incoming.held).toBe(3)
  expect(incoming.next()).toBeUndefined()
  incoming.data(0, Buffer.from('abcd'))
  expect(incoming.held).toBe(7)
  expect(takeAll(incoming)).toBe('abcdefg')
  expect(incoming.held).toBe(0)
})

const two = Buffer.from('xy')
const data =
  (offset: number, bytes = two) =>
  (incoming: Incoming) =>
    incoming.data(offset, bytes)
const end = (offset: number) => (incoming: Incoming) => incoming.end(offset)
const take = (incoming: Incoming) => void incoming.next()

const hostile: [string, unknown, ((incoming: Incoming) => void)[]][] = [
  ['bytes that wait come again', PROTOCOL, [data(5), data(5)]],
  ['bytes that were taken come again', PROTOCOL, [data(0), take, data(0)]],
  ['bytes come that begin in what was taken', PROTOCOL, [data(0), take, data(1)]],
  ['a parcel has no bytes', PROTOCOL, [data(0, Buffer.alloc(0))]],
  ['the end comes twice', PROTOCOL, [end(5), end(5)]],
  ['the end comes twice, elsewhere', PROTOCOL, [end(5), end(7)]],
  ['bytes go beyond the end', PROTOCOL, [end(5), data(4)]],
  ['bytes begin beyond the end', PROTOCOL, [end(5), data(50)]],
  ['the end lies before what has come', PROTOCOL, [data(0), end(1)]],
  ['the end lies before what was taken', PROTOCOL, [data(0), take, end(1)]],
  ['the end lies inside what waits', PROTOCOL, [data(10), end(11)]],
  ['one byte is beyond the credit', LIMIT, [data(INITIAL_CREDIT - 1)]],
  ['bytes are far beyond the credit', LIMIT, [data(Number.MAX_SAFE_INTEGER - 2)]],
]

for (const [what, error, steps] of hostile) {
  test(`an error: ${what}`, () => {
    const incoming = new Incoming(WINDOW)
    for (const step of steps.slice(0, -1)) step(incoming)
    expect(() => steps.at(-1)!(incoming)).toThrow(error)
  })
}

test('an end before the data that it follows is none', () => {
  const incoming = new Incoming(WINDOW)
  incoming.end(4)
  expect(incoming.ended).toBe(false)
  incoming.data(2, Buffer.from('cd'))
  expect(incoming.arrived).toBe(false)
  incoming.data(0, Buffer.from('ab'))
  expect(incoming.arrived).toBe(true)
  expect(takeAll(incoming)).toBe('abcd')
  expect(incoming.ended).toBe(true)
})

test('an end at 0 is an end at once', () => {
  const incoming = new Incoming(WINDOW)
  incoming.end(0)
  expect(incoming.ended).toBe(true)
})

test('credit may be used to its last byte', () => {
  const incoming = new Incoming(WINDOW)
  incoming.data(0, Buffer.alloc(INITIAL_CREDIT))
  expect(incoming.held).toBe(INITIAL_CREDIT)
  expect(incoming.next()).toHaveLength(INITIAL_CREDIT)
})

test('parcels that overlap cannot make more of the credit than there is', () => {
  const incoming = new Incoming(WINDOW)
  const half = Buffer.alloc(INITIAL_CREDIT / 2)
  incoming.data(1, half)
  incoming.data(2, half)
  expect(() => incoming.data(3, half)).toThrow(LIMIT)
})

test('parcels that wait are counted, too', () => {
  const incoming = new Incoming(WINDOW)
  const byte = Buffer.alloc(1)
  for (let i = 0; i < MAX_HELD_PARCELS; i++) incoming.data(2 * i + 1, byte)
  expect(() => incoming.data(2 * MAX_HELD_PARCELS + 1, byte)).toThrow(LIMIT)
})

test('regression: a reader that has stopped, of a writer of single bytes, has no limit but its credit', () => {
  const incoming = new Incoming(WINDOW)
  const sent = rng(9).bytes(INITIAL_CREDIT)
  for (let i = 0; i < INITIAL_CREDIT; i++) incoming.data(i, sent.subarray(i, i + 1))
  expect(incoming.held).toBe(INITIAL_CREDIT)
  expect(incoming.parcels).toBeLessThan(100)
  const got: Buffer[] = []
  for (let bytes = incoming.next(); bytes; bytes = incoming.next()) got.push(whole(bytes))
  expect(Buffer.concat(got).equals(sent)).toBe(true)
})

test('what is joined leaves alone the buffers of others, and what was taken', () => {
  const incoming = new Incoming(WINDOW)
  const [first, second, third] = ['ab', 'cd', 'ef'].map(text => Buffer.from(text))
  incoming.data(0, first!)
  incoming.data(2, second!)
  const taken = incoming.next()!
  incoming.data(4, third!)
  expect([taken, first, second, incoming.next()].map(String)).toEqual(['abcd', 'ab', 'cd', 'ef'])
})

test('bytes that come again behind what they were joined to are not read twice', () => {
  const incoming = new Incoming(WINDOW)
  incoming.data(1, Buffer.from('bc'))
  incoming.data(3, Buffer.from('de'))
  incoming.data(3, Buffer.from('DE'))
  incoming.data(0, Buffer.from('a'))
  expect(takeAll(incoming)).toBe('abcde')
  expect(() => incoming.data(3, two)).toThrow(PROTOCOL)
})

test('credit follows the reader, and is granted a good part of the window at a time', () => {
  const incoming = new Incoming(WINDOW)
  expect(incoming.grant(), 'at first: the whole window').toBe(WINDOW)
  expect(incoming.grant(), 'nothing was taken since').toBeUndefined()
  incoming.data(0, Buffer.alloc(WINDOW))
  expect(incoming.grant(), 'come, but not taken').toBeUndefined()
  incoming.next()
  expect(incoming.grant()).toBe(2 * WINDOW)
})

test('after the end no credit is granted', () => {
  const incoming = new Incoming(WINDOW)
  incoming.end(10)
  expect(incoming.grant()).toBeUndefined()
})
