import { memoryPair, ready, type MessagePipe, type Pipe } from '@striper/core'
import { roundRobin, stripe, untilCongested } from '@striper/stripe'
import { rng } from '@striper/testkit'
import { expect, test, vi } from 'vitest'
import * as wire from '../src/pure/wire.ts'
import { memoryLanes, openStripes, striped, times } from './scene.ts'

const closed = (pipe: Pipe) =>
  new Promise<void>(resolve => (pipe.closed ? resolve() : pipe.once('close', resolve)))
const event = (pipe: Pipe, name: string) => new Promise(resolve => pipe.once(name, resolve))
const turn = () => new Promise(setImmediate)

/** Parcels, each unlike any other. */
const parcels = (count: number, seed = 1) => {
  const chance = rng(seed)
  return times(count, index => Buffer.concat([Buffer.of(index >> 8, index), chance.bytes(2000)]))
}

async function writeAll(pipe: Pipe, all: readonly Buffer[]) {
  for (const each of all) if (!pipe.write(each)) await event(pipe, 'drain')
}

/** Everything to the end, sorted, for parcels come in any order. */
async function readAll(pipe: Pipe): Promise<Buffer[]> {
  const got: Buffer[] = []
  pipe.on('data', (parcel: Buffer) => got.push(parcel))
  await new Promise((resolve, reject) => pipe.once('end', resolve).once('error', reject))
  return sorted(got)
}

const sorted = (all: readonly Buffer[]) => [...all].sort((a, b) => Buffer.compare(a, b))

test('options out of range are a RangeError at once', () => {
  for (const session of [Buffer.alloc(15), Buffer.alloc(17), Buffer.alloc(0)]) {
    expect(() => stripe({ session })).toThrow(RangeError)
  }
  for (const windowBytes of [wire.INITIAL_CREDIT - 1, 2 ** 30 + 1, NaN]) {
    expect(() => stripe({ windowBytes })).toThrow(RangeError)
  }
  for (const noLaneTimeoutMs of [-1, NaN]) {
    expect(() => stripe({ noLaneTimeoutMs })).toThrow(RangeError)
  }
  for (const maxParcelBytes of [0, 1023, 65_537, Infinity, NaN]) {
    const range = `maxParcelBytes must be 1024..65536, got ${maxParcelBytes}`
    expect(() => stripe({ maxParcelBytes })).toThrow(new RangeError(range))
  }
})

test('the largest parcels pass through the smallest window', async () => {
  const [near, far] = await openStripes(memoryLanes(2), { windowBytes: wire.INITIAL_CREDIT })
  const all = times(5, index => Buffer.alloc(near.maxMessageBytes, index))
  const reading = readAll(far)
  await writeAll(near, all)
  near.end()
  expect((await reading).map(each => each.length)).toEqual(all.map(each => each.length))
  far.end()
  near.resume()
  await Promise.all([closed(near), closed(far)])
})

test('a lane whose messages are too small is a RangeError', () => {
  const [near] = memoryPair('messages', { maxMessageBytes: 513 * 1024 - 1 })
  expect(() => stripe({ lanes: [near] })).toThrow(RangeError)
})

test('two stripes have two sessions', () => {
  expect(stripe().session).not.toEqual(stripe().session)
})

test('it opens with its first lane, and what was written before arrives', async () => {
  const [[near, far]] = memoryLanes(1) as [[MessagePipe, MessagePipe]]
  const left = stripe()
  const right = stripe({ role: 'accept', session: left.session, lanes: [far] })
  left.write(Buffer.from('early'))
  left.end()
  for (let i = 0; i < 5; i++) await turn()
  expect(left.pending).toBe(true)
  left.addLane(near)
  await ready(left)
  expect(Buffer.concat(await readAll(right)).toString()).toBe('early')
  right.destroy()
  left.on('error', () => undefined).destroy()
})

