// The shell: what users of channels see, and what goes to the pipe below and when.

import { memoryPair, type Message, type MessagePipe, type ParcelPipe } from '@striper/core'
import { PipeError, ready, whole } from '@striper/core'
import { frame } from '@striper/frame'
import { type Channel, mux, type MuxOptions } from '@striper/mux'
import { stripe } from '@striper/stripe'
import { latency, rng } from '@striper/testkit'
import { expect, test } from 'vitest'
import { URGENT_BYTES } from '../src/mux.ts'
import * as wire from '../src/pure/wire.ts'
import { memoryLanes } from '../../stripe/test/scene.ts'
import { channelPair, closed, messages, muxes, readAll, striped, turn, turns } from './scene.ts'

const KiB = 1024

/** A mux, and the far end of what it stands on, by hand. `hurried`: it has `writeUrgent`. */
function byHand(options: Partial<MuxOptions> = {}, hurried = false) {
  const [near, far] = messages()
  const urgent = hurried ? urgentPipe(near) : []
  const end = mux(near, { role: 'dial', ...options })
  const heard: wire.MuxMessage[] = []
  const listen = () => far.on('data', (message: Buffer) => heard.push(wire.decode(message)))
  far.on('error', () => undefined)
  return { end, near, far, heard, listen, urgent }
}

function errorOf(channel: Channel): Promise<Error> {
  return new Promise(resolve => channel.once('error', resolve))
}

/** A pipe to which urgent messages can be written, as to a stripe. */
function urgentPipe(pipe: MessagePipe): Buffer[] {
  const urgent: Buffer[] = []
  Object.assign(pipe, { writeUrgent: (message: Message) => urgent.push(whole(message)) })
  return urgent
}

test('options that are none are thrown back at once', () => {
  const make = (options: object) => () => mux(messages()[0], { role: 'dial', ...options })
  expect(make({ role: 'listen' })).toThrow(TypeError)
  for (const options of [
    ...[{ windowBytes: 64 * KiB - 1 }, { windowBytes: 2 ** 30 + 1 }, { windowBytes: NaN }],
    ...[{ totalWindowBytes: -1 }, { maxChannels: 0 }, { maxChannels: 65_537 }, { backlog: 0 }],
  ]) {
    expect(make(options), JSON.stringify(options)).toThrow(RangeError)
  }
  expect(make({ windowBytes: 64 * KiB, totalWindowBytes: 0, maxChannels: 1 })).not.toThrow()
  const end = make({})()
  expect(() => end.open({ header: Buffer.alloc(1025) })).toThrow(RangeError)
  expect(() => end.open({ header: 'text' as never })).toThrow(TypeError)
  expect(end.open({ header: Buffer.alloc(1024) }).header).toHaveLength(1024)
})

test('the peer learns the header and the priority, and both ends may open', async () => {
  const header = Buffer.from('example.org:443')
  const { near, far } = await channelPair(messages(), {}, { header, priority: 'bulk' })
  header.fill(0)
  expect([String(far.header), far.priority, far.opener]).toEqual(['example.org:443', 'bulk', false])
  expect([String(near.header), near.priority, near.opener]).toEqual([
    ...['example.org:443', 'bulk', true],
  ])
  const taken: Channel[] = []
  const [, accepting] = muxes(messages(), {}, channel => taken.push(channel))
  accepting.open({ header: Buffer.from('back') })
  await turns(2)
  expect(String(taken[0]!.header)).toBe('back')
})

test('the first bytes go with the OPEN, with no round trip', async () => {
  const { end, heard, listen } = byHand()
  listen()
  end.open({ header: Buffer.from('who') }).end('asks')
  await turns(3)
  expect(heard).toMatchObject([
    { type: wire.OPEN, channel: 0, bytes: Buffer.from('asks') },
    { type: wire.END, channel: 0, offset: 4 },
  ])
})

test('of a channel that is destroyed at once the peer never hears', async () => {
  const { end, heard, listen } = byHand()
  listen()
  await turns(3)
  end.open().destroy()
  await turns(3)
  expect(heard).toEqual([])
})

test('what is written below is kept shallow while it does not take more', async () => {
  const { end, near } = byHand()
  for (let i = 0; i < 50; i++) end.open().write(Buffer.alloc(60_000))
  await turns(20)
  expect(near.writableLength).toBe(2)
})

