// lanePolicy in virtual time: a machine whose interfaces come and go, and names that move.

import {
  type Interfaces,
  lanePolicy,
  type LanePolicyOptions,
  parsePlace,
  trunk,
  type TrunkPipe,
} from '@striper/trunk'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Dial, Exchange, fakeTime, pass, settle, told } from './virtual.ts'

beforeEach(fakeTime)
afterEach(() => {
  vi.useRealTimers()
})

const on = (...addresses: string[]) => addresses.map(address => ({ address }))
const places = (...texts: string[]) => texts.map(text => parsePlace(text))

/** A machine that the test changes, and a trunk that follows it. */
class Scene {
  readonly exchange = new Exchange()
  interfaces: Interfaces = { eth0: on('192.0.2.7'), wlan0: on('198.51.100.9') }
  addresses: readonly string[] | Error
  looks = 0
  readonly asked: number[] = []
  readonly policy
  readonly pipe: TrunkPipe
  readonly #start = performance.now()

  constructor(
    options: Partial<LanePolicyOptions> = {},
    addresses: readonly string[] | Error = ['203.0.113.1'],
  ) {
    this.addresses = addresses
    this.policy = lanePolicy({
      from: places('eth0', 'wlan0'),
      to: [{ host: 'exit.example', port: 7000 }],
      dial: this.exchange.dial,
      source: {
        interfaces: () => {
          this.looks++
          return this.interfaces
        },
        resolve: () => {
          this.asked.push(performance.now() - this.#start)
          const { addresses } = this
          return addresses instanceof Error ? Promise.reject(addresses) : Promise.resolve(addresses)
        },
      },
      ...options,
    })
    this.pipe = this.trunk()
  }

  trunk(): TrunkPipe {
    const stripe = { noLaneTimeoutMs: 1e9 }
    const pipe = trunk({ lanes: this.policy, random: () => 1, stripe })
    pipe.on('error', () => undefined).resume()
    return pipe
  }

  get ways(): string[] {
    return this.exchange.dials.map(({ way }) => `${way?.localAddress ?? '*'} ${way?.host}`)
  }

  from(address: string): Dial {
    return this.exchange.dials.findLast(({ way }) => way?.localAddress === address)!
  }

  async welcomeAll(): Promise<void> {
    await settle()
    for (const dial of this.exchange.dials) await this.exchange.welcome(this.pipe, dial)
  }
}

describe('interfaces that come and go', () => {
  test('each place is dialled from its address, once the name is known', async () => {
    const scene = new Scene()
    expect(told(scene.pipe)).toEqual([
      'eth0#1 resolving exit.example',
      'wlan0#1 resolving exit.example',
    ])
    await settle()
    expect(scene.ways).toEqual(['192.0.2.7 203.0.113.1', '198.51.100.9 203.0.113.1'])
    expect(scene.exchange.last.way).toEqual({
      localAddress: '198.51.100.9',
      host: '203.0.113.1',
      port: 7000,
    })
    scene.pipe.destroy()
  })

  test('a lane whose interface vanished is let go within 2 s, and dialled within 2 s of its return', async () => {
    const scene = new Scene()
    await scene.welcomeAll()
    const lane = scene.from('198.51.100.9').near
    scene.interfaces = { eth0: on('192.0.2.7') }
    await pass(2000)
    expect(lane.errored?.message).toContain('198.51.100.9 is gone')
    expect(told(scene.pipe)).toEqual(['eth0#1 up', 'wlan0#1 no such interface now'])
    await pass(10_000)
    expect(scene.exchange.dials.length).toBe(2)
    scene.interfaces = { eth0: on('192.0.2.7'), wlan0: on('198.51.100.10') }
    await pass(2000)
    expect(scene.ways[2]).toBe('198.51.100.10 203.0.113.1')
    expect(scene.exchange.dials.length).toBe(3)
    expect(scene.from('192.0.2.7').near.destroyed).toBe(false)
    scene.pipe.destroy()
  })

  test('an interface that gets another address is dialled from that one', async () => {
    const scene = new Scene({ from: places('wlan0') })
    await scene.welcomeAll()
    await pass(7999) // and 1 for the welcome
    scene.interfaces = { wlan0: on('198.51.100.77') }
    await pass(2000)
    expect(told(scene.pipe)).toEqual(['wlan0#1 waits 0.3 s: 198.51.100.9 is gone'])
    await pass(250)
    expect(scene.ways).toEqual(['198.51.100.9 203.0.113.1', '198.51.100.77 203.0.113.1'])
    scene.pipe.destroy()
  })

  test('a newer address in front of the one in use disturbs nobody', async () => {
    const scene = new Scene({ from: places('wlan0') })
    await scene.welcomeAll()
    scene.interfaces = { wlan0: on('198.51.100.77', '198.51.100.9') }
    await pass(10_000)
    expect(told(scene.pipe)).toEqual(['wlan0#1 up'])
    expect(scene.exchange.dials.length).toBe(1)
    scene.pipe.destroy()
  })

  test('an address that is not there yet is dialled when it comes', async () => {
    const scene = new Scene({ from: places('192.0.2.200*2') })
    await settle()
    expect(told(scene.pipe)).toEqual([
      '192.0.2.200#1 no such address now',
      '192.0.2.200#2 no such address now',
    ])
    scene.interfaces = { eth0: on('192.0.2.7', '192.0.2.200') }
    await pass(2000)
    expect(scene.ways).toEqual(['192.0.2.200 203.0.113.1', '192.0.2.200 203.0.113.1'])
    scene.pipe.destroy()
  })

  test('interfaces that cannot be read are as they were', async () => {
    const scene = new Scene()
    await scene.welcomeAll()
    Object.defineProperty(scene, 'interfaces', {
      get: () => {
        throw new Error('not allowed')
      },
    })
    await pass(10_000)
    expect(told(scene.pipe)).toEqual(['eth0#1 up', 'wlan0#1 up'])
    expect(scene.looks).toBeGreaterThan(4)
    scene.pipe.destroy()
  })
})

test('lanes that wait are dialled soon when an interface comes or goes', async () => {
  const scene = new Scene({ from: places('eth0') })
  await settle()
  for (let i = 0; i < 8; i++) {
    await scene.exchange.fail()
    await pass(Math.min(250 * 2 ** i, 30_000))
  }
  await scene.exchange.fail()
  expect(told(scene.pipe)).toEqual(['eth0#1 waits 30.0 s: connection refused'])
  scene.interfaces = { ...scene.interfaces, usb0: on('203.0.113.200') }
  const before = scene.exchange.dials.length
  await pass(2250)
  expect(scene.exchange.dials.length).toBe(before + 1)
  scene.pipe.destroy()
})

describe('names', () => {
  test('a name is asked for each 60 s, and a new address is for the next dial', async () => {
    const scene = new Scene({ from: places('eth0') })
    await scene.welcomeAll()
    scene.addresses = ['203.0.113.2']
    await pass(119_990)
    expect(scene.asked).toEqual([0, 60_000])
    expect(told(scene.pipe).length).toBe(1)
    await scene.exchange.fail('lost')
    await pass(2000)
    expect(scene.ways.at(-1)).toBe('192.0.2.7 203.0.113.2')
    scene.pipe.destroy()
  })

  test('when DNS fails, the last good answer is kept', async () => {
    const scene = new Scene({ from: places('eth0') })
    await scene.welcomeAll()
    scene.addresses = Object.assign(new Error('getaddrinfo'), { code: 'EAI_AGAIN' })
    await pass(130_000)
    await scene.exchange.fail('lost')
    await pass(1000)
    expect(scene.asked.length).toBeGreaterThan(2)
    expect(new Set(scene.ways)).toEqual(new Set(['192.0.2.7 203.0.113.1']))
    expect(scene.exchange.dials.length).toBeGreaterThan(1)
    scene.pipe.destroy()
  })

  test('a name that was never known is asked for again after 5 s or so, and says why', async () => {
    const unknown = Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' })
    const scene = new Scene({ from: places('eth0') }, unknown)
    await settle()
    expect(told(scene.pipe)).toEqual(['eth0#1 cannot resolve exit.example: no such name'])
    scene.addresses = ['203.0.113.5']
    await pass(6000)
    expect(scene.asked).toEqual([0, 6000]) // the first look after 5 s
    expect(scene.ways).toEqual(['192.0.2.7 203.0.113.5'])
    scene.pipe.destroy()
  })

  test('a name with no address at all is one that failed', async () => {
    const scene = new Scene({ from: places('eth0') }, [])
    await settle()
    expect(told(scene.pipe)).toEqual(['eth0#1 exit.example has no address'])
    scene.pipe.destroy()
  })

  test('when all lanes to a name fail it is asked for at once, but not twice in 5 s', async () => {
    const scene = new Scene()
    await scene.welcomeAll()
    await pass(9000)
    scene.addresses = ['203.0.113.99']
    for (const { near } of scene.exchange.dials) await scene.exchange.fail('lost', { near } as Dial)
    await pass(300) // both are dialled again, by the ways that worked
    await scene.exchange.fail('refused', scene.from('192.0.2.7'))
    await scene.exchange.fail('refused', scene.from('198.51.100.9'))
    expect(scene.asked.map(at => Math.round(at / 1000))).toEqual([0, 9])
    await pass(2000)
    expect(scene.ways.at(-1)).toContain('203.0.113.99')
    scene.pipe.destroy()
  })

  test('while one lane reaches it, a name is not asked for because others fail', async () => {
    const scene = new Scene()
    await settle()
    await scene.exchange.welcome(scene.pipe, scene.from('192.0.2.7'))
    for (let i = 0; i < 5; i++) {
      await scene.exchange.fail('refused', scene.from('198.51.100.9'))
      await pass(8000)
    }
    expect(scene.asked).toEqual([0])
    scene.pipe.destroy()
  })

  test('an address is never asked for', async () => {
    const to = [{ host: '203.0.113.1', port: 7000 }]
    const scene = new Scene({ from: places('eth0'), to })
    expect(scene.ways).toEqual(['192.0.2.7 203.0.113.1']) // at once
    for (let i = 0; i < 5; i++) {
      await scene.exchange.fail()
      await pass(60_000)
    }
    expect(scene.asked).toEqual([])
    scene.pipe.destroy()
  })
})

describe('which way a lane is dialled', () => {
  test('one that fails tries the next address; one that worked stays with its own', async () => {
    const three = ['203.0.113.1', '203.0.113.2', '203.0.113.3']
    const scene = new Scene({ from: places('eth0') }, three)
    await settle()
    await scene.exchange.fail()
    await pass(250)
    await scene.exchange.welcome(scene.pipe)
    await pass(8000)
    await scene.exchange.fail('lost')
    await pass(250)
    await scene.exchange.fail()
    await pass(1000)
    expect(scene.ways.map(way => way.at(-1))).toEqual(['1', '2', '2', '3'])
    scene.pipe.destroy()
  })

  test('with no place there are 4 lanes from wherever the system likes', async () => {
    const scene = new Scene({ from: [] })
    await settle()
    expect(scene.ways).toEqual(Array.from({ length: 4 }, () => '* 203.0.113.1'))
    expect(scene.exchange.last.way).toEqual({ host: '203.0.113.1', port: 7000 })
    scene.pipe.destroy()
  })
})

describe('a policy that changes', () => {
  test('lanes of places that stay are left alone, with their properties as they are now', async () => {
    const scene = new Scene()
    await scene.welcomeAll()
    scene.policy.change({ from: places('eth0*2,weight=0.5') })
    expect(told(scene.pipe)).toEqual(['eth0#1 up', 'eth0#2 dialling'])
    expect(scene.pipe.wanted[0]).toMatchObject({ attempts: 1, weight: 0.5 })
    await pass(1000)
    expect(scene.from('198.51.100.9').near.writableEnded).toBe(true)
    scene.pipe.destroy()
  })

  test('the budget of a place is for all its lanes, in all trunks, and survives its absence', async () => {
    const scene = new Scene({ from: places('eth0*2,budget=100k') })
    const other = scene.trunk()
    await settle()
    const [budget] = new Set([...scene.pipe.wanted, ...other.wanted].map(lane => lane.budget))
    for (const { near } of scene.exchange.dials) Object.assign(near.stats, { bytesIn: 20_000 })
    expect(Math.round(budget!.leftBytes / 1000)).toBe(20)
    scene.policy.change({ from: places('wlan0') })
    await pass(1000)
    scene.policy.change({ from: places('eth0,budget=200k') })
    expect(scene.pipe.wanted[0]!.budget).toBe(budget)
    expect([budget!.bytes, Math.round(budget!.spentBytes / 1000)]).toEqual([200_000, 80])
    scene.policy.change({ from: places('eth0,budget=80k') })
    scene.interfaces = {}
    await pass(2000)
    scene.interfaces = { eth0: on('192.0.2.7') }
    await pass(2000)
    expect(told(scene.pipe)).toEqual(['eth0#1 over budget'])
    scene.pipe.destroy()
    other.destroy()
  })

  test('what is wrong is a RangeError, and changes nothing', () => {
    const scene = new Scene()
    const wrong: Parameters<typeof scene.policy.change>[0][] = [
      { to: [] },
      { to: [{ host: 'exit.example', port: 0 }] },
      { to: [{ host: 'exit.example', port: 65536 }] },
      { to: [{ host: '', port: 7000 }] },
      { from: places('eth0', 'eth0,backup') },
      { from: [{ from: 'eth0', count: 33 }] },
      { from: [{ from: 'eth0', count: 1, weight: NaN }] },
      { from: places('ppp0'), to: [] },
    ]
    for (const change of wrong) expect(() => scene.policy.change(change)).toThrow(RangeError)
    expect(scene.pipe.wanted.map(({ key }) => key)).toEqual(['eth0#1', 'wlan0#1'])
    const dial = scene.exchange.dial
    const to = [{ host: 'exit.example', port: 7000 }]
    expect(() => lanePolicy({ to, dial, pollMs: 0 })).toThrow(RangeError)
    expect(() => lanePolicy({ to, dial, resolveMs: 2 ** 31 })).toThrow(RangeError)
    scene.pipe.destroy()
  })
})

describe('what a policy costs', () => {
  test('it looks while a trunk follows it, and leaves no timer behind the last', async () => {
    const scene = new Scene()
    const other = scene.trunk()
    await settle()
    scene.pipe.destroy()
    await pass(10_000)
    const { looks } = scene
    await pass(10_000)
    expect(scene.looks).toBe(looks + 5)
    other.destroy()
    await pass(5000)
    expect(vi.getTimerCount()).toBe(0)
    const third = scene.trunk() // by what is known, at once
    await settle()
    expect(third.wanted.map(({ state }) => state)).toEqual(['dialling', 'dialling'])
    third.destroy()
    await pass(5000)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a dial function that throws is thrown from trunk(), or said of its lane', async () => {
    const throws = () => {
      throw new TypeError('a mistake')
    }
    const to = [{ host: '203.0.113.1', port: 7000 }]
    const direct = lanePolicy({ to, dial: throws })
    expect(() => trunk({ lanes: direct })).toThrow('a mistake')
    const scene = new Scene({ from: places('eth0'), dial: throws })
    await settle()
    expect(told(scene.pipe)).toEqual(['eth0#1 waits 0.3 s: cannot be dialled: a mistake'])
    scene.policy.change({ from: places('wlan0') })
    expect(told(scene.pipe)).toEqual(['wlan0#1 waits 0.3 s: cannot be dialled: a mistake'])
    scene.pipe.destroy()
    await pass(5000)
    expect(vi.getTimerCount()).toBe(0)
  })
})
