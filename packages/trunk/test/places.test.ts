// Lanes over real sockets, from several local addresses, that come, change and go while data flows.

import { networkInterfaces } from 'node:os'
import { addressOf, type MessagePipe, stack } from '@striper/core'
import { frame } from '@striper/frame'
import { reassemble } from '@striper/reassemble'
import { connect, listen } from '@striper/tcp'
import { cut, rng } from '@striper/testkit'
import {
  type DialWay,
  LaneBudget,
  lanePolicy,
  type LaneServer,
  parsePlace,
  trunk,
  type TrunkPipe,
  type WantedLane,
} from '@striper/trunk'
import { describe, expect, test } from 'vitest'
import { closed, converse, exchange, joined, listening, text } from './scene.ts'

const MIB = 1024 * 1024
const places = (...texts: string[]) => texts.map(each => parsePlace(each))
const dial: DialWay = (greet, way) => stack(connect(way), greet, frame())

/** A gatherer behind ports of local addresses, all of which reach the same sessions. */
async function served(...hosts: string[]) {
  const { gatherer, far } = listening()
  const servers = await Promise.all(
    hosts.map(host => listen({ host, port: 0 }, pipe => gatherer.accept(pipe))),
  )
  const to: LaneServer[] = hosts.map((host, i) => ({ host, port: servers[i]!.port }))
  return { far, to, close: () => Promise.all(servers.map(server => server.close())) }
}

/** Resolves when the wanted lanes are as they should be. */
async function until(pipe: TrunkPipe, right: (lanes: readonly WantedLane[]) => boolean) {
  while (!right(pipe.wanted)) await new Promise(resolve => pipe.once('wanted', resolve))
}

const allUp = (lanes: readonly WantedLane[]) => lanes.every(({ state }) => state === 'up')

/** The local addresses of a trunk's lanes. */
function locals(pipe: TrunkPipe): string[] {
  const ends = pipe.wanted.map(({ lane }) => addressOf(lane!)?.local ?? '')
  return ends.map(local => local.slice(0, local.lastIndexOf(':'))).sort()
}

/** Much data both ways over a trunk, to its end; `meanwhile` is called at each MiB that came. */
async function flow(
  pipe: TrunkPipe,
  far: ReturnType<typeof listening>['far'],
  bytes: number,
  meanwhile: (mib: number) => void,
): Promise<void> {
  const [up, down] = [text(1, 0, bytes), text(2, 0, bytes)]
  const near = reassemble()(pipe)
  let next = MIB
  near.on('data', () => {
    for (; near.stats.bytesIn >= next; next += MIB) meanwhile(next / MIB)
  })
  const there = far.then(session => converse(reassemble()(session), down, up))
  await Promise.all([converse(near, up, down), there])
}

test('lanes from two local addresses carry one session', async () => {
  const { far, to, close } = await served('127.0.0.1')
  const policy = lanePolicy({ from: places('127.0.0.1*2', '127.0.0.2*2'), to, dial })
  const pipe = trunk({ lanes: policy })
  await until(pipe, allUp)
  expect(locals(pipe)).toEqual(['127.0.0.1', '127.0.0.1', '127.0.0.2', '127.0.0.2'])
  let carried: number[] = []
  await flow(pipe, far, 8 * MIB, () => (carried = pipe.lanes.map(({ bytesOut }) => bytesOut)))
  expect(carried).toHaveLength(4)
  expect(Math.min(...carried), 'of one stream, by each lane').toBeGreaterThan(16 * 1024)
  await close()
})

const hasIPv6 = Object.values(networkInterfaces()).some(addresses =>
  addresses?.some(({ address }) => address === '::1'),
)
test.runIf(hasIPv6)('lanes of IPv4 and IPv6 carry one session (needs ::1)', async () => {
  const { far, to, close } = await served('127.0.0.1', '::1')
  const pipe = trunk({ lanes: lanePolicy({ from: places('127.0.0.2', '::1'), to, dial }) })
  await until(pipe, allUp)
  expect(locals(pipe)).toEqual(['127.0.0.2', '[::1]'])
  await flow(pipe, far, MIB, () => undefined)
  await close()
})

test('lanes are added, changed and removed while 16 MiB flow each way', async () => {
  const { far, to, close } = await served('127.0.0.1')
  const policy = lanePolicy({ from: places('127.0.0.1*2'), to, dial })
  const pipe = trunk({ lanes: policy })
  let resets = 0
  pipe.on('laneDown', (lane: MessagePipe) => {
    if (lane.errored) resets++
  })
  const lists = [
    ['127.0.0.1*2', '127.0.0.2*2'],
    ['127.0.0.2*2,weight=0.5'],
    ['127.0.0.2*2,backup', '127.0.0.3'],
    ['127.0.0.1*4', '127.0.0.3,budget=1Mi'],
    ['127.0.0.4*8'],
  ]
  const seen: number[] = []
  await flow(pipe, far, 16 * MIB, mib => {
    const list = lists[mib % lists.length]!
    policy.change({ from: places(...list) })
    seen.push(pipe.wanted.length)
  })
  expect(seen.length).toBe(16)
  expect(new Set(seen)).toEqual(new Set([4, 2, 3, 5, 8]))
  expect(resets).toBe(0) // each that was let go, was let go in peace
  await close()
})

