// What may not be bridged is refused by the compiler; and at run time, for those who have none.

import { Duplex, PassThrough } from 'node:stream'
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { expect, test } from 'vitest'
import { bridge } from '@striper/bridge'
import { memoryPair } from '@striper/core'

const [bytes] = memoryPair()
const [messages] = memoryPair('messages')
const [parcels] = memoryPair('parcels')

test('kinds do not mix', () => {
  // @ts-expect-error: bytes to messages
  expect(() => bridge(bytes, messages)).toThrow(/bytes to messages/)
  // @ts-expect-error: messages to bytes
  expect(() => bridge(messages, bytes)).toThrow(TypeError)
  // @ts-expect-error: parcels to messages would lose their order
  expect(() => bridge(parcels, messages)).toThrow(TypeError)
  // @ts-expect-error: messages to parcels, the same backwards
  expect(() => bridge(messages, parcels)).toThrow(TypeError)
  // @ts-expect-error: a socket to messages
  expect(() => bridge(new Socket(), messages)).toThrow(TypeError)
  // @ts-expect-error: messages to a socket
  expect(() => bridge(messages, new Socket())).toThrow(TypeError)
})

test('a pipe is not bridged to itself', () => {
  expect(() => bridge(bytes, bytes)).toThrow(/itself/)
})

/** Never called: that it compiles is the test. */
export function accepted(): void {
  const socket = new Socket()
  const child = Duplex.from({ readable: new PassThrough(), writable: new PassThrough() })
  bridge(socket, bytes)
  bridge(bytes, socket)
  bridge(socket, socket)
  bridge(new TLSSocket(socket), child)
  bridge(messages, messages)
  bridge(parcels, parcels)
}
