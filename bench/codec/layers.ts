// The layers, each as a pair of ends joined in memory: what a message costs from end to end, and
// what it would have cost without the layer.

import {
  frame,
  type Layer,
  memoryPair,
  mux,
  newSecret,
  type Pipe,
  reassemble,
  ready,
} from 'striper'
import { stack, stripe, tlsClient, tlsServer } from 'striper'

/** Two ends that are open. */
export type Ends = readonly [Pipe, Pipe]

/** What a layer stands on; memory. */
export type Below = 'bytes' | 'messages'

export interface Layered {
  readonly name: string
  /** The layer that this one stands on; its cost is not the layer's. */
  readonly below?: Below
  readonly open: () => Promise<Ends>
}

/** Both ends of memory, with a layer of its own on each. */
function over(left: Layer, right: Layer): () => Promise<Ends> {
  return async () => {
    const [near, far] = memoryPair()
    return Promise.all([ready(left(near)), ready(right(far))])
  }
}

async function stripeOf(lanes: number): Promise<Ends> {
  const pairs = Array.from({ length: lanes }, () => memoryPair('messages'))
  const near = stripe({ lanes: pairs.map(([lane]) => lane) })
  const far = stripe({
    role: 'accept',
    session: near.session,
    lanes: pairs.map(([, lane]) => lane),
  })
  return Promise.all([ready(near), ready(far)])
}

async function channel(): Promise<Ends> {
  const [near, far] = memoryPair('messages')
  const dialled = mux(near, { role: 'dial' }).open()
  return new Promise(resolve => {
    mux(far, { role: 'accept', onChannel: taken => resolve([dialled, taken]) })
  })
}

const key = newSecret()

export const LAYERS: readonly Layered[] = [
  { name: 'bytes', open: () => Promise.resolve(memoryPair()) },
  { name: 'messages', open: () => Promise.resolve(memoryPair('messages')) },
  {
    name: 'tls',
    below: 'bytes',
    open: over(tlsClient({ key }), tlsServer({ keys: key })),
  },
  {
    name: 'frame',
    below: 'bytes',
    open: () => {
      const [near, far] = memoryPair()
      return Promise.resolve([stack(near, frame()), stack(far, frame())])
    },
  },
  {
    name: 'reassemble',
    below: 'messages',
    open: () => {
      const [near, far] = memoryPair('messages')
      return Promise.resolve([stack(near, reassemble()), stack(far, reassemble())])
    },
  },
  { name: 'mux', below: 'messages', open: channel },
  { name: 'stripe-1', below: 'messages', open: () => stripeOf(1) },
  { name: 'stripe-4', below: 'messages', open: () => stripeOf(4) },
]
