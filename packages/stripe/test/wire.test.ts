import { expect, test } from 'vitest'
import * as wire from '../src/pure/wire.ts'

const LARGEST = Number.MAX_SAFE_INTEGER
const INTEGERS = [0, 1, 255, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 45 + 9, LARGEST]
const SESSION = Buffer.from('0123456789abcdef')
const malformed: unknown = expect.objectContaining({ code: 'ERR_PIPE_PROTOCOL' })

test('what is encoded is decoded, whatever its integers', () => {
  for (const n of INTEGERS) {
    const u32 = n % 2 ** 32
    for (const mayOpen of [true, false]) {
      const hello = { mayOpen, lane: u32, session: SESSION, limit: n }
      expect(wire.decode(wire.encodeHello(hello))).toEqual({ type: wire.HELLO, hello })
    }
    const end = wire.encodeNumbered(wire.END, n)
    expect(wire.decode(end)).toEqual({ type: wire.END, number: n })
    const bytes = Buffer.from('parcel')
    const parcel = Buffer.concat([wire.encodeNumbered(wire.PARCEL, n), bytes])
    expect(wire.decode(parcel)).toEqual({ type: wire.PARCEL, number: n, bytes })
    const lanes = [0, 1, 40].map(lane => ({ lane, received: n, delayMs: 0.125 * lane }))
    for (const named of [lanes, lanes.slice(0, 1), []]) {
      const ack = { floor: n, limit: n, lanes: named }
      expect(wire.decode(wire.encodeAck(ack))).toEqual({ type: wire.ACK, ack })
    }
    for (const type of [wire.PING, wire.PONG] as const) {
      expect(wire.decode(wire.encodeToken(type, u32))).toEqual({ type, token: u32 })
    }
  }
  expect(wire.decode(wire.encodeLeave())).toEqual({ type: wire.LEAVE })
  const abort = { type: wire.ABORT, code: wire.LIMIT, reason: 'trop, zu viel, 多' }
  expect(wire.decode(wire.encodeAbort(abort.code, abort.reason))).toEqual(abort)
})

test('a delay too long for its field is the longest that fits', () => {
  const ack = { floor: 0, limit: 0, lanes: [{ lane: 0, received: 1, delayMs: 1e9 }] }
  const decoded = wire.decode(wire.encodeAck(ack)) as { ack: wire.Ack }
  expect(decoded.ack.lanes[0]!.delayMs).toBeCloseTo((2 ** 32 - 1) / 1000)
})

test('a reason too long for an ABORT is cut short', () => {
  const abort = wire.encodeAbort(wire.PROTOCOL, 'x'.repeat(10_000))
  expect(wire.decode(abort)).toMatchObject({ type: wire.ABORT, reason: 'x'.repeat(256) })
})

/** Which lengths a type may have. */
const LENGTHS: Record<number, (length: number) => boolean> = {
  [wire.HELLO]: length => length === 30,
  [wire.PARCEL]: length => length >= 9,
  [wire.END]: length => length === 9,
  [wire.ACK]: length => length >= 17 && (length - 17) % 16 === 0,
  [wire.PING]: length => length === 5,
  [wire.PONG]: length => length === 5,
  [wire.ABORT]: length => length >= 2 && length <= 258,
  [wire.LEAVE]: length => length === 1,
}

test('a message of every other type, at every length, is a protocol error', () => {
  const lengths = [...Array(50).keys(), 256, 257, 258].map(index => index + 1)
  expect(() => wire.decode(Buffer.alloc(0))).toThrow(malformed)
  for (let type = 0; type < 256; type++) {
    for (const length of lengths) {
      const message = Buffer.alloc(length)
      message[0] = type
      if (LENGTHS[type]?.(length)) expect(wire.decode(message).type).toBe(type)
      else expect(() => wire.decode(message)).toThrow(malformed)
    }
  }
})

test('an integer of 2^53 or more is a protocol error, wherever it stands', () => {
  const places: [number, number, number][] = [
    [wire.HELLO, 30, 22],
    [wire.PARCEL, 20, 1],
    [wire.END, 9, 1],
    [wire.ACK, 17, 1],
    [wire.ACK, 17, 9],
    [wire.ACK, 33, 21],
  ]
  for (const [type, length, at] of places) {
    const message = Buffer.alloc(length)
    message[0] = type
    for (const integer of [2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
      message.writeBigUInt64BE(integer, at)
      expect(() => wire.decode(message)).toThrow(malformed)
    }
    message.writeBigUInt64BE(2n ** 53n - 1n, at)
    expect(() => wire.decode(message)).not.toThrow()
  }
})
