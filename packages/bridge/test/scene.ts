// A bridge between two pairs of memory pipes, with a program at each far end:
//
//   near ── memory ── bridge ── memory ── far
//
// Each case runs twice, with the sides of the bridge swapped: asymmetry is where relays break.

import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { test } from 'vitest'
import { bridge, type Bridge, type BridgeOptions, type LegStats } from '@striper/bridge'
import { memoryPair, type Kind, type Pipe } from '@striper/core'

export interface Scene<K extends Kind = 'bytes'> {
  near: Pipe<K>
  far: Pipe<K>
  /** The bridge's own pipes. */
  nearSide: Pipe<K>
  farSide: Pipe<K>
  bridge: Bridge
  /** The leg from near to far, and the one back. */
  there: LegStats
  back: LegStats
}

export interface SceneOptions<K extends Kind> {
  kind: K
  options?: BridgeOptions
}

export function scene(swapped: boolean): Scene
export function scene<K extends Kind>(swapped: boolean, init: SceneOptions<K>): Scene<K>
export function scene(swapped: boolean, init: SceneOptions<Kind> = { kind: 'bytes' }): Scene<Kind> {
  const [near, nearSide] = memoryPair(init.kind)
  const [farSide, far] = memoryPair(init.kind)
  for (const end of [near, far]) end.on('error', () => undefined)
  const made = bridgeEitherWay(swapped, nearSide, farSide, init.options)
  return { near, far, nearSide, farSide, ...made }
}

/** Bridges two Duplexes one way round or the other. */
export function bridgeEitherWay(
  swapped: boolean,
  nearSide: Duplex,
  farSide: Duplex,
  options: BridgeOptions = {},
): { bridge: Bridge; there: LegStats; back: LegStats } {
  const [left, right] = (swapped ? [farSide, nearSide] : [nearSide, farSide]) as [Pipe, Pipe]
  const made = bridge(left, right, options)
  const [there, back] = swapped ? [made.right, made.left] : [made.left, made.right]
  return { bridge: made, there, back }
}

/** One case, both ways round. */
export function bothWays(name: string, run: (swapped: boolean) => Promise<void> | void): void {
  test(`${name}, near is left`, () => run(false))
  test(`${name}, near is right`, () => run(true))
}

/** All that a Duplex gives until its end. */
export async function collect(duplex: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = []
  duplex.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(duplex, 'end')
  return Buffer.concat(chunks)
}

/** How a Duplex comes to its close, as the names of its events in order: 'end', 'error', 'close' */
export async function story(duplex: Duplex): Promise<string[]> {
  const names: string[] = []
  for (const name of ['end', 'error']) duplex.on(name, () => names.push(name))
  await new Promise<void>(resolve => duplex.once('close', resolve))
  return [...names, 'close']
}

/** Lets all that can happen in memory happen. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve))
}

/** Bytes that are unlike wherever they are cut. */
export function pattern(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  for (let at = 0; at < length; at++) bytes[at] = (at * 31 + (at >> 8)) & 0xff
  return bytes
}

/** Writes until the Duplex is full, and returns how many bytes that took. */
export async function fill(duplex: Duplex): Promise<number> {
  const chunk = Buffer.alloc(64 * 1024)
  let written = 0
  for (;;) {
    const more = duplex.write(chunk)
    written += chunk.length
    if (more) continue
    await settle()
    if (duplex.writableNeedDrain) return written
  }
}
