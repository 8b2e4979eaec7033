// What a bridge does between two pipes that keep the contract.

import { once } from 'node:events'
import { expect, test } from 'vitest'
import { bridge } from '@striper/bridge'
import { BYTES_HIGH_WATER, memoryPair, PipeError } from '@striper/core'
import { bothWays, collect, fill, pattern, scene, settle, story } from './scene.ts'

bothWays('all bytes arrive, both ways at once, and both pipes close', async swapped => {
  const { near, far, nearSide, farSide, bridge, there, back } = scene(swapped)
  const question = pattern(3_000_000)
  const answer = pattern(2_000_001)
  for (let at = 0; at < question.length; at += 70_000)
    near.write(question.subarray(at, at + 70_000))
  near.end()
  far.end(answer)
  const [atFar, atNear] = await Promise.all([collect(far), collect(near)])
  expect(atFar.equals(question)).toBe(true)
  expect(atNear.equals(answer)).toBe(true)
  const result = await bridge.done
  expect([nearSide.closed, farSide.closed]).toEqual([true, true])
  expect(there).toMatchObject({ bytes: 3_000_000, messages: 0 })
  expect(back).toMatchObject({ bytes: 2_000_001, messages: 0 })
  expect(result).toEqual({ left: bridge.left, right: bridge.right })
})

bothWays('messages keep their borders, empty ones too, and are counted', async swapped => {
  const { near, far, bridge, there, back } = scene(swapped, { kind: 'messages' })
  const seen: string[] = []
  far.on('data', (message: Buffer) => seen.push(message.toString()))
  for (const message of ['one', '', 'three']) near.write(Buffer.from(message))
  near.end()
  far.end()
  near.resume()
  await bridge.done
  expect(seen).toEqual(['one', '', 'three'])
  expect(there).toMatchObject({ bytes: 8, messages: 3 })
  expect(back).toMatchObject({ bytes: 0, messages: 0 })
})

bothWays('parcels are bridged as messages are', async swapped => {
  const { near, far, bridge, there } = scene(swapped, { kind: 'parcels' })
  near.end([Buffer.from('he'), Buffer.from('ad')])
  far.end()
  near.resume()
  expect((await collect(far)).toString()).toBe('head')
  await bridge.done
  expect(there).toMatchObject({ bytes: 4, messages: 1 })
})

bothWays('one direction blocks and the other flows', async swapped => {
  const { near, far, nearSide, bridge, there, back } = scene(swapped)
  const written = await fill(near) // far does not read
  expect(nearSide.isPaused()).toBe(true)
  expect(there.congestions).toBe(1)

  far.end(pattern(5_000_000))
  expect((await collect(near)).length).toBe(5_000_000)
  expect(back).toMatchObject({ bytes: 5_000_000 })
  expect(there.congestions).toBe(1)

  near.end()
  expect((await collect(far)).length).toBe(written)
  await bridge.done
})

bothWays('a reader that stops, stops the writer, and the bridge holds nothing', async swapped => {
  const { near, far, nearSide, farSide, there } = scene(swapped)
  const written = await fill(near)
  const held = [near.writableLength, nearSide.readableLength, farSide.writableLength]
  const reached = far.readableLength
  expect(held.reduce((sum, length) => sum + length, 0) + reached).toBeGreaterThanOrEqual(
    written - 64 * 1024, // one chunk is on its way in each memory pair
  )
  expect(written).toBeLessThan(6 * BYTES_HIGH_WATER)
  expect(there.bytes).toBeLessThan(written)
})

bothWays('congestion is counted again each time', async swapped => {
  const { near, far, there } = scene(swapped)
  await fill(near)
  expect(there.congestions).toBe(1)
  far.resume()
  await settle()
  expect(near.writableNeedDrain).toBe(false)
  far.pause()
  const before = there.congestions
  await fill(near)
  expect(there.congestions).toBe(before + 1)
  far.resume()
})

bothWays('half-close passes, and a late answer comes back', async swapped => {
  const { near, far, bridge } = scene(swapped)
  near.end('question')
  expect((await collect(far)).toString()).toBe('question')
  await settle()
  expect(far.writable).toBe(true)
  far.end('late answer')
  expect((await collect(near)).toString()).toBe('late answer')
  await bridge.done
})

bothWays('an end waits behind what a full sink has not taken', async swapped => {
  const { near, far, bridge, there } = scene(swapped)
  far.end()
  near.resume()
  const written = await fill(near)
  near.end()
  await settle()
  expect((await collect(far)).length).toBe(written)
  await bridge.done
  expect(there.bytes).toBe(written)
})

