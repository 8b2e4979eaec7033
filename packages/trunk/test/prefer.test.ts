// What the end that dials says of a lane, its weight and whether it is a backup, holds for the
// download as well.

import { once } from 'node:events'
import { memoryPair, stack } from '@striper/core'
import { frame } from '@striper/frame'
import { type Schedule, soonest, stripe, type StripePipe } from '@striper/stripe'
import { newSecret, tlsClient, tlsServer } from '@striper/tls'
import { greet, type TrunkPipe } from '@striper/trunk'
import { expect, test } from 'vitest'
import { decodePrefer, encodePrefer, PREFER } from '../../stripe/src/pure/prefer.ts'
import * as wire from '../../stripe/src/pure/wire.ts'
import { closed, joined, listening, type SceneOptions } from './scene.ts'

const turn = () => new Promise(setImmediate)

/** A scene whose two lanes are up at both ends, and the number of the lane with that place. */
async function bothUp(options: SceneOptions, take?: (session: StripePipe) => void) {
  let open: (session: StripePipe) => void
  const opened = new Promise<StripePipe>(resolve => (open = resolve))
  const onSession = (session: StripePipe) => {
    take?.(session)
    open(session)
  }
  const scene = joined({ lanes: 2, ...options, gather: { ...options.gather, onSession } })
  const far = await opened
  while (far.lanes.length < 2) await new Promise(resolve => far.once('laneUp', resolve))
  const numberOf = (place: number) => {
    const { lane } = scene.near.wanted[place]!
    return scene.near.lanes.find(({ label }) => label === lane!.label)!.number
  }
  return { ...scene, far, numberOf }
}

/** Downloads so many parcels; the bytes that each lane has carried down, by its number. */
async function download(near: TrunkPipe, far: StripePipe, parcels = 60) {
  let got = 0
  const all = new Promise<void>(resolve => {
    near.on('data', () => {
      if (++got === parcels) resolve()
    })
  })
  const before = new Map(far.lanes.map(({ number, bytesOut }) => [number, bytesOut]))
  for (let i = 0; i < parcels; i++) far.write(Buffer.alloc(16_000, i))
  await all
  near.removeAllListeners('data')
  return new Map(far.lanes.map(lane => [lane.number, lane.bytesOut - before.get(lane.number)!]))
}

function over({ near, far }: { near: TrunkPipe; far: StripePipe }) {
  for (const pipe of [near, far]) pipe.on('error', () => undefined).destroy()
  return Promise.all([closed(near), closed(far)])
}

const key = newSecret()
const kinds: Record<string, SceneOptions> = {
  plain: {},
  'with secrecy': { secrecy: { near: tlsClient({ key }), far: tlsServer({ keys: key }) } },
}

for (const [name, options] of Object.entries(kinds)) {
  test(`a backup that is named at the entry holds back the download, not one parcel goes by it (${name})`, async () => {
    const scene = await bothUp({ ...options, properties: lane => ({ backup: lane === 1 }) })
    const carried = await download(scene.near, scene.far)
    expect(carried.get(scene.numberOf(1))).toBe(0)
    expect(carried.get(scene.numberOf(0))).toBe(60 * 16_000)
    await over(scene)
  })
}

test('without a word both lanes carry the download', async () => {
  const scene = await bothUp({})
  const carried = await download(scene.near, scene.far)
  expect(Math.min(...carried.values())).toBeGreaterThan(0)
  await over(scene)
})

test('what setLanes changes while it runs holds at the far end soon after', async () => {
  const scene = await bothUp({ properties: lane => ({ key: `${lane}` }) })
  const dial = () => {
    throw new Error('it is up')
  }
  for (const backup of [true, false]) {
    scene.near.setLanes([
      { key: '0', dial },
      { key: '1', dial, backup },
    ])
    for (let i = 0; i < 10; i++) await turn()
    const down = (await download(scene.near, scene.far)).get(scene.numberOf(1))!
    expect(down > 0).toBe(!backup)
  }
  await over(scene)
})

test('the weight is told, and the owner of the listening end has the last word of what he names', async () => {
  const weights = new Map<number, number>()
  const schedule: Schedule = (lanes, need) => {
    for (const { number, weight } of lanes) weights.set(number, weight)
    return soonest(lanes, need)
  }
  const scene = await bothUp(
    {
      properties: lane => ({ backup: lane === 1, weight: 0.25 }),
      gather: { stripe: { schedule } },
    },
    session => session.on('laneUp', lane => session.setLane(lane as never, { backup: false })),
  )
  const carried = await download(scene.near, scene.far)
  expect(Math.min(...carried.values())).toBeGreaterThan(0)
  expect([...weights.values()]).toEqual([0.25, 0.25])
  await over(scene)
})

test('a lane that is full is told when it drains, once, what holds then; of no change, nothing', async () => {
  const [near, far] = memoryPair('messages')
  const pipe = stripe({ lanes: [near] })
  for (const each of [pipe, far]) each.on('error', () => undefined)
  await turn()
  for (let i = 0; i < 100; i++) pipe.write(Buffer.alloc(10))
  while (!near.writableNeedDrain) await turn()
  for (const properties of [{ weight: 0.5 }, { backup: true }, { weight: 0.25 }]) {
    pipe.setLane(near, properties)
  }
  const told: unknown[] = []
  far.on('data', (message: Buffer) => {
    if (message[0] === PREFER) told.push(decodePrefer(message))
  })
  while (near.writableLength > 0) await turn()
  expect(told).toEqual([{ weight: 0.25, backup: true }])
  pipe.setLane(near, { weight: 0.25, budgetBytes: 1e9 })
  for (let i = 0; i < 10; i++) await turn()
  expect(told).toHaveLength(1)
  pipe.destroy()
  await closed(pipe)
})

test('the listening end has no say by PREFER: to the end that dials it is an unknown message', async () => {
  const [near, far] = memoryPair('messages')
  const pipe = stripe({ lanes: [near] })
  far.on('error', () => undefined).resume()
  far.write(encodePrefer({ weight: 1, backup: true }))
  const [error] = (await once(pipe, 'error')) as [Error]
  expect(error).toMatchObject({ code: 'ERR_PIPE_PROTOCOL' })
})

/** A lane of our own to a gatherer, up, and what it may say. */
function byHand() {
  const { gatherer, far } = listening()
  const [near, other] = memoryPair()
  gatherer.accept(other)
  const session = Buffer.alloc(16, 5)
  const lane = stack(near, greet(session), frame())
  lane.on('error', () => undefined).resume()
  const hello = wire.encodeHello({ mayOpen: true, lane: 0, session, limit: wire.INITIAL_CREDIT })
  return { gatherer, far, lane, hello }
}

const backup = encodePrefer({ weight: 1, backup: true })
const broken = Buffer.from('190000000000', 'hex')

for (const [what, messages] of Object.entries({
  'a PREFER that is broken': [broken],
  'two PREFERs before HELLO': [backup, backup],
})) {
  test(`${what}: the lane is refused, and no session opens`, async () => {
    const { gatherer, lane } = byHand()
    for (const each of messages) lane.write(each)
    await closed(lane)
    expect([gatherer.strangers, gatherer.sessions.length]).toEqual([0, 0])
  })
}

test('a broken PREFER on a lane that is up is the end of the lane, and not of the session', async () => {
  const { gatherer, far, lane, hello } = byHand()
  lane.write(hello)
  const session = await far
  lane.write(broken)
  await closed(lane)
  expect(session.destroyed).toBe(false)
  expect(session.lanes).toEqual([])
  gatherer.destroy()
})