test('a keystroke goes before the transfers that wait, and without being told so', async () => {
  const { end, heard, listen, far } = byHand()
  const keys = end.open()
  keys.write('a')
  for (let i = 0; i < 50; i++) end.open().write(Buffer.alloc(60_000))
  await turns(20) // 16 messages wait at the far end, one on its way there, and two here
  keys.write('b')
  await turns(2)
  listen()
  await turns(40)
  const place = heard.findIndex(each => each.type === wire.DATA && each.bytes.length === 1)
  expect(heard.length).toBeGreaterThan(50)
  expect(place, 'behind 16 at the far end, one on its way, two here, and one in five').toBeLessThan(
    21,
  )
  for (const channel of end.channels) channel.on('error', () => undefined)
  far.destroy()
})

test('what is small and urgent overtakes what waits below, within its bound', async () => {
  const { end, near, urgent, listen } = byHand({}, true)
  const keys = end.open({ priority: 'interactive' })
  for (let i = 0; i < 60; i++) end.open({ priority: 'bulk' }).write(Buffer.alloc(60_000))
  await turns(20)
  const mark = near.writableHighWaterMark
  expect(near.writableLength, 'there is more, and it shows').toBe(mark)
  keys.write('k')
  await turns(2)
  expect(urgent.map(wire.decode)).toMatchObject([
    { type: wire.OPEN },
    { type: wire.DATA, bytes: Buffer.from('k') },
  ])
  for (let i = 0; i < 40; i++) {
    keys.write(Buffer.alloc(1000))
    await turn()
  }
  const bytes = urgent.reduce((sum, each) => sum + each.length, 0)
  expect(bytes).toBeGreaterThan(URGENT_BYTES - 2000)
  expect(bytes).toBeLessThan(URGENT_BYTES + 2000)
  listen()
  await turns(60)
  urgent.length = 0
  keys.write('again')
  await turns(2)
  expect(urgent, 'when the pipe below has taken more').toHaveLength(1)
})

test('a parcel that is not small waits its turn, urgent or not', async () => {
  const { end, urgent } = byHand({}, true)
  const keys = end.open({ priority: 'interactive' })
  await turns(2)
  for (let i = 0; i < 30; i++) end.open({ priority: 'bulk' }).write(Buffer.alloc(60_000))
  await turns(20)
  urgent.length = 0
  keys.write(Buffer.alloc(1025))
  await turns(5)
  expect(urgent).toEqual([])
})

test('a slow reader stops its own channel, and no other', async () => {
  for (const below of [messages, striped(2)]) {
    const taken: Channel[] = []
    const [near, far] = muxes(await below(), { windowBytes: 256 * KiB }, channel =>
      taken.push(channel),
    )
    const slow = near.open()
    const text = rng(1).bytes(3 * KiB * KiB)
    slow.end(text)
    while (taken.length < 1) await turn()
    taken[0]!.read(0)
    await turns(20)
    const quick = near.open()
    quick.end(text)
    while (taken.length < 2) await turn()
    expect((await readAll(taken[1]!)).equals(text), 'the other').toBe(true)
    expect(far.muxStats.heldBytes, 'held for the slow one').toBeLessThanOrEqual(64 * KiB)
    expect((await readAll(taken[0]!)).equals(text), 'the slow one').toBe(true)
    for (const channel of [slow, quick]) channel.resume()
    for (const channel of taken) channel.end()
    await Promise.all([slow, quick].map(closed))
  }
})

test('a reader that has read and then stops holds a window, and nothing beside it', async () => {
  const { near, far, ends } = await channelPair(messages(), { windowBytes: 128 * KiB })
  far.on('data', () => far.pause()) // one chunk, and no more
  near.write(Buffer.alloc(3 * KiB * KiB))
  await turns(200)
  const { heldBytes } = ends[1].muxStats
  expect(heldBytes + far.readableLength).toBeLessThanOrEqual(128 * KiB)
  expect(far.stats.bytesIn).toBeLessThanOrEqual(128 * KiB)
  expect(near.writableLength, 'its writer waits').toBe(3 * KiB * KiB)
  far.on('data', () => far.resume()).resume()
  await new Promise<void>(resolve => near.once('drain', resolve))
  near.on('error', () => undefined)
  for (const end of ends) end.destroy()
})

test('the window of a channel grows while its reader waits, up to its maximum', async () => {
  const [left, right] = memoryPair()
  const slow: [ParcelPipe, ParcelPipe] = [frame()(latency({ ms: 2 })(left)), frame()(right)]
  const { near, far, ends } = await channelPair(slow, { windowBytes: 1024 * KiB })
  let most = 0
  far.on('data', () => (most = Math.max(most, ends[1].muxStats.grownBytes)))
  near.end(Buffer.alloc(16 * KiB * KiB))
  await new Promise(resolve => far.once('end', resolve))
  expect(most).toBe((1024 - 64) * KiB)
  near.resume()
  far.end()
  await Promise.all([closed(near), closed(far)])
  expect(ends[1].muxStats.grownBytes).toBe(0)
})