test('lanes that are reset all the time cost no byte of 16 MiB each way', async () => {
  const { far, to, close } = await served('127.0.0.1')
  const policy = lanePolicy({ from: places('127.0.0.1*4', '127.0.0.2*4'), to, dial })
  const pipe = trunk({ lanes: policy, firstPauseMs: 1, longestPauseMs: 20 })
  const chance = rng(10)
  let resets = 0
  await flow(pipe, far, 16 * MIB, () => {
    for (let i = 0; i < 4; i++) {
      const lanes = pipe.wanted.flatMap(({ state, lane }) => (state === 'up' ? [lane!] : []))
      if (lanes.length === 0) continue
      chance.pick(lanes).destroy()
      resets++
    }
  })
  expect(resets).toBeGreaterThan(30)
  await close()
})

describe('a server that is down', () => {
  test('lanes say that it refuses, and are up when it is; nothing that was written is lost', async () => {
    const { far, gatherer } = listening()
    const port = await freePort()
    const to = [{ host: '127.0.0.1', port }]
    const policy = lanePolicy({ from: places('127.0.0.1*4'), to, dial })
    const pipe = trunk({ lanes: policy, firstPauseMs: 10, longestPauseMs: 20 })
    const said = text(1, 0, 100_000)
    const conversation = converse(reassemble()(pipe), said, said)
    const refused = ({ state, why }: WantedLane) =>
      state === 'waiting' && /^waits 0\.0 s: connection refused$/.test(why)
    const seen = new Set<string>()
    pipe.on('wanted', (lane: WantedLane) => {
      if (refused(lane)) seen.add(lane.key)
    })
    await until(pipe, () => seen.size === 4)
    const server = await listen({ host: '127.0.0.1', port }, each => gatherer.accept(each))
    await until(pipe, allUp)
    await Promise.all([conversation, far.then(each => converse(reassemble()(each), said, said))])
    await server.close()
  })

  test('a local address that the machine does not let us use is a lane that failed', async () => {
    const { far, to, close } = await served('127.0.0.1')
    const source = {
      interfaces: () => ({ eth7: [{ address: '192.0.2.77' }] }), // it says so, and has it not
      resolve: () => Promise.resolve([]),
    }
    const policy = lanePolicy({ from: places('eth7', '127.0.0.1'), to, dial, source })
    const pipe = trunk({ lanes: policy })
    await until(pipe, lanes => lanes[1]!.state === 'up' && lanes[0]!.state === 'waiting')
    expect(pipe.wanted[0]!.why).toMatch(/^waits \d\.\d s: no such address on this machine$/)
    await flow(pipe, far, MIB, () => undefined)
    await close()
  })
})

test('a budget that lanes share is spent by the bytes that went, and no more is dialled', async () => {
  const budget = new LaneBudget(600_000)
  const { near, far, dials } = joinedWith(budget)
  const bytes = 2_000_000
  const [up, down] = [text(1, 0, bytes), text(2, 0, 1000)]
  await Promise.all([
    converse(reassemble()(near), up, down),
    far.then(session => converse(reassemble()(session), down, up)),
  ])
  expect(budget.leftBytes).toBe(0)
  // What was under way, and headers, come on top.
  expect(budget.spentBytes).toBeLessThan(600_000 * 1.2 + 4 * 65_536)
  expect(dials[0]).toBeLessThan(20)
})

test('lanes that are gone have no share: the next may spend all that is left', async () => {
  const scene = joined({
    lanes: 1,
    properties: () => ({ budgetBytes: 5_000_000 }),
    weather: (_, dial) => (dial < 20 ? { near: cut({ afterBytes: 10_000 }) } : {}),
  })
  await exchange(scene, 1_000_000)
  expect(scene.dials).toEqual([21])
})

/** Two lanes that share a budget, and a third without one. */
function joinedWith(budget: LaneBudget) {
  return joined({ lanes: 3, properties: lane => (lane < 2 ? { budget } : {}) })
}

test('a session that was without lanes for too long fails with ERR_PIPE_NO_LANES', async () => {
  const port = await freePort()
  const to = [{ host: '127.0.0.1', port }]
  const pipe = trunk({ lanes: lanePolicy({ to, dial }), stripe: { noLaneTimeoutMs: 50 } })
  pipe.on('error', () => undefined)
  await closed(pipe)
  expect(pipe.errored).toMatchObject({ code: 'ERR_PIPE_NO_LANES' })
})

/** A port on which nobody listens; somebody did until just now. */
async function freePort(): Promise<number> {
  const server = await listen({ host: '127.0.0.1', port: 0 }, pipe => pipe.destroy())
  const { port } = server
  await server.close()
  return port
}
