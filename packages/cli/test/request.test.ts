// What one end asks of the other: as it is written, and everything that it is not.

import { expect, test } from 'vitest'
import { decodeRequest, encodeRequest, isHost, MAX_HOST_BYTES } from '../src/pure/request.ts'

const REQUESTS = [
  { what: 'connect', forward: 0, host: 'example.org', port: 80 },
  { what: 'connect', forward: 0, host: 'fd00::7', port: 65535 },
  { what: 'listen', forward: 7, host: '', port: 0 },
  { what: 'accepted', forward: 65535, host: '192.0.2.7', port: 50_000 },
] as const

test.each(REQUESTS)('%j is read as it was written', request => {
  expect(decodeRequest(encodeRequest(request))).toEqual(request)
})

test('the bytes are those of the picture', () => {
  const bytes = encodeRequest({ what: 'listen', forward: 258, host: 'a', port: 772 })
  expect(bytes.toString('hex')).toBe('01020102030461')
})

test.each([
  ['', /version undefined/],
  ['02010000005061', /version 2/],
  ['01', /nothing/],
  ['01000000005061', /nothing/],
  ['01040000005061', /nothing/],
  ['010100000050', /no host/],
  ['0101000000', /nothing/],
  ['01010000000061', /port 0/],
  ['0101000000506120', /no host/],
  ['01010000005061ff', /no host/],
  ['01010000005000', /no host/],
])('%s is refused', (hex, sentence) => {
  expect(() => decodeRequest(Buffer.from(hex, 'hex'))).toThrow(RangeError)
  expect(() => decodeRequest(Buffer.from(hex, 'hex'))).toThrow(sentence)
})

test('a host has at most 255 bytes', () => {
  const most = 'a'.repeat(MAX_HOST_BYTES)
  expect([isHost(most), isHost(`${most}a`), isHost(''), isHost('ü')]).toEqual([
    ...[true, false, false, false],
  ])
  const request = { what: 'connect', forward: 0, port: 1 } as const
  expect(decodeRequest(encodeRequest({ ...request, host: most })).host).toBe(most)
  expect(() => encodeRequest({ ...request, host: `${most}a` })).toThrow(RangeError)
})
