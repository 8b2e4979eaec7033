import { expect, test } from 'vitest'
import { Outgoing } from '../src/pure/outgoing.ts'
import { INITIAL_CREDIT } from '../src/pure/wire.ts'

const size = (parts: Buffer[] | undefined) => parts && Buffer.concat(parts).length

test('it sends as far as the credit goes, and then waits', () => {
  const outgoing = new Outgoing()
  outgoing.write(Buffer.alloc(INITIAL_CREDIT + 5))
  expect(size(outgoing.next(Infinity))).toBe(INITIAL_CREDIT)
  expect(outgoing.next(Infinity)).toBeUndefined()
  expect([outgoing.queued, outgoing.offset]).toEqual([5, INITIAL_CREDIT])
  outgoing.credit(INITIAL_CREDIT + 3)
  expect(size(outgoing.next(Infinity))).toBe(3)
  expect(outgoing.next(Infinity)).toBeUndefined()
})

test('credit that comes late, out of order, takes nothing back', () => {
  const outgoing = new Outgoing()
  outgoing.credit(INITIAL_CREDIT + 10)
  outgoing.credit(5)
  outgoing.write(Buffer.alloc(INITIAL_CREDIT + 20))
  expect(size(outgoing.next(Infinity))).toBe(INITIAL_CREDIT + 10)
})

test('a parcel is no larger than asked for, whatever was written', () => {
  const outgoing = new Outgoing()
  for (const text of ['abc', 'd', 'efghij']) outgoing.write(Buffer.from(text))
  const parcels: string[] = []
  for (let parts = outgoing.next(4); parts; parts = outgoing.next(4)) {
    parcels.push(Buffer.concat(parts).toString())
  }
  expect(parcels).toEqual(['abcd', 'efgh', 'ij'])
})

test('many small chunks make a parcel of few pieces', () => {
  const outgoing = new Outgoing()
  const text = 'a parcel of many single bytes'
  for (const letter of text) outgoing.write(Buffer.from(letter))
  const parts = outgoing.next(1000)!
  expect(Buffer.concat(parts).toString()).toBe(text)
  expect(parts.length).toBeLessThanOrEqual(8)
})
