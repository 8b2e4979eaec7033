// What the tests of trunks stand on: a gatherer, a trunk that dials it through memory, with faults
// on each lane it dials, and conversations whose every byte depends on its place.

import {
  type BytePipe,
  type Layer,
  memoryPair,
  type MessagePipe,
  type Pipe,
  stack,
} from '@striper/core'
import { frame } from '@striper/frame'
import { reassemble } from '@striper/reassemble'
import type { StripePipe } from '@striper/stripe'
import { gather, type Gatherer, type GatherOptions, trunk } from '@striper/trunk'
import type { TrunkLaneOptions, TrunkOptions, TrunkPipe } from '@striper/trunk'
import { expect } from 'vitest'

/** What is wrong with the bytes of a lane, at the dialling end and at the other. `dial` counts the
 *  times that this lane has been dialled, from 0. */
export type Weather = (lane: number, dial: number) => Faults

interface Faults {
  near?: Layer
  far?: Layer
}

export interface Scene {
  near: TrunkPipe
  /** The session at the listening end, once a lane has opened it. */
  far: Promise<StripePipe>
  gatherer: Gatherer
  /** How often each lane has been dialled. */
  dials: number[]
}

export interface SceneOptions {
  lanes?: number
  weather?: Weather
  /** What is said of a lane, beside how to dial it. */
  properties?: (lane: number) => Omit<TrunkLaneOptions, 'dial'>
  trunk?: Partial<TrunkOptions>
  gather?: Partial<GatherOptions>
  /** What gives the lanes secrecy, at each end. */
  secrecy?: { near: Layer; far: Layer }
}

export const framed = (bytes: BytePipe): MessagePipe => stack(bytes, frame())
const fair: Layer = bytes => bytes as BytePipe

/** A gatherer that hands its first session over. */
export function listening(options: Partial<GatherOptions> = {}) {
  let open: (session: StripePipe) => void
  const far = new Promise<StripePipe>(resolve => (open = resolve))
  const gatherer = gather({ layers: framed, onSession: session => open(session), ...options })
  return { gatherer, far }
}

/** A trunk and the gatherer that it dials. It re-dials in the next turn, unless told otherwise. */
export function joined(options: SceneOptions = {}): Scene {
  const { lanes = 2, weather, secrecy = { near: fair, far: fair } } = options
  const layers = (bytes: BytePipe) => stack(bytes, secrecy.far, frame())
  const { gatherer, far } = listening({ layers, ...options.gather })
  const dials = Array.from({ length: lanes }, () => 0)
  const near = trunk({
    lanes: dials.map((_, lane) => ({
      ...options.properties?.(lane),
      dial: greet => {
        const fault = weather?.(lane, dials[lane]!) ?? {}
        dials[lane]!++
        const [left, right] = memoryPair()
        gatherer.accept((fault.far ?? fair)(right))
        return stack(left, fault.near ?? fair, greet, secrecy.near, frame())
      },
    })),
    random: () => 0,
    ...options.trunk,
  })
  return { near, far, gatherer, dials }
}

/** The text at a place, up to another: no part of it looks like a part elsewhere. */
export function text(seed: number, start: number, end: number): Buffer {
  const bytes = Buffer.allocUnsafe(end - start)
  for (let place = start; place < end; place++) {
    const word = Math.imul((place >>> 2) + seed, 0x9e3779b1)
    bytes[place - start] = word >>> ((place & 3) << 3)
  }
  return bytes
}

/** Says a text, in chunks, and ends; resolves when the other end's text has been heard, to its
 *  end. */
export async function converse(pipe: BytePipe, says: Buffer, hears: Buffer, chunk = 16_384) {
  const heard: Buffer[] = []
  pipe.on('data', (bytes: Buffer) => heard.push(bytes))
  const over = settled(pipe)
  for (let at = 0; at < says.length && !pipe.destroyed; at += chunk) {
    if (!pipe.write(says.subarray(at, at + chunk))) await drained(pipe)
  }
  pipe.end()
  await over
  const all = Buffer.concat(heard)
  let place = 0
  while (place < hears.length && all[place] === hears[place]) place++
  expect([place, all.length], 'right up to byte, of').toEqual([hears.length, hears.length])
}

/** A conversation both ways over a scene, to its end: all closed, all equal, nothing left. */
export async function exchange(scene: Scene, bytes: number): Promise<void> {
  const window = { windowBytes: 512 * 1024 }
  const [up, down] = [text(1, 0, bytes), text(2, 0, bytes)]
  const near = converse(reassemble(window)(scene.near), up, down)
  const far = scene.far.then(far => converse(reassemble(window)(far), down, up))
  await Promise.all([near, far])
  expect(scene.gatherer.sessions).toEqual([])
  expect(scene.gatherer.strangers).toBe(0)
}

/** Resolves when a pipe has closed; rejects where it failed. */
export function settled(pipe: Pipe): Promise<void> {
  return new Promise((resolve, reject) => {
    if (pipe.closed) return pipe.errored ? reject(pipe.errored) : resolve()
    pipe.once('error', reject).once('close', resolve)
  })
}

/** Resolves when a pipe has closed, whether it failed or not. */
export function closed(pipe: Pipe): Promise<void> {
  return settled(pipe).catch(() => undefined)
}

function drained(pipe: Pipe): Promise<void> {
  return new Promise(resolve => {
    const settle = () => {
      pipe.off('drain', settle).off('close', settle)
      resolve()
    }
    pipe.on('drain', settle).on('close', settle)
  })
}
