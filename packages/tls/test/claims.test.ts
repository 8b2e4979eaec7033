// How long the messages of a handshake may say that they are.

import { memoryPair } from '@striper/core'
import { newSecret, tlsServer } from '@striper/tls'
import { expect, test } from 'vitest'
import { Claims, MAX_CLAIM_BYTES } from '../src/claims.ts'
import { failureOf } from './scene.ts'

/** A record of that type. */
function record(type: number, payload: Buffer): Buffer {
  const head = Buffer.of(type, 3, 1, 0, 0)
  head.writeUInt16BE(payload.length, 3)
  return Buffer.concat([head, payload])
}

/** A message of a handshake that claims so many bytes, and has `has` of them. */
function message(claims: number, has = claims): Buffer {
  const bytes = Buffer.alloc(4 + has)
  bytes[0] = 1
  bytes.writeUIntBE(claims, 1, 3)
  return bytes
}

/** What is found in bytes, whole and in pieces of each size. */
function found(...parts: Buffer[]): (number | undefined)[] {
  const all = Buffer.concat(parts)
  const each = [1, 2, 3, 5, 7, all.length].map(size => {
    const claims = new Claims()
    for (let at = 0; at < all.length; at += size) {
      const length = claims.tooLong(all.subarray(at, at + size))
      if (length !== undefined) return length
    }
    return undefined
  })
  return [...new Set(each)]
}

const MOST = MAX_CLAIM_BYTES

test('a message may claim so much and not a byte more, however the bytes come', () => {
  expect(found(record(22, message(MOST, 100)))).toEqual([undefined])
  expect(found(record(22, message(MOST + 1, 0)))).toEqual([MOST + 1])
})

test('each message of a handshake is looked at: in one record, over several, behind another', () => {
  const long = message(100_000, 0)
  expect(found(record(22, Buffer.concat([message(50), long])))).toEqual([100_000])
  const cut = [long.subarray(0, 1), long.subarray(1, 3), long.subarray(3)]
  expect(found(...cut.map(part => record(22, part)))).toEqual([100_000])
  expect(found(record(22, message(300)), record(20, Buffer.of(1)), record(22, long))).toEqual([
    100_000,
  ])
})

test('what is encrypted is not looked at, nor what is no handshake', () => {
  const long = record(22, message(100_000, 0))
  expect(found(record(23, Buffer.alloc(40, 22)), long)).toEqual([undefined])
  expect(found(record(22, message(300)), record(23, Buffer.alloc(9)), long)).toEqual([undefined])
  expect(found(Buffer.from('GET / HTTP/1.1\r\n\r\n'))).toEqual([undefined])
})

test('regression: nine bytes from a stranger cannot have a server make room for 128 KiB', async () => {
  const [near, far] = memoryPair()
  near.on('error', () => undefined).write(record(22, message(131_000, 0)))
  const lane = tlsServer({ keys: newSecret() })(far)
  const failure = await failureOf(lane)
  expect(failure).toMatchObject({ code: 'ERR_PIPE_PROTOCOL' })
  expect(failure!.message).toContain('a handshake message of 131000 bytes, limit 16384')
})
