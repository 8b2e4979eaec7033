// docs/wire.md is for whoever writes a second implementation, so what it shows is read here with
// the real code: each line of its sessions, and each of its limits.

import { readFileSync } from 'node:fs'
import { memoryPair, ready, whole } from '@striper/core'
import { FrameCodec } from '@striper/frame'
import { LANE_MESSAGE_BYTES } from '@striper/stripe'
import { GreetedPipe } from '@striper/trunk'
import { expect, test } from 'vitest'
import { MAX_REFUSALS_DUE } from '../../mux/src/pure/core.ts'
import { MAX_MISSING } from '../../mux/src/pure/seen.ts'
import { MAX_HELD_IN_ALL } from '../../mux/src/pure/stock.ts'
import * as mux from '../../mux/src/pure/wire.ts'
import { MAX_HELD_PARCELS } from '../../reassemble/src/pure/incoming.ts'
import * as stream from '../../reassemble/src/pure/wire.ts'
import * as wire from '../src/pure/wire.ts'

const doc = readFileSync(new URL('../../../docs/wire.md', import.meta.url), 'utf8')

/** `> 0  0000 001e …` and, on the next line, what it is in words. */
const lines = [...doc.matchAll(/^[<>] \d {2}([0-9a-f ]+)\n +(\S.*)$/gm)].map(
  ([, hex = '', words]) => [Buffer.from(hex.replaceAll(' ', ''), 'hex'), words] as const,
)

async function read(bytes: Buffer): Promise<string> {
  if (bytes.toString('latin1', 0, 7) === 'STRIPER') return readGreeting(bytes)
  const messages: Buffer[] = []
  const codec = new FrameCodec(LANE_MESSAGE_BYTES)
  codec.decode(bytes, message => messages.push(message))
  codec.finish()
  return messages.map(each => (each[0]! < mux.OPEN ? words(each) : muxWords(each))).join('; ')
}

async function readGreeting(bytes: Buffer): Promise<string> {
  const [near, far] = memoryPair()
  near.write(bytes)
  const { session } = await ready(new GreetedPipe(far))
  return `greeting, session ${session.toString('hex')}`
}

function words(bytes: Buffer): string {
  const message = wire.decode(bytes)
  switch (message.type) {
    case wire.HELLO: {
      const { mayOpen, lane, limit } = message.hello
      return `HELLO ${mayOpen ? 'may open' : 'may not open'}, lane ${lane}, limit ${limit}`
    }
    case wire.PARCEL:
      return `PARCEL ${message.number}: ${streamWords(whole(message.bytes))}`
    case wire.END:
      return `END ${message.number}`
    case wire.ACK: {
      const { floor, limit, lanes } = message.ack
      const each = lanes.map(({ lane, received, delayMs }) => {
        return `, lane ${lane} received ${received}, ${Math.round(delayMs * 1000)} µs ago`
      })
      return `ACK floor ${floor}, limit ${limit}${each.join('')}`
    }
    case wire.PING:
    case wire.PONG:
      return `${message.type === wire.PING ? 'PING' : 'PONG'} ${message.token}`
    case wire.ABORT:
      return `ABORT ${message.code} '${message.reason}'`
    case wire.LEAVE:
      return 'LEAVE'
  }
}

const STREAM_NAMES = { [stream.CREDIT]: 'CREDIT', [stream.END]: 'END', [stream.BLOCKED]: 'BLOCKED' }

function streamWords(bytes: Buffer): string {
  const message = stream.decode(bytes)
  if (message.type === stream.DATA) return `DATA ${message.offset} '${String(message.bytes)}'`
  return `${STREAM_NAMES[message.type]} ${message.offset}`
}

const MUX_NAMES = { [mux.END]: 'END', [mux.CREDIT]: 'CREDIT', [mux.BLOCKED]: 'BLOCKED' }

function muxWords(bytes: Buffer): string {
  const message = mux.decode(bytes)
  switch (message.type) {
    case mux.OPEN:
      return `OPEN ${message.channel} '${String(message.opening.header)}' '${String(message.bytes)}'`
    case mux.DATA:
      return `DATA ${message.channel} at ${message.offset} '${String(message.bytes)}'`
    case mux.RESET:
      return `RESET ${message.channel} code ${message.code} '${message.reason}'`
    case mux.GOAWAY:
      return `GOAWAY ${message.opened}`
    default:
      return `${MUX_NAMES[message.type]} ${message.channel} at ${message.offset}`
  }
}

test('each line of the sessions in docs/wire.md is what the document says it is', async () => {
  expect(lines.length).toBeGreaterThan(20)
  const said = await Promise.all(lines.map(([bytes]) => read(bytes)))
  expect(said).toEqual(lines.map(([, words]) => words))
})

test('the limits in docs/wire.md are those of the code', () => {
  const stated: Record<string, number> = {}
  for (const [, name, value] of doc.matchAll(/^\| `(\w+)` +\| ([\d,]+) /gm)) {
    stated[name!] = Number(value!.replaceAll(',', ''))
  }
  expect(stated).toEqual({
    LANE_MESSAGE_BYTES,
    MAX_HEADER_BYTES: mux.MAX_HEADER_BYTES,
    MAX_HELD_IN_ALL,
    MAX_HELD_PARCELS,
    MAX_MISSING,
    MAX_PARCELS_UNDER_WAY: wire.MAX_PARCELS_UNDER_WAY,
    MAX_REFUSALS_DUE,
    SESSION_CREDIT: wire.INITIAL_CREDIT,
    STREAM_CREDIT: stream.INITIAL_CREDIT,
  })
})
