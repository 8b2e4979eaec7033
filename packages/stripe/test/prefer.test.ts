import { expect, test } from 'vitest'
import { decodePrefer, encodePrefer, PREFER, samePreference } from '../src/pure/prefer.ts'

test('what is encoded is decoded, in thousandths, within what a u32 has room for', () => {
  for (const [weight, heard] of [
    [1, 1],
    [0.5, 0.5],
    [2.0004, 2],
    [1e-9, 0.001],
    [1e12, 4_294_967.295],
    [Infinity, 4_294_967.295],
  ] as const) {
    for (const backup of [true, false]) {
      expect(decodePrefer(encodePrefer({ weight, backup }))).toEqual({ weight: heard, backup })
    }
  }
})

test('the bytes on the wire are those of docs/wire.md', () => {
  expect(encodePrefer({ weight: 0.5, backup: true }).toString('hex')).toBe('1901000001f4')
})

test('a weight of 0, and another length, are protocol errors', () => {
  const failure: unknown = expect.objectContaining({ code: 'ERR_PIPE_PROTOCOL' })
  for (const message of [Buffer.from('190000000000', 'hex'), Buffer.of(PREFER)]) {
    expect(() => decodePrefer(message)).toThrow(failure)
  }
  expect(() => decodePrefer(Buffer.alloc(7, 1))).toThrow(failure)
})

test('two preferences are the same where nobody can tell them apart on the wire', () => {
  expect(samePreference({ weight: 1, backup: false }, { weight: 1.0001, backup: false })).toBe(true)
  expect(samePreference({ weight: 1, backup: false }, { weight: 1.001, backup: false })).toBe(false)
  expect(samePreference({ weight: 1, backup: false }, { weight: 1, backup: true })).toBe(false)
})
