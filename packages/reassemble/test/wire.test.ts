import { expect, test } from 'vitest'
import { BLOCKED, CREDIT, DATA, decode, encodeHeader, END } from '../src/pure/wire.ts'

const LARGEST = Number.MAX_SAFE_INTEGER

test('what is encoded is decoded, at every size of offset', () => {
  for (const offset of [0, 1, 255, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 7, LARGEST]) {
    expect(decode(encodeHeader(CREDIT, offset))).toEqual({ type: CREDIT, offset })
    expect(decode(encodeHeader(END, offset))).toEqual({ type: END, offset })
    const bytes = Buffer.from('some')
    const data = decode(Buffer.concat([encodeHeader(DATA, offset), bytes]))
    expect(data).toEqual({ type: DATA, offset, bytes })
  }
})

test('the bytes on the wire are those of docs/wire.md', () => {
  expect(encodeHeader(DATA, 0x01_0203_0405).toString('hex')).toBe('010000000102030405')
})

test('a message of every other type, at every length, is a protocol error', () => {
  for (let type = 0; type < 256; type++) {
    for (let length = 0; length <= 20; length++) {
      const message = Buffer.alloc(length)
      if (length > 0) message[0] = type
      const fits = length === 9 && (type === CREDIT || type === END || type === BLOCKED)
      if (fits || (length >= 9 && type === DATA)) expect(decode(message).type).toBe(type)
      else expect(() => decode(message)).toThrow(malformed)
    }
  }
})

test('an integer of 2^53 or more is a protocol error', () => {
  const message = Buffer.alloc(9)
  for (const type of [DATA, CREDIT, END]) {
    message[0] = type
    for (const integer of [2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
      message.writeBigUInt64BE(integer, 1)
      expect(() => decode(message)).toThrow(malformed)
    }
  }
})

const malformed: unknown = expect.objectContaining({ code: 'ERR_PIPE_PROTOCOL' })