test('regression: a stripe that is destroyed in its first tick closes', async () => {
  for (const lanes of [[], memoryLanes(2)]) {
    const pipes = striped(lanes)
    for (const pipe of pipes) pipe.on('error', () => undefined).destroy()
    await Promise.all(pipes.map(closed))
    for (const lane of lanes.flat()) expect(lane.destroyed).toBe(true)
  }
})

for (const schedule of [roundRobin, untilCongested]) {
  const name = schedule === roundRobin ? 'round robin' : 'until congested'
  test(`every parcel arrives, ${name}`, async () => {
    const [near, far] = await openStripes(memoryLanes(3), { windowBytes: 2 ** 19, schedule })
    const sent = parcels(500)
    const read = readAll(far)
    await writeAll(near, sent)
    near.end()
    expect((await read).map(each => each.toString('hex'))).toEqual(
      sorted(sent).map(each => each.toString('hex')),
    )
    far.end()
    near.resume()
    await Promise.all([closed(near), closed(far)])
  })
}

test('round robin uses all lanes alike', async () => {
  const [near, far] = await openStripes(memoryLanes(4), { schedule: roundRobin })
  far.resume()
  await writeAll(near, parcels(400))
  const used = near.lanes.map(({ bytesOut }) => bytesOut)
  expect(Math.min(...used)).toBeGreaterThan(Math.max(...used) / 2)
  near.on('error', () => undefined).destroy()
  far.on('error', () => undefined)
})

test('lanes come and go while data flow, and nothing is lost', async () => {
  const first = memoryLanes(2)
  const [near, far] = await openStripes(first)
  const sent = parcels(1500)
  const read = readAll(far)
  const third = Math.floor(sent.length / 3)
  await writeAll(near, sent.slice(0, third))
  const [[nearNew, farNew]] = memoryLanes(1) as [[MessagePipe, MessagePipe]]
  far.addLane(farNew)
  near.addLane(nearNew)
  await event(near, 'laneUp')
  near.removeLane(first[0]![0]) // one is asked to leave
  await writeAll(near, sent.slice(third, 2 * third))
  first[1]![1].destroy() // and one is lost
  await writeAll(near, sent.slice(2 * third))
  near.end()
  const got = await read
  expect(Buffer.concat(got).equals(Buffer.concat(sorted(sent)))).toBe(true)
  await closed(first[0]![0])
  expect(first[0]![0].errored).toBeNull() // it ended; it was not cut
  expect(near.lanes.map(({ number }) => number)).toEqual([2])
  far.end()
  near.resume()
  await Promise.all([closed(near), closed(far)])
})

test('finish means that the far end has everything, and not that it was written', async () => {
  const [near, far] = await openStripes(memoryLanes(2))
  let finished = false
  near.once('finish', () => (finished = true))
  const sent = parcels(1000)
  for (const each of sent) near.write(each)
  near.end()
  for (let i = 0; i < 50; i++) await turn()
  expect(finished, 'with a far end that does not read').toBe(false)
  const got = readAll(far)
  await event(near, 'finish')
  expect(near.stripeStats.retainedBytes).toBe(0)
  expect(await got).toHaveLength(sent.length)
  far.destroy()
  near.on('error', () => undefined).destroy()
})

test('without any lane it fails after its time with ERR_PIPE_NO_LANES', async () => {
  const lanes = memoryLanes(2)
  const [near, far] = await openStripes(lanes, { noLaneTimeoutMs: 30 })
  const errors: Error[] = []
  for (const pipe of [near, far]) pipe.on('error', error => errors.push(error))
  for (const [lane] of lanes) lane.destroy()
  await Promise.all([closed(near), closed(far)])
  expect(errors).toMatchObject([{ code: 'ERR_PIPE_NO_LANES' }, { code: 'ERR_PIPE_NO_LANES' }])
})

