import { isPipeError, memoryPair, type MessagePipe } from '@striper/core'
import { reassemble } from '@striper/reassemble'
import { trunk, type TrunkOptions } from '@striper/trunk'
import { cut, rng } from '@striper/testkit'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import * as wire from '../../stripe/src/pure/wire.ts'
import { closed, exchange, joined, text } from './scene.ts'

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

  test('a lane that never comes up is dialled for as long as it is wanted, a day of it, beside one that carries', async () => {
    const scene = joined({
      weather: lane => (lane === 0 ? { near: cut({ afterBytes: 0 }) } : {}),
      trunk: { random: () => 1 },
    })
    await vi.advanceTimersByTimeAsync(24 * 3_600_000)
    const [never, up] = scene.near.wanted
    expect([never!.state, up!.state, up!.attempts]).toEqual(['waiting', 'up', 1])
    expect(never!.attempts).toBeGreaterThan((24 * 3600) / 30)
    expect(never!.attempts).toBeLessThan((24 * 3600) / 30 + 10)
    const whole = exchange(scene, 100_000)
    await vi.advanceTimersByTimeAsync(10_000)
    await whole
  }, 60_000)

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

describe('a network that is down for everybody', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** A conversation over two lanes, of whose network the test is the master. */
  function online() {
    const network = { up: true }
    const refuse = cut({ afterBytes: 0 })
    const scene = joined({
      weather: () => (network.up ? {} : { near: refuse }),
      trunk: { random: () => 0.5 },
    })
    const [up, down] = [text(1, 0, 600_000), text(2, 0, 600_000)]
    const [near, far] = [reassemble()(scene.near), scene.far.then(each => reassemble()(each))]
    let heard = Buffer.alloc(0)
    near.on('data', chunk => (heard = Buffer.concat([heard, chunk])))
    const over = Promise.all([closed(near), far.then(closed)])
    const say = async (from: number, to: number) => {
      near.write(up.subarray(from, to))
      ;(await far).write(down.subarray(from, to))
      await vi.advanceTimersByTimeAsync(100)
    }
    const lose = () => {
      network.up = false
      for (const lane of scene.near.below) lane.destroy()
    }
    void far.then(each => each.resume())
    return { network, near, far, over, say, lose, heard: () => heard, down }
  }

  test('a session goes on after 59 s without a lane, and not a byte is lost', async () => {
    const { network, near, far, over, say, lose, heard, down } = online()
    await say(0, 200_000)
    lose()
    await say(200_000, 400_000)
    await vi.advanceTimersByTimeAsync(44_000)
    network.up = true
    await vi.advanceTimersByTimeAsync(14_900)
    await say(400_000, 600_000)
    near.end()
    ;(await far).end()
    await vi.advanceTimersByTimeAsync(1000)
    await over
    expect([near.errored, (await far).errored]).toEqual([null, null])
    expect(heard().equals(down)).toBe(true)
  })

  test('after 60 s it fails with ERR_PIPE_NO_LANES, at both ends', async () => {
    const { near, far, over, say, lose } = online()
    await say(0, 200_000)
    lose()
    await vi.advanceTimersByTimeAsync(59_000)
    expect([near.errored, (await far).errored]).toEqual([null, null])
    await vi.advanceTimersByTimeAsync(2000)
    await over
    const codes = [near.errored, (await far).errored].map(error => isPipeError(error) && error.code)
    expect(codes).toEqual(['ERR_PIPE_NO_LANES', 'ERR_PIPE_NO_LANES'])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a lane whose server is down for a minute is dialled 12 times at most, on average', async () => {
    const chance = rng(14)
    const scenes = Array.from({ length: 100 }, () => {
      let dials = 0
      const pipe = trunk({
        lanes: [
          () => {
            dials++
            const [near, far] = memoryPair('messages')
            far.on('error', () => undefined).destroy()
            return near
          },
        ],
        random: () => chance.next(),
        stripe: { noLaneTimeoutMs: 1e9 },
      })
      return { pipe: pipe.on('error', () => undefined), dials: () => dials }
    })
    await vi.advanceTimersByTimeAsync(60_000)
    const all = scenes.map(({ dials }) => dials())
    expect(all.reduce((sum, dials) => sum + dials, 0) / all.length).toBeLessThanOrEqual(12)
    expect(Math.min(...all)).toBeGreaterThan(5)
    for (const { pipe } of scenes) pipe.destroy()
  })
})

test('a trunk that is destroyed while it dials closes, and its lanes with it', async () => {
  const scene = joined()
  scene.near.destroy()
  await closed(scene.near)
  await new Promise(setImmediate)
  expect(scene.gatherer.sessions).toEqual([])
  expect(scene.gatherer.strangers).toBe(0)
})
