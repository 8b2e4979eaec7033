// A server of which one address swallows all that is sent to it, as an IPv6 that leads nowhere
// does: a lane finds the other address in time, and does not wait as long as a dial may take.

import net from 'node:net'
import { type BytePipe, type Layer, stack } from '@striper/core'
import { frame } from '@striper/frame'
import { connect, fromSocket, listen } from '@striper/tcp'
import { gather, lanePolicy, type LaneWay, parsePlace, trunk } from '@striper/trunk'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { closed } from './scene.ts'
import { Exchange, fakeTime, pass, told } from './virtual.ts'

/** A connection that never comes about: its name is looked up for ever. */
function hole(): BytePipe {
  const lookup = () => undefined
  return fromSocket(net.connect({ host: 'hole.invalid', port: 1, lookup: lookup }))
}

const [HOLE, GOOD] = ['::1', '127.0.0.1']

describe('in virtual time', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  /** A trunk of one lane to a server with these addresses, and when it was dialled and where to. */
  function scene(...addresses: string[]) {
    fakeTime()
    const start = performance.now()
    const exchange = new Exchange()
    const dials: [number, string][] = []
    const policy = lanePolicy({
      from: [parsePlace('*1')],
      to: [{ host: 'exit.example', port: 7000 }],
      dial: (greet: Layer, way: LaneWay) => {
        dials.push([performance.now() - start, way.host])
        return way.host === GOOD ? exchange.dial(greet, way) : stack(hole(), greet, frame())
      },
      source: { interfaces: () => ({}), resolve: () => Promise.resolve(addresses) },
    })
    const pipe = trunk({ lanes: policy, random: () => 1, stripe: { noLaneTimeoutMs: 1e9 } })
    pipe.on('error', () => undefined)
    return { pipe, dials, exchange }
  }

  /** Lets time go by, and sockets close that were given up. */
  async function wait(ms: number) {
    await pass(ms)
    for (let i = 0; i < 3; i++) await new Promise(setImmediate)
    await pass(0)
  }

  test('the other address is dialled when the first has not connected in 2 s', async () => {
    const { pipe, dials } = scene(HOLE, GOOD)
    await wait(1999)
    expect(told(pipe)).toEqual(['default#1 dialling'])
    await wait(1)
    expect(told(pipe)).toEqual(['default#1 waits 0.3 s: no answer in 2000 ms'])
    await wait(250)
    expect(dials).toEqual([
      [0, HOLE],
      [2250, GOOD],
    ])
    pipe.destroy()
  })

  test('when all were in vain, each has twice as long', async () => {
    const { pipe, dials } = scene(HOLE, '::2')
    for (let i = 0; i < 80; i++) await wait(250)
    expect(dials.map(([, host]) => host).slice(0, 5)).toEqual([HOLE, '::2', HOLE, '::2', HOLE])
    const apart = dials.slice(1).map(([at], i) => at - dials[i]![0])
    // With the pauses, of 250 ms, 500 ms and so on.
    expect(apart.slice(0, 4)).toEqual([2250, 2500, 5000, 6000])
    pipe.destroy()
  })

  test('a dial without another way, and one that has connected, have all their time', async () => {
    for (const addresses of [[HOLE], [GOOD, HOLE]]) {
      const { pipe, dials } = scene(...addresses)
      await wait(14_999)
      expect(told(pipe)).toEqual(['default#1 dialling'])
      await wait(1)
      expect(told(pipe)).toEqual([expect.stringContaining('no answer in 15000 ms')])
      expect(dials).toHaveLength(1)
      pipe.destroy()
      vi.useRealTimers()
    }
  })

  test('no timer is left when the trunk is over', async () => {
    const { pipe } = scene(HOLE, GOOD)
    await wait(1)
    pipe.destroy()
    await wait(0)
    expect(vi.getTimerCount()).toBe(0)
  })
})

test('over sockets: a trunk of one lane is up long before a dial has used all its time', async () => {
  const lanes = gather({
    layers: bytes => stack(bytes, frame()),
    onSession: session => void session.resume(),
  })
  const exit = await listen({ host: GOOD, port: 0 }, connection => lanes.accept(connection))
  const began = performance.now()
  const pipe = trunk({
    lanes: lanePolicy({
      from: [parsePlace('*1')],
      to: [{ host: 'exit.example', port: exit.port }],
      dial: (greet, way) => stack(way.host === GOOD ? connect(way) : hole(), greet, frame()),
      source: { interfaces: () => ({}), resolve: () => Promise.resolve([HOLE, GOOD]) },
    }),
  })
  pipe.on('error', () => undefined)
  await new Promise(resolve => pipe.once('laneUp', resolve))
  while (!pipe.wanted.some(({ state }) => state === 'up')) {
    await new Promise(resolve => pipe.once('wanted', resolve))
  }
  expect(performance.now() - began).toBeLessThan(10_000)
  pipe.destroy()
  lanes.destroy()
  await Promise.all([closed(pipe), exit.destroy()])
})
