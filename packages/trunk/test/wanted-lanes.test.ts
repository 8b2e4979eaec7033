// setLanes and `wanted`: the lanes that a trunk is told to keep up, in virtual time.

import { memoryPair } from '@striper/core'
import { LaneBudget, trunk } from '@striper/trunk'
import type { TrunkLane, TrunkOptions, WantedLane } from '@striper/trunk'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Exchange, fakeTime, pass, settle, told } from './virtual.ts'

beforeEach(fakeTime)
afterEach(() => {
  vi.useRealTimers()
})

function scene(lanes: (exchange: Exchange) => TrunkLane[], options: Partial<TrunkOptions> = {}) {
  const exchange = new Exchange()
  const pipe = trunk({ lanes: lanes(exchange), random: () => 1, ...options })
  pipe.on('error', () => undefined).resume()
  return { exchange, pipe, dial: exchange.dial }
}

describe('what is said of a wanted lane', () => {
  test('it is dialling, up, waiting with the reason, and dialling again', async () => {
    const { exchange, pipe } = scene(({ dial }) => [{ key: 'a', dial, weight: 2, backup: true }])
    expect(pipe.wanted).toMatchObject([
      { key: 'a', state: 'dialling', why: 'dialling', attempts: 1, weight: 2, backup: true },
    ])
    expect(pipe.wanted[0]!.lane).toBe(exchange.last.near)
    await exchange.welcome(pipe)
    await pass(5000)
    expect(pipe.wanted).toMatchObject([{ state: 'up', why: 'up', forMs: 5000 }])
    await exchange.fail('connection refused')
    await pass(150)
    expect(pipe.wanted).toMatchObject([
      { state: 'waiting', why: 'waits 0.1 s: connection refused', forMs: 150, lane: undefined },
    ])
    await pass(100)
    expect(pipe.wanted).toMatchObject([{ state: 'dialling', attempts: 2, forMs: 0 }])
    pipe.destroy()
  })

  const systems: [string, string][] = [
    ['ECONNREFUSED', 'connection refused'],
    ['EADDRNOTAVAIL', 'no such address on this machine'],
    ['EMFILE', 'too many open files'],
    ['ENETUNREACH', 'network unreachable'],
    ['EHOSTUNREACH', 'host unreachable'],
  ]
  for (const [code, words] of systems) {
    test(`${code} is '${words}', however deep`, async () => {
      const { exchange, pipe } = scene(({ dial }) => [{ key: 'a', dial }])
      await settle()
      const system = Object.assign(new Error(`connect ${code}`), { code })
      exchange.last.near.destroy(new Error('outer', { cause: system }))
      await settle()
      expect(told(pipe)).toEqual([`a waits 0.3 s: ${words}`])
      pipe.destroy()
    })
  }

  test('a dial that throws is a lane that failed, unless it is the first', async () => {
    let wrong = false
    const { exchange, pipe, dial } = scene(({ dial }) => [
      {
        key: 'a',
        dial: greet => {
          if (wrong) throw new Error('no key file')
          return dial(greet)
        },
      },
    ])
    wrong = true
    await exchange.fail()
    await pass(250)
    expect(told(pipe)).toEqual(['a waits 0.5 s: cannot be dialled: no key file'])
    wrong = false
    await pass(500)
    expect(pipe.wanted).toMatchObject([{ state: 'dialling', attempts: 3 }])
    pipe.destroy()
    const never = () => {
      throw new TypeError('a mistake')
    }
    expect(() => trunk({ lanes: [dial, never] })).toThrow('a mistake')
    await pass(2000)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a lane that takes too small messages is thrown at its owner, and closed', async () => {
    const [near, far] = memoryPair('messages', { maxMessageBytes: 100 })
    far.on('error', () => undefined)
    expect(() => trunk({ lanes: [() => near] })).toThrow(RangeError)
    await settle()
    expect(near.destroyed).toBe(true)
  })

  test('a lane whose far end is silent for 15 s after its dial is given up, to the ms', async () => {
    const { exchange, pipe } = scene(({ dial }) => [{ key: 'a', dial }])
    await pass(14_999)
    expect(told(pipe)).toEqual(['a dialling'])
    await pass(1)
    expect(told(pipe)).toEqual(['a waits 0.3 s: no answer in 15000 ms'])
    await pass(250)
    await exchange.welcome(pipe)
    await pass(15_000)
    expect(told(pipe)).toEqual(['a up'])
    pipe.destroy()
  })

  test('when a lane is up after none was, those that wait are dialled soon', async () => {
    const first = new Exchange()
    const pauses = { firstPauseMs: 100, longestPauseMs: 5000 }
    const { exchange, pipe } = scene(
      ({ dial }) => [{ dial: first.dial }, { key: 'b', dial }],
      pauses,
    )
    for (let i = 0; i < 7; i++) {
      await exchange.fail('refused')
      await pass(Math.min(100 * 2 ** i, 5000))
    }
    await exchange.fail('refused')
    expect(told(pipe)[1]).toBe('b waits 5.0 s: refused')
    await first.welcome(pipe)
    await pass(100)
    expect(told(pipe)[1]).toBe('b dialling')
    pipe.destroy()
  })

  test('a lane that is silent keeps no other from being dialled again', async () => {
    const silent = new Exchange()
    const { exchange, pipe } = scene(({ dial }) => [{ dial: silent.dial }, { dial }])
    for (let i = 0; i < 3; i++) {
      await exchange.fail()
      await pass(1000)
    }
    expect([silent.dials.length, exchange.dials.length]).toEqual([1, 4])
    pipe.destroy()
  })
})

