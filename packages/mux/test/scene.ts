// What the tests of muxes stand on: a mux at each end of a parcel pipe, and a channel between them.

import { memoryPair, ready, type MessagePipe, type ParcelPipe } from '@striper/core'
import { frame } from '@striper/frame'
import { type Channel, mux, type Mux, type MuxOptions, type OpenOptions } from '@striper/mux'
import { memoryLanes, openStripes } from '../../stripe/test/scene.ts'

export type Pair = readonly [ParcelPipe, ParcelPipe]
export type Muxes = readonly [Mux, Mux]
export type Options = Omit<MuxOptions, 'role' | 'onChannel'>

/** Makes the parcel pipes that a pair of muxes stands on. */
export type MakeBelow = () => Pair | Promise<Pair>

/** Message pipes in memory. */
export const messages = (): [MessagePipe, MessagePipe] => memoryPair('messages')

/** Framed byte pipes in memory. */
export function framed(): Pair {
  const [left, right] = memoryPair()
  return [frame()(left), frame()(right)]
}

/** Stripes of so many lanes in memory. */
export const striped = (lanes: number) => () => openStripes(memoryLanes(lanes))

/** A mux at each end; the first dials. Each takes the channels of the other. */
export function muxes(
  [left, right]: Pair,
  options: Options = {},
  take: (channel: Channel) => void = () => undefined,
): Muxes {
  const near = mux(left, { ...options, role: 'dial', onChannel: take })
  const far = mux(right, { ...options, role: 'accept', onChannel: take })
  return [near, far]
}

/** Resolves when a pipe has closed, whether it failed or not. */
export function closed(pipe: Channel | ParcelPipe): Promise<void> {
  return new Promise(resolve => {
    if (pipe.closed) resolve()
    else pipe.once('close', resolve)
  })
}

/** A channel, from both ends. */
export async function channelPair(
  pair: Pair,
  options: Options = {},
  opening: OpenOptions = {},
): Promise<{ near: Channel; far: Channel; ends: Muxes }> {
  let taken: (channel: Channel) => void
  const accepted = new Promise<Channel>(resolve => (taken = resolve))
  const ends = muxes(pair, options, channel => taken(channel))
  const near = ends[0].open(opening)
  const far = await accepted
  await Promise.all([ready(near), ready(far)])
  return { near, far, ends }
}

/** Everything up to the end; rejects where it fails. */
export function readAll(channel: Channel): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const got: Buffer[] = []
    channel.on('data', (chunk: Buffer) => got.push(chunk))
    channel.once('end', () => resolve(Buffer.concat(got)))
    channel.once('error', reject)
    channel.once('close', () => reject(new Error(`${channel.label} closed`)))
  })
}

export const turn = () => new Promise(setImmediate)
export const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await turn()
}