test('a refusal is an ERR_PIPE_CONNECT with its reason to who opened, and no error here', async () => {
  const { near, far } = await channelPair(messages())
  const failure = errorOf(near)
  let failed = false
  far.once('error', () => (failed = true))
  far.refuse('no such host')
  await closed(far)
  const sentence = 'the peer refused: no such host'
  expect(await failure).toMatchObject({ code: 'ERR_PIPE_CONNECT', label: near.label, sentence })
  expect(failed).toBe(false)
  expect(() => near.refuse('what I opened')).toThrow(TypeError)
})

test('of an error that a channel is destroyed with its code travels, and no more', async () => {
  for (const [error, sentence] of [
    [
      new PipeError('ERR_PIPE_TIMEOUT', 'host 10.0.0.7 is silent'),
      'the peer aborted: ERR_PIPE_TIMEOUT',
    ],
    [new Error('a secret'), 'the peer aborted'],
    [undefined, 'the peer aborted'],
  ] as const) {
    const { near, far } = await channelPair(messages())
    const failure = errorOf(near)
    far.on('error', () => undefined).destroy(error)
    expect(await failure).toMatchObject({ code: 'ERR_PIPE_RESET', sentence })
  }
})

test('a peer without onChannel refuses, and a full backlog does', async () => {
  const [left, right] = messages()
  const near = mux(left, { role: 'dial' })
  mux(right, { role: 'accept' })
  const refused = {
    code: 'ERR_PIPE_CONNECT',
    sentence: 'the peer refused: no channels are taken here',
  }
  expect(await errorOf(near.open())).toMatchObject(refused)
  const [opener, taker] = muxes(messages(), { backlog: 2 })
  const channels = [opener.open(), opener.open(), opener.open()]
  expect(await errorOf(channels[2]!)).toMatchObject({ code: 'ERR_PIPE_CONNECT' })
  expect(taker.muxStats).toMatchObject({ channels: 2, waiting: 2, refused: 1 })
  taker.channels[0]!.resume()
  taker.channels[1]!.write('taken into use')
  const third = opener.open()
  await turns(5)
  expect([third.destroyed, taker.muxStats.waiting]).toEqual([false, 1])
  taker.channels[2]!.end()
  await turns(5)
  expect(taker.muxStats.waiting, 'who only ends one has taken it as well').toBe(0)
})

test('at maxChannels open() gives a channel that fails', async () => {
  const [near] = muxes(messages(), { maxChannels: 2 })
  near.open()
  near.open()
  const third = near.open()
  expect(await errorOf(third)).toMatchObject({ code: 'ERR_PIPE_LIMIT', label: third.label })
  expect(near.channels).toHaveLength(2)
})

test('drain lets channels run out, tells the peer, and ends what is below', async () => {
  for (const below of [messages, striped(2)]) {
    const { near, far, ends } = await channelPair(await below())
    const over = ends[0].drain()
    expect(await errorOf(ends[0].open())).toMatchObject({ code: 'ERR_PIPE_CONNECT' })
    while (!ends[1].draining) await turn()
    expect(await errorOf(ends[1].open())).toMatchObject({ code: 'ERR_PIPE_CONNECT' })
    const text = rng(2).bytes(300_000)
    far.end(text)
    expect((await readAll(near)).equals(text)).toBe(true)
    near.end('late')
    expect(String(await readAll(far))).toBe('late')
    await Promise.all([over, ends[1].done])
    expect(ends.map(end => end.below.closed)).toEqual([true, true])
    expect(ends.map(end => end.below.errored ?? null)).toEqual([null, null])
  }
})

test('what has arrived can be read after the peer, which is done, has ended what is below', async () => {
  const { near, far, ends } = await channelPair(messages())
  const text = rng(3).bytes(50_000)
  near.end(text)
  far.end()
  near.resume()
  await closed(near)
  void ends[0].drain()
  await turns(20)
  expect((await readAll(far)).equals(text)).toBe(true)
  await Promise.all(ends.map(end => end.done))
})

test('an OPEN that was under way when the peer began to drain is refused, and may be tried elsewhere', async () => {
  const [near, far] = muxes(messages())
  void near.drain()
  const late = far.open()
  const sentence = 'the peer takes no more channels'
  expect(await errorOf(late)).toMatchObject({ code: 'ERR_PIPE_CONNECT', sentence })
  await Promise.all([near.done, far.done])
})

test('the end of what is below, before the channels are done, is a truncation', async () => {
  const { end, far } = byHand()
  const channels = [end.open(), end.open()]
  const failures = Promise.all(channels.map(errorOf))
  far.resume().end()
  for (const failure of await failures)
    expect(failure).toMatchObject({ code: 'ERR_PIPE_TRUNCATED' })
  await expect(end.done).rejects.toMatchObject({ code: 'ERR_PIPE_TRUNCATED' })
})