describe('the list of lanes may change', () => {
  test('the same list again leaves every lane alone', async () => {
    const { exchange, pipe, dial } = scene(({ dial }) => [dial, dial, { key: 'a', dial }])
    const before = pipe.wanted.map(({ lane }) => lane)
    pipe.setLanes([dial, dial, { key: 'a', dial }])
    await pass(1000)
    expect(pipe.wanted.map(({ lane }) => lane)).toEqual(before)
    expect(exchange.dials.length).toBe(3)
    pipe.destroy()
  })

  test('a new one is dialled at once, one that is missing is let go, the rest stays', async () => {
    const { exchange, pipe, dial } = scene(({ dial }) => [
      { key: 'a', dial },
      { key: 'b', dial },
    ])
    const [a, b] = exchange.dials
    for (const each of [a!, b!]) await exchange.welcome(pipe, each)
    pipe.setLanes([
      { key: 'b', dial },
      { key: 'c', dial },
    ])
    expect(told(pipe)).toEqual(['b up', 'c dialling'])
    expect(exchange.dials.length).toBe(3)
    const leaving = pipe.lanes.filter(({ state }) => state === 'leaving')
    expect(leaving.map(({ label }) => label)).toEqual([a!.near.label])
    await pass(1000)
    expect([a!.near.writableEnded, a!.near.errored]).toEqual([true, null])
    expect(b!.near.writableEnded).toBe(false)
    pipe.destroy()
  })

  test('without keys, a lane is its function, and the same function twice is two lanes', () => {
    const other = new Exchange()
    const { exchange, pipe, dial } = scene(({ dial }) => [dial, dial])
    pipe.setLanes([other.dial, dial])
    expect([exchange.dials.length, other.dials.length]).toEqual([2, 1])
    expect(pipe.wanted.length).toBe(2)
    pipe.destroy()
  })

  test('properties change at once, without another dial', async () => {
    const { exchange, pipe, dial } = scene(({ dial }) => [{ key: 'a', dial }, { dial }])
    for (const each of exchange.dials) await exchange.welcome(pipe, each)
    const other = exchange.dials[1]!
    pipe.setLanes([{ key: 'a', dial, backup: true, weight: 0.5 }, { dial }])
    pipe.write(Buffer.alloc(100)) // whether a backup rests is asked for each parcel
    await settle()
    expect(pipe.wanted[0]).toMatchObject({ backup: true, weight: 0.5 })
    expect(pipe.lanes.map(({ reason }) => reason)).toEqual(['backup: others work', undefined])
    expect(other.far.stats.messagesIn).toBeGreaterThan(0)
    expect(exchange.dials.length).toBe(2)
    pipe.destroy()
  })

  test('a wrong list is a RangeError, and changes nothing', () => {
    const { exchange, pipe, dial } = scene(({ dial }) => [{ key: 'a', dial }])
    const wrong: TrunkLane[][] = [
      [
        { key: 'b', dial },
        { key: 'b', dial },
      ],
      [
        { key: 'b', dial },
        { dial, weight: 0 },
      ],
      [
        { key: 'b', dial },
        { dial, budgetBytes: -1 },
      ],
    ]
    for (const list of wrong) expect(() => pipe.setLanes(list)).toThrow(RangeError)
    expect(told(pipe)).toEqual(['a dialling'])
    expect(exchange.dials.length).toBe(1)
    pipe.destroy()
  })

  test('what the dial of a new one throws is thrown, when the list is in force', () => {
    const { exchange, pipe, dial } = scene(({ dial }) => [{ key: 'a', dial }])
    const never = () => {
      throw new TypeError('a mistake')
    }
    const list = [
      { key: 'b', dial: never },
      { key: 'c', dial },
    ]
    expect(() => pipe.setLanes(list)).toThrow('a mistake')
    expect(told(pipe)).toEqual(['b waits 0.3 s: cannot be dialled: a mistake', 'c dialling'])
    expect(() => pipe.setLanes(list)).not.toThrow()
    expect(exchange.dials.length).toBe(2)
    pipe.destroy()
  })

  test('one that is absent is reset, not dialled, and dialled at once when it is back', async () => {
    const { exchange, pipe, dial } = scene(({ dial }) => [{ key: 'a', dial }])
    await exchange.welcome(pipe)
    const first = exchange.last.near
    pipe.setLanes([{ key: 'a', dial, absent: 'no such interface now' }])
    expect(told(pipe)).toEqual(['a no such interface now'])
    await settle()
    expect(first.destroyed).toBe(true) // and not when it has drained, which it never would
    await pass(50_000)
    expect(exchange.dials.length).toBe(1)
    pipe.setLanes([{ key: 'a', dial }])
    expect(told(pipe)).toEqual(['a dialling'])
    pipe.destroy()
  })

  test('who hears of a lane may change the list at once', async () => {
    const { exchange, pipe, dial } = scene(({ dial }) => [{ key: 'a', dial }])
    const heard: string[] = []
    pipe.on('wanted', ({ key, why }: WantedLane) => {
      heard.push(`${key} ${why}`)
      pipe.setLanes([{ key: 'b', dial }])
    })
    await exchange.welcome(pipe)
    await pass(20)
    expect(heard).toEqual(['a dialling', 'b dialling'])
    expect(exchange.dials.length).toBe(2)
    pipe.destroy()
  })

  test('one that is absent is not dialled because its budget is raised', async () => {
    const { exchange, pipe, dial } = scene(({ dial }) => [{ key: 'a', dial, budgetBytes: 0 }])
    expect(told(pipe)).toEqual(['a over budget'])
    pipe.setLanes([{ key: 'a', dial, budgetBytes: 1000, absent: 'unplugged' }])
    pipe.setLanes([{ key: 'a', dial, budgetBytes: 2000, absent: 'unplugged' }])
    await settle()
    expect([told(pipe), exchange.dials.length]).toEqual([['a unplugged'], 0])
    pipe.setLanes([{ key: 'a', dial, budgetBytes: 2000 }])
    expect(told(pipe)).toEqual(['a dialling'])
    pipe.destroy()
  })

  test('one that waits to be dialled is not, once it is missing or absent', async () => {
    const { exchange, pipe, dial } = scene(({ dial }) => [
      { key: 'a', dial },
      { key: 'b', dial },
    ])
    for (const each of [...exchange.dials]) await exchange.fail('gone', each)
    pipe.setLanes([{ key: 'b', dial, absent: 'unplugged' }])
    await pass(50_000)
    expect(exchange.dials.length).toBe(2)
    pipe.destroy()
  })

  test('a trunk that is over takes no list, and leaves no timer', async () => {
    const { exchange, pipe, dial } = scene(({ dial }) => [{ key: 'a', dial }])
    await exchange.welcome(pipe)
    pipe.setLanes([{ key: 'b', dial }])
    pipe.destroy()
    pipe.setLanes([{ key: 'c', dial }])
    await pass(100_000)
    expect(exchange.dials.length).toBe(2)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a budget', () => {
  /** Spends so many bytes on a lane that is up, beside the few of its first words. */
  async function spend(exchange: Exchange, bytes: number): Promise<void> {
    Object.assign(exchange.last.near.stats, { bytesIn: bytes, bytesOut: 0 })
    await settle()
  }

  test('one that is spent is shown, and nothing is dialled, until it is raised', async () => {
    const { exchange, pipe, dial } = scene(({ dial }) => [{ key: 'a', dial, budgetBytes: 1000 }])
    await exchange.welcome(pipe)
    await spend(exchange, 1000)
    await exchange.fail()
    await pass(50_000)
    expect(told(pipe)).toEqual(['a over budget'])
    expect(exchange.dials.length).toBe(1)
    const { spentBytes } = pipe.wanted[0]!.budget
    pipe.setLanes([{ key: 'a', dial, budgetBytes: spentBytes }])
    expect(told(pipe)).toEqual(['a over budget'])
    pipe.setLanes([{ key: 'a', dial, budgetBytes: spentBytes + 1 }])
    expect(told(pipe)).toEqual(['a dialling'])
    pipe.destroy()
  })

  test('it survives re-dials: each next one has what the last left', async () => {
    const { exchange, pipe } = scene(({ dial }) => [{ key: 'a', dial, budgetBytes: 100_000 }])
    for (const bytes of [40_000, 40_000]) {
      await exchange.welcome(pipe)
      await spend(exchange, bytes)
      await exchange.fail()
      await pass(1000)
    }
    const { budget } = pipe.wanted[0]!
    expect([budget.spentBytes, budget.leftBytes].map(kilo)).toEqual([80, 20])
    await spend(exchange, budget.leftBytes - 1000)
    await exchange.fail()
    await pass(1000)
    expect(told(pipe)).toEqual(['a dialling'])
    await spend(exchange, 1100) // and not the few of its first words
    await exchange.fail()
    expect(told(pipe)).toEqual(['a over budget'])
    pipe.destroy()
  })

  test('a budget that several lanes share, of two trunks, is for all of them together', async () => {
    const budget = new LaneBudget(1000)
    const one = scene(({ dial }) => [{ key: 'a', dial, budget }])
    const two = scene(({ dial }) => [{ key: 'b', dial, budget }])
    for (const { exchange, pipe } of [one, two]) {
      await exchange.welcome(pipe)
      await spend(exchange, 500)
    }
    expect(budget.leftBytes).toBe(0)
    for (const { exchange } of [one, two]) await exchange.fail()
    expect([told(one.pipe), told(two.pipe)]).toEqual([['a over budget'], ['b over budget']])
    budget.bytes = 2000
    expect([told(one.pipe), told(two.pipe)]).toEqual([['a dialling'], ['b dialling']])
    one.pipe.destroy()
    two.pipe.destroy()
  })

  test('a trunk that is over does not dial when a budget is raised', async () => {
    const budget = new LaneBudget(0)
    const { exchange, pipe } = scene(({ dial }) => [{ key: 'a', dial, budget }])
    expect(told(pipe)).toEqual(['a over budget'])
    pipe.destroy()
    await settle()
    budget.bytes = 1000
    await pass(50_000)
    expect(exchange.dials.length).toBe(0)
  })
})

const kilo = (bytes: number) => Math.round(bytes / 1000)
