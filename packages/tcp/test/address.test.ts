import { formatAddress, parseAddress, type SocketAddress } from '@striper/tcp'
import { expect, test } from 'vitest'

const table: [string, SocketAddress][] = [
  ['example.org:80', { host: 'example.org', port: 80 }],
  ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
  ['127.0.0.1:65535', { host: '127.0.0.1', port: 65535 }],
  ['[::1]:443', { host: '::1', port: 443 }],
  ['[::]:443', { host: '::', port: 443 }],
  [':8080', { port: 8080 }],
  ['/run/striper.sock', { path: '/run/striper.sock' }],
  ['./striper.sock', { path: './striper.sock' }],
  ['./odd:80', { path: './odd:80' }],
]

test.each(table)('parseAddress(%j), and back', (text, address) => {
  expect(parseAddress(text)).toEqual(address)
  expect(formatAddress(address)).toBe(text)
})

test.each([
  [''],
  [':'],
  ['example.org'],
  ['example.org:'],
  ['example.org:http'],
  ['example.org:-1'],
  ['example.org:80:90'],
  ['::1:80'],
  ['[::1]'],
  ['[]:80'],
  ['[::g]:80'],
  ['[127.0.0.1]:80'],
  ['example.org:80 '],
  ['example.org:123456'],
])('%j is not an address', text => {
  expect(() => parseAddress(text)).toThrow(new RegExp('is not an address: write HOST:PORT'))
  expect(() => parseAddress(text)).toThrow(RangeError)
})

test('a port above 65535 is a RangeError that says so', () => {
  expect(() => parseAddress('a:65536')).toThrow(new RangeError("'a:65536': a port is 0..65535"))
})
