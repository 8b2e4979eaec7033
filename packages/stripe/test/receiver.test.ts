import { expect, test } from 'vitest'
import { Lane } from '../src/pure/lane.ts'
import { Receiver } from '../src/pure/receiver.ts'
import { INITIAL_CREDIT, MAX_PARCELS_UNDER_WAY } from '../src/pure/wire.ts'

const WINDOW = 4 * INITIAL_CREDIT
const PROTOCOL: unknown = expect.objectContaining({ code: 'ERR_PIPE_PROTOCOL' })
const LIMIT: unknown = expect.objectContaining({ code: 'ERR_PIPE_LIMIT' })

function receiving() {
  const receiver = new Receiver(WINDOW)
  const lanes = [new Lane(0, 'lane 0', 0), new Lane(1, 'lane 1', 0)] as const
  const parcel = (number: number, bytes = 10, lane: Lane = lanes[0], now = 0) =>
    receiver.receive(number, bytes, false, lane, now)
  const end = (number: number) => receiver.receive(number, 0, true, lanes[0], 0)
  const ack = (now = 0) => receiver.ack(lanes, now)
  return { receiver, lanes, parcel, end, ack }
}

test('each parcel is passed on once, whichever lane brings it first', () => {
  const { receiver, lanes, parcel } = receiving()
  expect(parcel(0)).toBe(true)
  expect(parcel(0, 10, lanes[1])).toBe(false)
  expect(parcel(2)).toBe(true)
  expect(parcel(2)).toBe(false)
  expect(parcel(1)).toBe(true)
  expect(parcel(1)).toBe(false)
  expect(receiver.duplicates).toBe(3)
})

test('the floor is the first number that is missing', () => {
  const { parcel, ack } = receiving()
  expect(ack().floor).toBe(0)
  parcel(0)
  expect(ack().floor).toBe(1)
  parcel(3)
  parcel(2)
  expect(ack().floor).toBe(1)
  parcel(1)
  expect(ack().floor).toBe(4)
})

test('an ACK names the lanes on which something came since the last, and how long ago', () => {
  const { lanes, parcel, ack } = receiving()
  parcel(0, 10, lanes[1], 100)
  parcel(1, 10, lanes[1], 103)
  expect(ack(108).lanes).toEqual([{ lane: 1, received: 2, delayMs: 5 }])
  expect(ack(109).lanes).toEqual([])
  parcel(2, 10, lanes[0], 110)
  parcel(2, 10, lanes[1], 111) // a copy is counted: it has left its lane
  expect(ack(111).lanes).toEqual([
    { lane: 0, received: 1, delayMs: 1 },
    { lane: 1, received: 3, delayMs: 0 },
  ])
})

test('an ACK is due soon after a parcel came, and not before', () => {
  const { receiver, parcel, ack } = receiving()
  expect(receiver.ackAt).toBeUndefined()
  parcel(0)
  expect(receiver.ackAt).toBeLessThanOrEqual(10)
  ack()
  expect(receiver.ackAt).toBeUndefined()
})

test('credit is what the reader took, and the window; copies use none', () => {
  const { receiver, lanes, parcel, ack } = receiving()
  expect([receiver.limit, ack().limit]).toEqual([WINDOW, WINDOW])
  parcel(0, WINDOW)
  expect(parcel(0, WINDOW, lanes[1])).toBe(false)
  expect(ack().limit, 'come, but not taken').toBe(WINDOW)
  receiver.taken(WINDOW, 0)
  expect(receiver.ackAt, 'worth telling').toBeDefined()
  expect(ack().limit).toBe(2 * WINDOW)
})

test('a parcel may use the last byte of credit, and not one more', () => {
  const { parcel } = receiving()
  parcel(0, WINDOW - 10)
  expect(parcel(1, 10)).toBe(true)
  expect(() => parcel(2, 1)).toThrow(LIMIT)
})

test('credit that was not told yet may not be used', () => {
  const { receiver, parcel, ack } = receiving()
  parcel(0, WINDOW)
  receiver.taken(WINDOW, 0)
  expect(() => parcel(1, 1)).toThrow(LIMIT)
  ack()
  expect(parcel(2, 1)).toBe(true)
})

test('a number may be so far beyond the first that is missing, and no farther', () => {
  const { parcel } = receiving()
  expect(parcel(MAX_PARCELS_UNDER_WAY - 1)).toBe(true)
  expect(() => parcel(MAX_PARCELS_UNDER_WAY)).toThrow(LIMIT)
  parcel(0)
  expect(parcel(MAX_PARCELS_UNDER_WAY)).toBe(true)
  expect(() => parcel(Number.MAX_SAFE_INTEGER)).toThrow(LIMIT)
})

test('an END before what it follows ends nothing until that has come', () => {
  const { receiver, parcel, end } = receiving()
  end(2)
  parcel(1)
  expect(receiver.ended).toBe(false)
  parcel(0)
  expect(receiver.ended).toBe(true)
})

test('an END that comes again is dropped like any copy', () => {
  const { receiver, end } = receiving()
  expect(end(0)).toBe(true)
  expect(end(0)).toBe(false)
  expect(receiver.ended).toBe(true)
})

const breaches: [string, (r: ReturnType<typeof receiving>) => unknown][] = [
  ['a second END', r => (r.end(3), r.end(2))],
  ['a later END', r => (r.end(3), r.end(4))],
  ['a parcel after the END', r => (r.end(3), r.parcel(4))],
  ['an END before a parcel that came', r => (r.parcel(4), r.end(3))],
]
for (const [name, breach] of breaches) {
  test(`${name} is a protocol error`, () => expect(() => breach(receiving())).toThrow(PROTOCOL))
}
