// Which pipe stands on which is checked by the compiler, and that it does so is checked here: where
// a line that must not compile did, tsc would say that its `@ts-expect-error` is not needed.

import {
  memoryPair,
  stack,
  type BytePipe,
  type Layer,
  type MessagePipe,
  type ParcelPipe,
} from '@striper/core'
import { frame } from '@striper/frame'
import { expect, expectTypeOf, test } from 'vitest'

// Like reassemble(): from parcels to bytes.
declare const inOrder: Layer<ParcelPipe>

export function wrongStacks(): void {
  const [bytes] = memoryPair()
  const [messages] = memoryPair('messages')
  const [parcels] = memoryPair('parcels')

  // @ts-expect-error frame wants bytes, and gives messages
  stack(bytes, frame(), frame())
  // @ts-expect-error frame wants bytes
  stack(messages, frame())
  // @ts-expect-error frame wants bytes
  stack(parcels, frame())
  // @ts-expect-error reassembly wants parcels
  stack(bytes, inOrder)
  // @ts-expect-error reassembly gives bytes
  stack(bytes, frame(), inOrder, inOrder)
  // @ts-expect-error messages may not be taken for bytes
  const asBytes: BytePipe = messages
  // @ts-expect-error nor parcels for messages, which have an order
  const asMessages: MessagePipe = parcels
  expect([asBytes, asMessages]).toHaveLength(2)
}

test('what may stand on what compiles, and is of the right kind', () => {
  const right = () => {
    const [bytes] = memoryPair()
    const [messages] = memoryPair('messages')
    const [parcels] = memoryPair('parcels')
    expectTypeOf(stack(bytes, frame()).kind).toEqualTypeOf<'messages'>()
    expectTypeOf(stack(bytes, frame(), inOrder).kind).toEqualTypeOf<'bytes'>()
    expectTypeOf(stack(bytes, frame(), inOrder, frame()).kind).toEqualTypeOf<'messages'>()
    expectTypeOf(stack(messages, inOrder).kind).toEqualTypeOf<'bytes'>()
    expectTypeOf(stack(parcels, inOrder).kind).toEqualTypeOf<'bytes'>()
  }
  expect(right).toBeTypeOf('function') // for the compiler: it is not run
})
