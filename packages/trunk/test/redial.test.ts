import { memoryPair, type MessagePipe } from '@striper/core'
import { trunk, type TrunkOptions } from '@striper/trunk'
import { cut, rng } from '@striper/testkit'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import * as wire from '../../stripe/src/pure/wire.ts'
import { closed, exchange, joined } from './scene.ts'

describe('pauses between dials', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** A trunk of one lane, when it was dialled, and the far ends of its dials. */
  function dialled(options: Partial<TrunkOptions> = {}) {
    const times: number[] = []
    const fars: MessagePipe[] = []
    const start = performance.now()
    const pipe = trunk({
      lanes: [
        () => {
          const [near, far] = memoryPair('messages')
          far.on('error', () => undefined).resume()
          times.push(performance.now() - start)
          fars.push(far)
          return near
        },
      ],
      random: () => 1,
      stripe: { noLaneTimeoutMs: 1e9 },
      ...options,
    })
    pipe.on('error', () => undefined)
    const fail = async () => {
      await vi.advanceTimersByTimeAsync(0) // until it is open, and has its number
      fars.at(-1)!.destroy()
      await vi.advanceTimersByTimeAsync(0)
    }
    const welcome = async () => {
      const { session } = pipe
      const hello = { mayOpen: false, lane: fars.length - 1, session, limit: wire.INITIAL_CREDIT }
      await vi.advanceTimersByTimeAsync(0)
      fars.at(-1)!.write(wire.encodeHello(hello))
      await vi.advanceTimersByTimeAsync(0)
    }
    return { pipe, times, fail, welcome }
  }

  test('they double, up to the longest', async () => {
    const { pipe, times, fail } = dialled({ firstPauseMs: 100, longestPauseMs: 1000 })
    for (let i = 0; i < 7; i++) {
      await fail()
      await vi.advanceTimersByTimeAsync(1000)
    }
    const pauses = times.slice(1).map((time, i) => time - 1000 * i)
    expect(pauses).toEqual([100, 200, 400, 800, 1000, 1000, 1000])
    pipe.destroy()
  })

  test('each is cut short by chance', async () => {
    const chances = [0.5, 0, 0.25]
    const random = () => chances.shift()!
    const { pipe, times, fail } = dialled({ firstPauseMs: 100, random })
    for (let i = 0; i < 3; i++) {
      await fail()
      await vi.advanceTimersByTimeAsync(1000)
    }
    expect(times).toEqual([0, 50, 1000, 2100])
    pipe.destroy()
  })

  test('a lane that was heard and dropped at once makes the next pause no shorter', async () => {
    const { pipe, times, fail, welcome } = dialled({ firstPauseMs: 100, longestPauseMs: 1000 })
    for (let i = 0; i < 6; i++) {
      await welcome()
      await fail()
      await vi.advanceTimersByTimeAsync(1000)
    }
    expect(times.slice(1).map((time, i) => time - 1000 * i)).toEqual([
      100, 200, 400, 800, 1000, 1000,
    ])
    pipe.destroy()
  })

  test('each second that a lane lived halves the next pause, down to the first', async () => {
    const { pipe, times, fail, welcome } = dialled({ firstPauseMs: 100, longestPauseMs: 1600 })
    for (let i = 0; i < 6; i++) {
      await fail()
      await vi.advanceTimersByTimeAsync(2000)
    }
    const pauses: number[] = []
    for (const life of [2000, 2000, 4000, 9000]) {
      await welcome()
      await vi.advanceTimersByTimeAsync(life)
      const lost = performance.now()
      await fail()
      await vi.advanceTimersByTimeAsync(2000)
      pauses.push(times.at(-1)! - lost)
    }
    expect(pauses).toEqual([400, 200, 100, 100])
    pipe.destroy()
  })

  test('a trunk that is over dials no more, and leaves no timer', async () => {
    const { pipe, times, fail } = dialled({ firstPauseMs: 100 })
    await fail()
    pipe.destroy()
    await vi.advanceTimersByTimeAsync(100_000)
    expect(times).toEqual([0])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a trunk without a lane for too long fails, and dials no more', async () => {
    const { pipe, times, fail } = dialled({ stripe: { noLaneTimeoutMs: 500 }, firstPauseMs: 1000 })
    await fail()
    await vi.advanceTimersByTimeAsync(2000)
    expect(pipe.errored).toMatchObject({ code: 'ERR_PIPE_NO_LANES' })
    expect(times).toEqual([0])
    expect(vi.getTimerCount()).toBe(0)
  })
})

test('a trunk without lanes is a RangeError', () => {
  expect(() => trunk({ lanes: [] })).toThrow(RangeError)
})

test('32 lanes on one stripe warn of nothing', async () => {
  const warnings: Error[] = []
  const warned = (warning: Error) => warnings.push(warning)
  process.on('warning', warned)
  const scene = joined({ lanes: 32 })
  await exchange(scene, 1_000_000)
  await new Promise(setImmediate)
  process.off('warning', warned)
  expect(warnings).toEqual([])
})

test('the same lane lost a hundred times adds no listener to the stripe', async () => {
  const chance = rng(1)
  const scene = joined({
    // The greeting and the HELLO are 58 bytes: it never comes further.
    weather: lane => (lane === 0 ? { near: cut({ afterBytes: chance.integer(1, 58) }) } : {}),
  })
  const listeners = () =>
    scene.near.eventNames().reduce((sum, name) => sum + scene.near.listenerCount(name), 0)
  const before = listeners()
  while (scene.dials[0]! < 100) await new Promise(resolve => scene.near.once('laneUp', resolve))
  expect(listeners()).toBeLessThanOrEqual(before)
  await exchange(scene, 100_000)
})

test('a session outlives the loss of all its lanes at once', async () => {
  const scene = joined({
    lanes: 4,
    weather: (_, dial) => (dial < 3 ? { near: cut({ afterBytes: 20_000 }) } : {}),
  })
  await exchange(scene, 500_000)
  expect(Math.min(...scene.dials)).toBeGreaterThan(1)
})

test('a trunk that is destroyed while it dials closes, and its lanes with it', async () => {
  const scene = joined()
  scene.near.destroy()
  await closed(scene.near)
  await new Promise(setImmediate)
  expect(scene.gatherer.sessions).toEqual([])
  expect(scene.gatherer.strangers).toBe(0)
})
