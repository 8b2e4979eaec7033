// Time-outs, congestion's clock and signals, in fake time.

import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { BridgeOptions } from '@striper/bridge'
import { bothWays, fill, scene, settle, story } from './scene.ts'

beforeEach(() => {
  const clocks = [
    'setTimeout',
    'clearTimeout',
    'setInterval',
    'clearInterval',
    'performance',
  ] as const
  vi.useFakeTimers({ toFake: [...clocks] })
})
afterEach(() => void vi.useRealTimers())

function timedScene(swapped: boolean, options: BridgeOptions) {
  return scene(swapped, { kind: 'bytes', options })
}

async function pass(ms: number): Promise<void> {
  vi.advanceTimersByTime(ms)
  await settle()
}

bothWays('the time a source has waited is counted, also while it waits', async swapped => {
  const { near, far, there, back } = scene(swapped)
  await fill(near)
  expect(there.congestedMs).toBe(0)
  await pass(300)
  expect(there.congestedMs).toBe(300)
  far.resume()
  await settle()
  await pass(500)
  expect(there.congestedMs).toBe(300)
  expect(back.congestedMs).toBe(0)
  near.destroy()
})

bothWays('silence both ways for the idle time aborts both', async swapped => {
  const { near, far, bridge } = timedScene(swapped, { idleTimeoutMs: 1000 })
  const told = Promise.all([story(near), story(far)])
  await pass(999)
  expect(near.destroyed).toBe(false)
  await pass(1)
  await expect(bridge.done).rejects.toMatchObject({ code: 'ERR_PIPE_TIMEOUT' })
  await expect(bridge.done).rejects.toThrow('idle for 1000 ms')
  expect(await told).toEqual([
    ['error', 'close'],
    ['error', 'close'],
  ])
  expect(vi.getTimerCount()).toBe(0)
})

bothWays('a byte now and then, one way only, keeps it alive', async swapped => {
  const { near, far, bridge } = timedScene(swapped, { idleTimeoutMs: 1000 })
  far.resume()
  for (let round = 0; round < 10; round++) {
    near.write('.')
    await settle()
    await pass(990)
  }
  expect(near.destroyed).toBe(false)
  await pass(1250 - 990)
  await expect(bridge.done).rejects.toMatchObject({ code: 'ERR_PIPE_TIMEOUT' })
})

bothWays('a full sink that drains slowly is not idle', async swapped => {
  const { near, far, bridge } = timedScene(swapped, { idleTimeoutMs: 1000 })
  await fill(near)
  const bytes = () => bridge.left.bytes + bridge.right.bytes
  const before = bytes()
  for (let round = 0; round < 3; round++) {
    await pass(900)
    far.read(64 * 1024)
    await settle()
  }
  expect(near.destroyed).toBe(false)
  expect(bytes()).toBe(before) // nothing could be read from the source all the while
  await pass(1250)
  await expect(bridge.done).rejects.toMatchObject({ code: 'ERR_PIPE_TIMEOUT' })
})

bothWays('the half-open time does not run before a direction has ended', async swapped => {
  const { near, far, bridge } = timedScene(swapped, { halfOpenTimeoutMs: 1000 })
  await pass(1_000_000)
  expect(vi.getTimerCount()).toBe(0)
  near.end()
  far.resume()
  await settle()
  await pass(999)
  expect(far.destroyed).toBe(false)
  await pass(1)
  await expect(bridge.done).rejects.toThrow('half-open and idle for 1000 ms')
})

bothWays('a long answer after a half-close may take its time while it moves', async swapped => {
  const { near, far, bridge } = timedScene(swapped, { halfOpenTimeoutMs: 1000 })
  near.end()
  near.resume()
  far.resume()
  await settle()
  for (let round = 0; round < 10; round++) {
    far.write('.')
    await settle()
    await pass(900)
  }
  far.end()
  await settle()
  await bridge.done
  expect(vi.getTimerCount()).toBe(0)
})

bothWays('a reader that does not take the last bytes is bounded as well', async swapped => {
  const { near, far, bridge } = timedScene(swapped, { halfOpenTimeoutMs: 1000 })
  far.end()
  near.resume()
  await fill(near)
  near.end()
  await settle()
  await pass(1250)
  await expect(bridge.done).rejects.toMatchObject({ code: 'ERR_PIPE_TIMEOUT' })
})

test('of two limits the shorter counts once it is half-open', async () => {
  const { near, far, bridge } = timedScene(false, { idleTimeoutMs: 500, halfOpenTimeoutMs: 1000 })
  near.end()
  far.resume()
  await settle()
  await pass(500)
  await expect(bridge.done).rejects.toThrow('half-open and idle for 500 ms')
})

test('with no limit there is no timer', () => {
  const { near } = scene(false)
  expect(vi.getTimerCount()).toBe(0)
  near.destroy()
})

test('a time-out that is none is refused at the door', () => {
  for (const ms of [-1, NaN, 2 ** 31]) {
    expect(() => timedScene(false, { idleTimeoutMs: ms })).toThrow(RangeError)
    expect(() => timedScene(false, { halfOpenTimeoutMs: ms })).toThrow('halfOpenTimeoutMs')
  }
})

bothWays('a signal aborts both, and is left alone afterwards', async swapped => {
  const controller = new AbortController()
  const { signal } = controller
  const { near, far, bridge } = timedScene(swapped, { signal })
  const told = Promise.all([story(near), story(far)])
  const cause = new Error('enough')
  controller.abort(cause)
  await expect(bridge.done).rejects.toMatchObject({ code: 'ERR_PIPE_ABORTED', cause })
  expect(await told).toEqual([
    ['error', 'close'],
    ['error', 'close'],
  ])
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test('a signal that has fired before aborts at once', async () => {
  const { bridge, near } = timedScene(false, { signal: AbortSignal.abort() })
  await expect(bridge.done).rejects.toMatchObject({ code: 'ERR_PIPE_ABORTED' })
  expect(near.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
})

test('a signal is left alone after a good end', async () => {
  const { signal } = new AbortController()
  const { near, far, bridge } = timedScene(false, { signal })
  expect(getEventListeners(signal, 'abort').length).toBe(1)
  near.end()
  far.end()
  near.resume()
  far.resume()
  await bridge.done
  expect(getEventListeners(signal, 'abort')).toEqual([])
})