test('a lane that is added to a stripe that is over is destroyed', async () => {
  const [near, far] = await openStripes(memoryLanes(1))
  for (const pipe of [near, far]) pipe.on('error', () => undefined).destroy()
  await Promise.all([closed(near), closed(far)])
  const [[late, other]] = memoryLanes(1) as [[MessagePipe, MessagePipe]]
  other.on('error', () => undefined)
  near.addLane(late)
  await closed(late)
})

test('regression: a lane that comes while the others are being closed does not keep it from closing', async () => {
  const [near, far] = await openStripes(memoryLanes(1))
  for (const pipe of [near, far]) pipe.on('error', () => undefined)
  const [[late, other]] = memoryLanes(1) as [[MessagePipe, MessagePipe]]
  other.on('error', () => undefined)
  const destroy = late._destroy.bind(late)
  let letClose!: () => void
  late._destroy = (error, done) => (letClose = () => destroy(error, done))
  const only = far.below[0]!
  far.destroy()
  far.addLane(late)
  await closed(only)
  letClose() // it is the last that closes, and was not there when the closing began
  await closed(far)
})

test('regression: lanes that close have their time again where the process was stopped meanwhile', async () => {
  const [near, far] = await openStripes(memoryLanes(1))
  for (const pipe of [near, far]) pipe.on('error', () => undefined)
  const [lane] = near.below as [MessagePipe]
  let now = performance.now()
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    far.below[0]!.pause() // it hears nothing: the lane does not close by itself
    near.destroy()
    await turn()
    now += 9000
    vi.advanceTimersByTime(1000) // the time is up, but eight seconds ago
    expect(lane.destroyed).toBe(false)
    now += 1000
    vi.advanceTimersByTime(1000)
    expect(lane.destroyed).toBe(true)
  } finally {
    vi.useRealTimers()
    clock.mockRestore()
  }
  await closed(near)
  far.destroy()
  await closed(far)
})

test('at the accepting end a lane that begins with no HELLO, or of another, is refused alone', async () => {
  const [near, far] = await openStripes(memoryLanes(1))
  const other = { mayOpen: true, lane: 9, session: Buffer.alloc(16, 1), limit: 0 }
  const firsts = [Buffer.of(wire.LEAVE), Buffer.alloc(0), Buffer.of(99), wire.encodeHello(other)]
  for (const first of firsts) {
    const [[stranger, lane]] = memoryLanes(1) as [[MessagePipe, MessagePipe]]
    stranger.on('error', () => undefined)
    far.addLane(lane)
    stranger.write(first)
    await closed(stranger)
    expect(lane.errored).toMatchObject({ code: 'ERR_PIPE_PROTOCOL' })
  }
  expect([near.destroyed, far.destroyed, far.lanes.length]).toEqual([false, false, 1])
  near.destroy()
  far.on('error', () => undefined)
})

test('an urgent parcel arrives before what was written earlier and waits', async () => {
  const [near, far] = await openStripes(memoryLanes(2), {})
  const got: string[] = []
  far.on('data', (parcel: Buffer) => got.push(parcel.subarray(0, 6).toString()))
  near.cork() // all is there before the first goes
  for (let i = 0; i < 14; i++) near.write(Buffer.alloc(16_000, 'bulk  '))
  near.uncork()
  expect(near.writeUrgent(Buffer.from('urgent'))).toBe(true)
  near.end()
  await event(far, 'end')
  expect(got).toHaveLength(15)
  // Two lanes that nobody knows take 16 KiB each, and a parcel that is begun is not called back.
  expect(got.indexOf('urgent')).toBeLessThan(5)
})

test('a parcel is not urgent to a stripe that is over, or when it is too large', async () => {
  const [near, far] = await openStripes(memoryLanes(1))
  near.resume()
  far.resume()
  expect(near.writeUrgent(Buffer.alloc(near.maxMessageBytes + 1))).toBe(false)
  near.end()
  expect(near.writeUrgent(Buffer.from('late'))).toBe(false)
  far.end()
  await closed(near)
  expect(near.writeUrgent(Buffer.from('late'))).toBe(false)
  expect(far.stats.messagesIn).toBe(0)
})