test('so it is behind a GOAWAY, where a channel has bytes or its end to come', async () => {
  const takers = [() => undefined, (channel: Channel) => void channel.end()]
  for (const onChannel of takers) {
    const { end, near, far } = byHand({ role: 'accept', onChannel })
    far.write(wire.encodeOpen(0, { header: Buffer.alloc(0), priority: undefined }))
    far.write(wire.encodeGoaway(1))
    far.resume()
    await turns(3)
    far.end()
    await expect(end.done).rejects.toMatchObject({ code: 'ERR_PIPE_TRUNCATED' })
    expect(near.destroyed).toBe(true)
  }
})

test('a failure below reaches each channel, with its code and its cause', async () => {
  const { near, far, ends } = await channelPair(messages())
  const failures = Promise.all([errorOf(near), errorOf(far)])
  const reason = new PipeError('ERR_PIPE_TIMEOUT', 'a failure of the test', { label: 'test' })
  ends[0].below.destroy(reason)
  const [first, second] = await failures
  expect(first).toMatchObject({ code: 'ERR_PIPE_TIMEOUT', label: near.label, cause: reason })
  expect(second).toMatchObject({ code: 'ERR_PIPE_RESET', label: far.label })
  await expect(ends[0].done).rejects.toMatchObject({ code: 'ERR_PIPE_TIMEOUT' })
  await expect(ends[1].done).rejects.toMatchObject({ code: 'ERR_PIPE_RESET' })
  expect(await errorOf(ends[0].open())).toMatchObject({ code: 'ERR_PIPE_CONNECT' })
})

test('destroy aborts all channels and what is below', async () => {
  const { near, far, ends } = await channelPair(messages())
  const failures = Promise.all([errorOf(near), errorOf(far)])
  ends[0].destroy()
  expect(await failures).toMatchObject([{ code: 'ERR_PIPE_ABORTED' }, { code: 'ERR_PIPE_RESET' }])
  expect(ends[0].below.destroyed).toBe(true)
})

test('a peer that breaks the protocol fails every channel, and sees an abort', async () => {
  const { end, far } = byHand()
  const failure = errorOf(end.open())
  far.write(Buffer.of(99))
  expect(await failure).toMatchObject({ code: 'ERR_PIPE_PROTOCOL' })
  if (!far.closed) await new Promise(resolve => far.once('close', resolve))
  expect(far.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
})

test('what a listener of a channel throws is not taken for a failure of the peer', async () => {
  const { end, near } = byHand({ onChannel: channel => void channel.on('data', thrower) })
  function thrower() {
    throw new Error('of a listener')
  }
  const opening = { header: Buffer.alloc(0), priority: undefined }
  await turn()
  near.emit('data', wire.encodeOpen(1, opening))
  await turn()
  const data = Buffer.concat([wire.encodeOffset(wire.DATA, 1, 0), Buffer.from('x')])
  expect(() => near.emit('data', data)).toThrow('of a listener')
  expect(end.draining).toBe(false)
})

test('channels may be opened and written before the pipe below is open', async () => {
  const near = stripe({ role: 'dial' })
  const far = stripe({ role: 'accept', session: near.session })
  const taken: Channel[] = []
  const [dials, accepts] = muxes([near, far], {}, channel => taken.push(channel))
  const channels = Array.from({ length: 20 }, () => dials.open())
  for (const channel of channels) channel.on('error', () => undefined).write('early')
  const never = dials.open()
  await turn()
  never.destroy()
  await closed(never)
  expect(channels[0]!.pending).toBe(true)
  const [[one, other]] = memoryLanes(1) as [[MessagePipe, MessagePipe]]
  near.addLane(one)
  far.addLane(other)
  await Promise.all(channels.map(ready))
  while (taken.length < 20) await turn()
  expect(near.listenerCount('ready')).toBeLessThan(10)
  const got = await new Promise(resolve => taken[19]!.once('data', resolve))
  expect(String(got)).toBe('early')
  expect(accepts.muxStats.opened, 'and not the one that was destroyed').toBe(20)
  dials.destroy()
})

test('on a pipe that has closed already nothing can be opened, and it is over', async () => {
  const [near, far] = messages()
  far.on('error', () => undefined)
  near.destroy()
  await closed(near)
  const end = mux(near, { role: 'dial' })
  const channel = end.open()
  expect(await errorOf(channel)).toMatchObject({ code: 'ERR_PIPE_CLOSED' })
  await expect(end.done).rejects.toMatchObject({ code: 'ERR_PIPE_CLOSED' })
})
