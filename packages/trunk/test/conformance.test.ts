// The whole stack over lanes that are cut again and again, and dialled again, under the suite.

import { type BytePipe, type Layer, type Pipe, ready, stack } from '@striper/core'
import { frame } from '@striper/frame'
import { reassemble } from '@striper/reassemble'
import { connect, listen } from '@striper/tcp'
import { conformance, cut, rng } from '@striper/testkit'
import { newSecret, tlsClient, tlsServer } from '@striper/tls'
import { trunk } from '@striper/trunk'
import { listening } from './scene.ts'

const window = { windowBytes: 512 * 1024 }
const chance = rng(77)
conformance(
  'reassemble over a trunk of 4 lanes that are cut at random',
  async () => {
    // One is left alone, or the news of an abort might be lost with the last of them.
    const places = rng(chance.integer(0, 2 ** 31))
    const [near, far] = await trunked(lane =>
      lane === 0 ? Infinity : places.integer(1000, 60_000),
    )
    return [reassemble(window)(near), reassemble(window)(far)]
  },
  { outlivesBelow: true },
)

conformance(
  'reassemble over a trunk of 4 lanes with secrecy',
  async () => {
    const key = newSecret()
    const secrecy = { near: tlsClient({ key }), far: tlsServer({ keys: key }) }
    const [near, far] = await trunked(() => Infinity, secrecy)
    return [reassemble(window)(near), reassemble(window)(far)]
  },
  { outlivesBelow: true },
)

const none: Layer = bytes => bytes as BytePipe

/** A trunk over TCP to a gatherer, each of whose lanes is cut after so many bytes; and its
 *  session. */
async function trunked(
  cutAfter: (lane: number) => number,
  secrecy: { near: Layer; far: Layer } = { near: none, far: none },
) {
  const layers = (bytes: BytePipe) => stack(bytes, secrecy.far, frame())
  const { gatherer, far } = listening({ layers, stripe: window })
  const server = await listen({ host: '127.0.0.1', port: 0 }, pipe => gatherer.accept(pipe))
  const lanes = [0, 1, 2, 3].map(lane => (greet: (below: BytePipe) => BytePipe) => {
    const afterBytes = cutAfter(lane)
    const socket: BytePipe = connect({ host: '127.0.0.1', port: server.port })
    const bytes = afterBytes === Infinity ? socket : cut({ afterBytes })(socket)
    return stack(bytes, greet, secrecy.near, frame())
  })
  const random = rng(78)
  const near = trunk({
    lanes,
    firstPauseMs: 20,
    longestPauseMs: 40,
    random: () => random.next(),
    stripe: window,
  })
  near.once('close', () => void server.close())
  const pair = await Promise.all([ready(near), far.then(ready)])
  return pair satisfies Pipe[]
}
