// slices: a pipe that cuts its chunks anew, many of them to a single byte. Whoever reads bytes must
// not care; whoever does is found out.

import { layer, pieces, type Layer } from '@striper/core'
import { rng, type Rng } from '../rng.ts'
import { wholeNumber } from './check.ts'

export interface SlicesOptions {
  seed: number
  /** The largest slice; 4096. With 1 every slice is a byte. */
  maxBytes?: number
}

/**
 * Cuts what passes into slices of 1 to `maxBytes` bytes, every second one of 1 byte, in each
 * direction by itself. It changes and copies nothing, and holds nothing back; ends and aborts pass.
 */
export function slices({ seed, maxBytes = 4096 }: SlicesOptions): Layer {
  wholeNumber(1, maxBytes, 'maxBytes')
  return layer('slices', () => {
    const chance = rng(seed)
    const sent = chance.fork()
    const received = chance.fork()
    return {
      encode: unit => pieces(unit).flatMap(chunk => slice(chunk, maxBytes, sent)),
      decode: (chunk, give) => slice(chunk, maxBytes, received).forEach(give),
      finish: () => undefined,
    }
  })
}

function slice(chunk: Buffer, maxBytes: number, chance: Rng): Buffer[] {
  const all: Buffer[] = []
  let start = 0
  while (start < chunk.length) {
    const end = start + (chance.chance(0.5) ? 1 : chance.integer(1, maxBytes))
    all.push(chunk.subarray(start, end))
    start = end
  }
  return all
}
