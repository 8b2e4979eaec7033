import { expect, test } from 'vitest'
import { readInteger, writeInteger } from '@striper/core'

const LARGEST = Number.MAX_SAFE_INTEGER

test('every integer that is written is read again, and its bytes are those of a u64', () => {
  for (const value of [0, 1, 255, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 7, LARGEST]) {
    const message = Buffer.alloc(10, 0xff)
    writeInteger(message, value, 1)
    expect(message.readBigUInt64BE(1)).toBe(BigInt(value))
    expect([message[0], message[9]], 'nothing beside it').toEqual([0xff, 0xff])
    expect(readInteger(message, 1)).toBe(value)
  }
})

test('one of 2^53 or more is ERR_PIPE_PROTOCOL', () => {
  const message = Buffer.alloc(8)
  for (const value of [2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
    message.writeBigUInt64BE(value)
    expect(() => readInteger(message, 0)).toThrow(
      expect.objectContaining({ code: 'ERR_PIPE_PROTOCOL' }),
    )
  }
})
