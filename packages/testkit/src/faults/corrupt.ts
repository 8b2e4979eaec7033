// corrupt: a pipe that changes what it carries.

import { layer, pieces, type Layer } from '@striper/core'
import { rng, type Rng } from '../rng.ts'
import { wholeNumber } from './check.ts'

export interface CorruptOptions {
  seed: number
  /** One bit is flipped in each so many bytes, at a place left to chance. */
  everyBytes: number
}

/**
 * Flips one bit in every `everyBytes` bytes, in each direction by itself. It works on a copy: what
 * the writer gave stays as it is. It holds nothing back; ends and aborts pass.
 */
export function corrupt({ seed, everyBytes }: CorruptOptions): Layer {
  wholeNumber(1, everyBytes, 'everyBytes')
  return layer('corrupt', () => {
    const chance = rng(seed)
    const sent = flipping(everyBytes, chance.fork())
    const received = flipping(everyBytes, chance.fork())
    return {
      encode: unit => pieces(unit).map(sent),
      decode: (chunk, give) => give(received(chunk)),
      finish: () => undefined,
    }
  })
}

function flipping(everyBytes: number, chance: Rng): (chunk: Buffer) => Buffer {
  let block = 0 // where the block that is passing began, from the first byte of the chunk
  let next = chance.integer(0, everyBytes - 1)
  return chunk => {
    const copy = Buffer.from(chunk)
    while (next < copy.length) {
      copy[next]! ^= 1 << chance.integer(0, 7)
      block += everyBytes
      next = block + chance.integer(0, everyBytes - 1)
    }
    block -= copy.length
    next -= copy.length
    return copy
  }
}