bothWays('an abort of one far end is an error at the other, never an end', async swapped => {
  const { near, far, nearSide, farSide, bridge } = scene(swapped)
  const told = story(far)
  far.resume()
  near.write('half of it')
  await once(far, 'data')
  near.destroy()
  await expect(bridge.done).rejects.toMatchObject({
    code: 'ERR_PIPE_RESET',
    label: nearSide.label,
  })
  expect([nearSide.closed, farSide.closed]).toEqual([true, true])
  expect(await told).toEqual(['error', 'close'])
})

bothWays('an abort after a half-close reaches the one that still answers', async swapped => {
  const { near, far, bridge } = scene(swapped)
  near.end('question')
  await collect(far)
  far.write('half an ans')
  await settle()
  near.destroy()
  await expect(bridge.done).rejects.toMatchObject({ code: 'ERR_PIPE_RESET' })
  expect(far.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
})

bothWays('an abort of the source while its sink is full is an abort of both', async swapped => {
  const { near, far, bridge } = scene(swapped)
  await fill(near)
  const told = story(far)
  near.destroy()
  await expect(bridge.done).rejects.toMatchObject({ code: 'ERR_PIPE_RESET' })
  expect(await told).toEqual(['error', 'close'])
})

bothWays('an abort of a full sink is an abort of both', async swapped => {
  const { near, far, nearSide, farSide, bridge, there } = scene(swapped)
  await fill(near)
  const told = story(near)
  far.destroy()
  await expect(bridge.done).rejects.toMatchObject({ code: 'ERR_PIPE_RESET', label: farSide.label })
  expect(await told).toEqual(['error', 'close'])
  const { congestedMs } = there
  await settle()
  expect(there.congestedMs).toBe(congestedMs) // the wait is over
  expect(nearSide.destroyed).toBe(true)
})

bothWays('the first failure is told, not what came of it', async swapped => {
  const { nearSide, farSide, bridge } = scene(swapped)
  const first = new PipeError('ERR_PIPE_PROTOCOL', 'nonsense', { label: nearSide.label })
  nearSide.destroy(first)
  farSide.destroy(new PipeError('ERR_PIPE_TRUNCATED', 'later', { label: farSide.label }))
  nearSide.once('error', () => bridge.destroy(new Error('later still')))
  await expect(bridge.done).rejects.toBe(first)
})

bothWays('destroy() aborts both with its cause', async swapped => {
  const { near, far, bridge } = scene(swapped)
  const told = Promise.all([story(near), story(far)])
  const cause = new Error('the operator wants it')
  bridge.destroy(cause)
  await expect(bridge.done).rejects.toMatchObject({ code: 'ERR_PIPE_ABORTED', cause })
  expect(await told).toEqual([
    ['error', 'close'],
    ['error', 'close'],
  ])
  bridge.destroy() // nothing more to do
})

test('destroy() with a PipeError fails with that very error, and without one says so', async () => {
  const failure = new PipeError('ERR_PIPE_LIMIT', 'a quota is spent')
  const first = scene(false).bridge
  first.destroy(failure)
  await expect(first.done).rejects.toBe(failure)
  const second = scene(false).bridge
  second.destroy()
  await expect(second.done).rejects.toMatchObject({ code: 'ERR_PIPE_ABORTED' })
})

test('destroy() after the end changes nothing', async () => {
  const { near, far, bridge } = scene(false)
  near.end()
  far.end()
  near.resume()
  far.resume()
  await bridge.done
  bridge.destroy()
  await expect(bridge.done).resolves.toBeDefined()
})

test('a failed conversation that nobody waits for is no unhandled rejection', async () => {
  const unhandled: unknown[] = []
  const listener = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', listener)
  const { near, bridge } = scene(false)
  void bridge.done
  near.destroy()
  await settle()
  process.off('unhandledRejection', listener)
  expect(unhandled).toEqual([])
})

test('the stats can be copied while they run', async () => {
  const { near, far, there } = scene(false)
  far.resume()
  near.write('five!')
  await once(far, 'data')
  expect({ ...there }).toEqual({ bytes: 5, messages: 0, congestions: 0, congestedMs: 0 })
  near.destroy()
})

test('bridges chain: what passes one passes three', async () => {
  const [near, a] = memoryPair()
  const [b, c] = memoryPair()
  const [d, far] = memoryPair()
  const bridges = [bridge(a, b), bridge(c, d)]
  near.end(pattern(1_000_000))
  far.end('bye')
  const [atFar, atNear] = await Promise.all([collect(far), collect(near)])
  expect(atFar.equals(pattern(1_000_000))).toBe(true)
  expect(atNear.toString()).toBe('bye')
  await Promise.all(bridges.map(each => each.done))
})
