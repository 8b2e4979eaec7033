// Lanes from a local port that is fixed, over real sockets: whoever guards a network may know a
// client by it.

import { once } from 'node:events'
import { addressOf, ready, stack } from '@striper/core'
import { frame } from '@striper/frame'
import { reassemble } from '@striper/reassemble'
import { connect, listen } from '@striper/tcp'
import { type DialWay, lanePolicy, parsePlace, trunk, type TrunkPipe } from '@striper/trunk'
import type { TrunkOptions, WantedLane } from '@striper/trunk'
import { expect, test } from 'vitest'
import { converse, listening, text } from './scene.ts'

/** Nobody else dials from here, so a port of it that was free stays free. */
const OURS = '127.0.0.78'
const MIB = 1024 * 1024
const dial: DialWay = (greet, way) => stack(connect(way), greet, frame())

/** A gatherer behind a port, or several, and a port of ours that is free. */
async function scene(servers: number) {
  const { gatherer, far } = listening()
  const local = { host: '127.0.0.1', port: 0 }
  const listeners = await Promise.all(
    Array.from({ length: servers }, () => listen(local, pipe => gatherer.accept(pipe))),
  )
  const to = listeners.map(({ port }) => ({ host: '127.0.0.1', port }))
  const first = await ready(connect({ ...to[0]!, localAddress: OURS }))
  const from = addressOf(first)!.local!
  first.destroy()
  await once(first, 'close')
  const lanes = (...places: string[]) =>
    lanePolicy({ from: places.map(each => parsePlace(each)), to, dial })
  return { from, to, far, lanes, close: () => Promise.all(listeners.map(each => each.close())) }
}

async function until(pipe: TrunkPipe, right: (lanes: readonly WantedLane[]) => boolean) {
  while (!right(pipe.wanted)) await new Promise(resolve => pipe.once('wanted', resolve))
}

const QUICK: Partial<TrunkOptions> = { firstPauseMs: 5, longestPauseMs: 20 }

/** 8 MiB each way, to their end; `meanwhile` is called at each MiB that came. */
async function flow(
  pipe: TrunkPipe,
  far: ReturnType<typeof listening>['far'],
  meanwhile = () => {},
): Promise<void> {
  const [up, down] = [text(1, 0, 8 * MIB), text(2, 0, 8 * MIB)]
  const near = reassemble()(pipe)
  let next = MIB
  near.on('data', () => {
    for (; near.stats.bytesIn >= next; next += MIB) meanwhile()
  })
  const there = far.then(session => converse(reassemble()(session), down, up))
  await Promise.all([converse(near, up, down), there])
}

test('a lane that was reset is dialled again from its port, and no byte is lost', async () => {
  const { from, far, lanes, close } = await scene(1)
  const pipe = trunk({ lanes: lanes(from), ...QUICK })
  const locals: (string | undefined)[] = []
  pipe.on('wanted', ({ state, lane }: WantedLane) => {
    if (state === 'up') locals.push(addressOf(lane!)?.local)
  })
  await flow(pipe, far, () => pipe.wanted[0]!.lane?.destroy())
  expect(locals.length).toBeGreaterThan(3)
  expect(new Set(locals)).toEqual(new Set([from]))
  await close()
})

test('one port and one server is one lane: the second says why, tries again with pauses, and harms nobody', async () => {
  const { from, far, lanes, close } = await scene(1)
  const pipe = trunk({ lanes: lanes(`${from}*2`), ...QUICK })
  const whys = new Set<string>()
  let ups = 0
  pipe.on('wanted', ({ state, why }: WantedLane) => {
    if (state === 'up') ups++
    if (state === 'waiting') whys.add(why.replace(/^waits [\d.]+ s: /, ''))
  })
  await until(pipe, all => all.some(each => each.state === 'waiting' && each.attempts > 4))
  expect(pipe.wanted.map(({ lane }) => lane && addressOf(lane)?.local)).toContain(from)
  await flow(pipe, far)
  expect([ups, ...whys]).toEqual([1, 'no local port is free'])
  await close()
})

test('two ports of an address are two places, each with a budget of its own', async () => {
  const { from, far, lanes, close } = await scene(1)
  const pipe = trunk({ lanes: lanes(`${from},budget=1G`, OURS, `${OURS}:1,backup`), ...QUICK })
  await until(pipe, all => all[0]!.state === 'up' && all[1]!.state === 'up')
  expect(pipe.wanted.map(({ key, backup }) => [key, backup])).toEqual([
    [`${from}#1`, false],
    [`${OURS}#1`, false],
    [`${OURS}:1#1`, true],
  ])
  expect(pipe.wanted.map(({ budget }) => budget.bytes)).toEqual([1e9, Infinity, Infinity])
  await flow(pipe, far)
  await close()
})

test.runIf(process.platform === 'linux')('one port is a lane to each of two servers', async () => {
  const { from, to, far, lanes, close } = await scene(2)
  const pipe = trunk({ lanes: lanes(`${from}*2`), ...QUICK })
  await until(pipe, all => all.every(({ state }) => state === 'up'))
  const ends = pipe.wanted.map(({ lane }) => addressOf(lane!))
  expect(ends.map(each => each?.local)).toEqual([from, from])
  expect(ends.map(each => each?.remote)).toEqual(to.map(({ host, port }) => `${host}:${port}`))
  await flow(pipe, far)
  await close()
})
