import { layer, memoryPair, type BytePipe } from '@striper/core'
import { conformance } from '@striper/testkit'

conformance('memory, bytes', () => memoryPair())
conformance('memory, messages', () => memoryPair('messages'))
conformance('memory, parcels', () => memoryPair('parcels'))

const same = layer('same', () => ({
  encode: unit => [unit as Buffer],
  decode: (chunk, give) => give(chunk),
  finish: () => undefined,
}))

conformance('a layer that changes nothing, over memory', () => {
  const [left, right] = memoryPair()
  return [same(left), same(right)] as [BytePipe, BytePipe]
})
