// What the tests of stripes stand on: pairs of lanes of every make, and a stripe at each end of
// them.

import {
  memoryPair,
  ready,
  stack,
  type BytePipe,
  type Layer,
  type MessagePipe,
} from '@striper/core'
import { frame } from '@striper/frame'
import { stripe, type StripeOptions, type StripePipe } from '@striper/stripe'
import { connect, listen } from '@striper/tcp'

export type LanePair = readonly [MessagePipe, MessagePipe]
export type BytePair = readonly [BytePipe, BytePipe]
/** A layer on the bytes of a lane, at its dialling end; `lane` counts from 0. */
export type Fault = (lane: number) => Layer

const KiB = 1024

/** Small windows, so that a test that fills them is soon done. */
export const SMALL = { windowBytes: 512 * KiB } as const

/** `count` of whatever `make` makes. */
export function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index))
}

/** Lanes in memory, with no bytes below. */
export function memoryLanes(count: number): LanePair[] {
  return times(count, () => memoryPair('messages'))
}

/** A connection over TCP, open at both ends. Its listener goes with it. */
export async function tcpPair(): Promise<BytePair> {
  let accept: (pipe: BytePipe) => void
  const accepted = new Promise<BytePipe>(resolve => (accept = resolve))
  const server = await listen({ host: '127.0.0.1', port: 0 }, pipe => accept(pipe))
  const client = connect({ host: '127.0.0.1', port: server.port })
  const pair = [client, await accepted] as const
  await ready(client) // until then destroy() has no connection that it could reset
  void server.close()
  return pair
}

/** Framed lanes over TCP, with a fault at the dialling end of each. */
export async function tcpLanes(count: number, fault?: Fault): Promise<LanePair[]> {
  const pairs = await Promise.all(times(count, tcpPair))
  return pairs.map((pair, lane) => framed(pair, fault?.(lane)))
}

/** A framed lane over a pair of byte pipes. */
export function framed([near, far]: BytePair, fault: Layer = bytes => bytes as BytePipe): LanePair {
  return [stack(near, fault, frame()), frame()(far)]
}

/** A stripe at each end of some lanes; the first one dials. */
export function striped(
  lanes: readonly LanePair[],
  options: StripeOptions = SMALL,
): [StripePipe, StripePipe] {
  const near = stripe({ ...options, role: 'dial', lanes: lanes.map(([lane]) => lane) })
  const { session } = near
  const far = stripe({ ...options, role: 'accept', session, lanes: lanes.map(([, lane]) => lane) })
  return [near, far]
}

/** The same, open at both ends: before that an abort has no lane to be told on. */
export async function openStripes(
  lanes: readonly LanePair[],
  options: StripeOptions = SMALL,
): Promise<[StripePipe, StripePipe]> {
  const pair = striped(lanes, options)
  await Promise.all(pair.map(ready))
  return pair
}
