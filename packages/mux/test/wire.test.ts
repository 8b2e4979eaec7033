import { expect, test } from 'vitest'
import * as wire from '../src/pure/wire.ts'

const LARGEST = Number.MAX_SAFE_INTEGER
const malformed: unknown = expect.objectContaining({ code: 'ERR_PIPE_PROTOCOL' })
const bytes = Buffer.from('some')
const integers = [0, 1, 255, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 7, LARGEST]

test('what is encoded is decoded, at every size of number', () => {
  for (const channel of integers) {
    const offset = LARGEST - channel
    for (const type of [wire.END, wire.CREDIT, wire.BLOCKED]) {
      expect(wire.decode(wire.encodeOffset(type, channel, offset))).toEqual({
        type,
        channel,
        offset,
      })
    }
    const data = Buffer.concat([wire.encodeOffset(wire.DATA, channel, offset), bytes])
    expect(wire.decode(data)).toEqual({ type: wire.DATA, channel, offset, bytes })
    const reset = wire.encodeReset(channel, 7, 'why')
    expect(wire.decode(reset)).toEqual({ type: wire.RESET, channel, code: 7, reason: 'why' })
    const goaway = wire.encodeGoaway(channel)
    expect(wire.decode(goaway)).toEqual({ type: wire.GOAWAY, opened: channel })
  }
})

test('an OPEN has its header, its priority and its first bytes', () => {
  for (const priority of [undefined, 'interactive', 'bulk'] as const) {
    for (const length of [0, 1, wire.MAX_HEADER_BYTES]) {
      const opening = { priority, header: Buffer.alloc(length, 'h') }
      const message = Buffer.concat([wire.encodeOpen(5, opening), bytes])
      expect(wire.decode(message)).toEqual({ type: wire.OPEN, channel: 5, opening, bytes })
    }
  }
})

test('a priority that is not known is none, so that there may be more', () => {
  const message = wire.encodeOpen(0, { priority: 'bulk', header: Buffer.alloc(0) })
  message[9] = 200
  expect(wire.decode(message)).toMatchObject({ opening: { priority: undefined } })
})

test('a message of every other type, or of a length that does not fit, is a protocol error', () => {
  const fits = (type: number, length: number) => {
    if (type === wire.OPEN) return length >= wire.OPEN_BYTES
    if (type === wire.DATA) return length > wire.DATA_BYTES
    if (type === wire.RESET) return length >= 10 && length <= 10 + wire.MAX_REASON_BYTES
    if (type === wire.GOAWAY) return length === 9
    return type >= wire.END && type <= wire.BLOCKED && length === wire.DATA_BYTES
  }
  for (let type = 0; type < 256; type++) {
    for (const length of [...Array(30).keys(), 10 + 256, 10 + 257]) {
      const message = Buffer.alloc(length)
      if (length > 0) message[0] = type
      if (length > 0 && fits(type, length)) expect(wire.decode(message).type).toBe(type)
      else expect(() => wire.decode(message), `${type}, ${length} bytes`).toThrow(malformed)
    }
  }
})

test('a header of one byte too many, or one that goes beyond its message, is a protocol error', () => {
  const message = wire.encodeOpen(0, { priority: undefined, header: Buffer.alloc(1025) })
  expect(() => wire.decode(message)).toThrow(malformed)
  const short = wire.encodeOpen(0, { priority: undefined, header: Buffer.alloc(9) })
  expect(() => wire.decode(short.subarray(0, -1))).toThrow(malformed)
})

test('an integer of 2^53 or more is a protocol error', () => {
  for (const [type, length, at] of [
    [wire.OPEN, 12, 1],
    [wire.DATA, 18, 1],
    [wire.DATA, 18, 9],
    [wire.END, 17, 9],
    [wire.RESET, 10, 1],
    [wire.GOAWAY, 9, 1],
  ] as const) {
    const message = Buffer.alloc(length)
    message[0] = type
    for (const integer of [2n ** 53n, 2n ** 64n - 1n]) {
      message.writeBigUInt64BE(integer, at)
      expect(() => wire.decode(message)).toThrow(malformed)
    }
  }
})

test('a header is a copy in memory of its own', () => {
  const large = Buffer.alloc(100_000)
  const open = wire.encodeOpen(0, { priority: undefined, header: Buffer.from('abc') })
  open.copy(large)
  const message = wire.decode(large.subarray(0, open.length))
  if (message.type !== wire.OPEN) throw new Error('no OPEN')
  expect(message.opening.header.buffer.byteLength).toBe(3)
})

test('a long reason is cut, and what a terminal would obey is not kept', () => {
  const message = wire.decode(wire.encodeReset(1, wire.ABORTED, 'x'.repeat(300)))
  expect(message).toMatchObject({ reason: 'x'.repeat(256) })
  const error = wire.resetError(wire.REFUSED, 'a\u001b[31mb\u202ec', true)
  expect(error).toMatchObject({ code: 'ERR_PIPE_CONNECT', sentence: 'the peer refused: a?[31mb?c' })
})

test('only who opened a channel can be refused it', () => {
  for (const code of [wire.REFUSED, wire.TOO_MANY, wire.GOING_AWAY]) {
    expect(wire.resetError(code, '', true).code).toBe('ERR_PIPE_CONNECT')
    expect(wire.resetError(code, '', false).code).toBe('ERR_PIPE_RESET')
  }
  for (const code of [wire.ABORTED, 99]) {
    expect(wire.resetError(code, '', true).code).toBe('ERR_PIPE_RESET')
  }
})
