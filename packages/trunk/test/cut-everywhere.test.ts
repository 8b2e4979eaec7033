// A lane that is cut costs no byte, wherever it is cut: in the greeting, in the HELLO, in the
// header of a frame, in a parcel, in an acknowledgement.

import type { ByteDuplex, BytePipe } from '@striper/core'
import { cut, rng } from '@striper/testkit'
import { expect, test } from 'vitest'
import { exchange, joined } from './scene.ts'

interface Cut {
  afterBytes: number
  end: 'near' | 'far'
}

/** A conversation over two lanes, of which the first is cut once, and dialled again. Whether it
 *  was. */
async function cutOnce({ afterBytes, end }: Cut, bytes: number): Promise<boolean> {
  let happened = false
  const once = (below: ByteDuplex): BytePipe => {
    const pipe = cut({ afterBytes })(below)
    pipe.once('error', () => (happened = true))
    return pipe
  }
  const scene = joined({
    weather: (lane, dial) => (lane === 0 && dial === 0 ? { [end]: once } : {}),
  })
  try {
    await exchange(scene, bytes)
  } catch (error) {
    throw new Error(`cut after ${afterBytes} bytes at the ${end} end`, { cause: error })
  }
  return happened
}

/** Side by side, as many as keep the process busy; how many were cut before they were over. */
async function cutEach(cuts: readonly Cut[], bytes: number): Promise<number> {
  let happened = 0
  for (let i = 0; i < cuts.length; i += 20) {
    const batch = cuts.slice(i, i + 20).map(each => cutOnce(each, bytes))
    for (const was of await Promise.all(batch)) if (was) happened++
  }
  return happened
}

for (const end of ['near', 'far'] as const) {
  test(`a lane cut at every byte of its first 512, at the ${end} end, loses nothing`, async () => {
    const cuts = Array.from({ length: 513 }, (_, afterBytes) => ({ afterBytes, end }))
    expect(await cutEach(cuts, 4000)).toBe(cuts.length)
  })
}

test('a lane cut at 500 seeded places after that loses nothing', async () => {
  const chance = rng(500)
  const cuts = Array.from({ length: 500 }, () => ({
    afterBytes: chance.integer(513, 15_000),
    end: chance.pick(['near', 'far'] as const),
  }))
  expect(await cutEach(cuts, 20_000)).toBeGreaterThan(400)
})
