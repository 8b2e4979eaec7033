// Objects that count bytes keep their shape when a count passes 2^31: V8 would else throw all code
// away that it has compiled for them, in the middle of a busy stream. V8 itself is asked.

import { memoryPair, type Message } from '@striper/core'
import { setFlagsFromString } from 'node:v8'
import { runInThisContext } from 'node:vm'
import { expect, test } from 'vitest'
import { Incoming } from '../../reassemble/src/pure/incoming.ts'
import { Outgoing } from '../../reassemble/src/pure/outgoing.ts'
import { Lane } from '../src/pure/lane.ts'
import { Meter } from '../src/pure/meter.ts'
import { Receiver } from '../src/pure/receiver.ts'

setFlagsFromString('--allow-natives-syntax')
const isAlike = runInThisContext('(a, b) => %HaveSameMap(a, b)') as (
  a: object,
  b: object,
) => boolean

const MANY = 3e9
/** A piece of so many bytes that are not there. */
const piece = (bytes: number): Buffer =>
  ({
    length: bytes,
    buffer: { byteLength: bytes },
    subarray: (from: number, end: number) => piece(end - from),
  }) as unknown as Buffer

/** Calls back for so many bytes, as large pieces, each with the bytes before it. */
function inPieces(bytes: number, each: (size: number, before: number) => void): void {
  const size = Math.min(bytes, 1e6)
  for (let before = 0; before < bytes; before += size) each(size, before)
}

/** Each made anew, and used with so many bytes. */
const counters: Record<string, (bytes: number) => object> = {
  'the stats of a pipe': bytes => {
    const stats = memoryPair()[0].stats as { bytesIn: number; bytesOut: number }
    stats.bytesIn += bytes
    stats.bytesOut += bytes
    return stats
  },
  'a lane': bytes => {
    const lane = new Lane(0, 'lane', 0)
    lane.bytesIn += bytes
    lane.bytesOut += bytes
    return lane
  },
  'a meter': bytes => {
    const meter = new Meter(0, 0.5)
    inPieces(bytes, size => meter.acked(size, 1.5, meter.sent(0, 1.5), 0.5, 9.5))
    return meter
  },
  'a receiver': bytes => {
    const receiver = new Receiver(2 ** 40)
    const lane = new Lane(0, 'lane', 0)
    let number = 0
    inPieces(bytes, size => {
      receiver.receive(number++, size, false, lane, 0.5)
      receiver.taken(size, 0.5)
      receiver.ack([], 1.5)
    })
    return receiver
  },
  'the receiving half of a stream': bytes => {
    const incoming = new Incoming(2 ** 40, 2 ** 40)
    incoming.grant()
    inPieces(bytes, (size, before) => {
      incoming.data(before, [piece(size)] as Message)
      incoming.next()
    })
    return incoming
  },
  'the sending half of a stream': bytes => {
    const outgoing = new Outgoing()
    outgoing.credit(2 * bytes)
    inPieces(bytes, size => {
      outgoing.write(piece(size))
      outgoing.next(size)
    })
    return outgoing
  },
}

for (const [name, make] of Object.entries(counters)) {
  test(`${name} has after ${MANY} bytes the shape that it had after 1000`, () => {
    const few = make(1000)
    make(MANY)
    expect(isAlike(few, make(1000))).toBe(true)
    expect(isAlike(few, make(MANY))).toBe(true)
  })
}
