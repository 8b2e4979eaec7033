import type { Pipe } from '@striper/core'
import { conformance } from '@striper/testkit'
import { describe } from 'vitest'
import { shuffle } from '../../reassemble/test/shuffle.ts'
import { channelPair, closed, framed, type MakeBelow, messages, striped } from './scene.ts'

const shuffled: MakeBelow = () => {
  const [left, right] = messages()
  return [shuffle(left, 1), shuffle(right, 2)]
}

/** A channel of a mux; what it stands on goes when both its ends have closed. */
const channelOver = (below: MakeBelow) => async (): Promise<[Pipe, Pipe]> => {
  const { near, far, ends } = await channelPair(await below())
  void Promise.all([closed(near), closed(far)]).then(() => ends.forEach(end => end.destroy()))
  return [near, far]
}

describe('a channel of a mux over', () => {
  conformance('messages', channelOver(messages))
  conformance('frame over memory', channelOver(framed))
  conformance('parcels that come in any order', channelOver(shuffled))
  conformance('a stripe of 2 lanes', channelOver(striped(2)))
})
