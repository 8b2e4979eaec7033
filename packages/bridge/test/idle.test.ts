// What a conversation holds while nothing is said: there may be ten thousand, so each listener of
// its own and each thing made too early counts. In listeners and not in bytes, which differ from
// one V8 to the next.

import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { bridge } from '@striper/bridge'
import { layer, memoryPair } from '@striper/core'
import { connect, listen, type TcpPipe } from '@striper/tcp'
import { bothWays, fill, scene, settle } from './scene.ts'

const ignore = () => undefined
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** Two idle conversations between real sockets, in which something has been said: their pipes. */
async function twoConversations(): Promise<TcpPipe[]> {
  const host = '127.0.0.1'
  const echo = net.createServer(socket => socket.on('error', ignore).pipe(socket))
  echo.listen(0, host)
  await once(echo, 'listening')
  cleanups.push(() => echo.close())
  const { port } = echo.address() as net.AddressInfo
  const pipes: TcpPipe[] = []
  const relay = await listen({ host, port: 0 }, pipe => {
    const onward = connect({ host, port })
    bridge(pipe, onward)
    pipes.push(pipe, onward)
  })
  cleanups.push(() => relay.destroy())
  for (const word of ['first', 'second']) {
    const client = net.connect(relay.port, host).on('error', ignore)
    cleanups.push(() => client.destroy())
    client.write(word)
    await once(client, 'data')
  }
  return pipes
}

const EVENTS = ['data', 'end', 'drain', 'finish', 'error', 'close', 'ready', 'connect', 'timeout']

function listenersOf(duplex: TcpPipe | Socket): Record<string, unknown[]> {
  const all = EVENTS.map(name => [name, duplex.listeners(name)] as const)
  return Object.fromEntries(all.filter(([, listeners]) => listeners.length > 0))
}

test('an idle conversation has no listener of its own, at its pipes or at their sockets', async () => {
  const [near, onward, other, otherOnward] = (await twoConversations()) as [
    TcpPipe,
    TcpPipe,
    TcpPipe,
    TcpPipe,
  ]
  const counts = (duplex: TcpPipe | Socket) =>
    Object.entries(listenersOf(duplex)).map(([name, listeners]) => `${name} ${listeners.length}`)
  expect(counts(onward)).toEqual(['data 1', 'end 1', 'error 1', 'close 1'])
  expect(counts(near)).toEqual(['data 1', 'end 1', 'error 2', 'close 2']) // two of the listener
  const socketOf = (pipe: TcpPipe) => (pipe as unknown as { lower: Socket }).lower
  for (const pipe of [near, onward]) {
    const all = ['data 1', 'end 2', 'drain 1', 'error 1', 'close 1'] // an 'end' is Node's own
    expect(counts(socketOf(pipe))).toEqual(all)
  }
  // All are the same functions in every conversation.
  expect(listenersOf(near)).toEqual(listenersOf(other))
  expect(listenersOf(onward)).toEqual(listenersOf(otherOnward))
  expect(listenersOf(socketOf(near))).toEqual(listenersOf(socketOf(otherOnward)))
})

bothWays('a sink is listened to only while its source waits for it', async swapped => {
  const { near, far, farSide, there } = scene(swapped)
  for (let time = 0; time < 3; time++) {
    const { congestions } = there
    expect(farSide.listenerCount('drain')).toBe(0)
    await fill(near)
    expect(there.congestions).toBeGreaterThan(congestions)
    expect(farSide.listenerCount('drain')).toBe(1)
    far.resume()
    await settle()
    far.pause()
  }
  expect(farSide.listenerCount('drain')).toBe(0)
  await fill(near)
  near.destroy()
  await settle()
  expect([farSide.closed, farSide.listenerCount('drain')]).toEqual([true, 0])
})

test('done is one promise, whoever asks for it first and however late', async () => {
  const good = scene(false)
  const early = good.bridge.done
  good.near.end()
  good.far.end()
  good.near.resume()
  good.far.resume()
  expect(good.bridge.done).toBe(early)
  await early
  expect(good.bridge.done).toBe(early)

  const late = scene(false)
  late.near.end('four')
  late.far.resume().end()
  late.near.resume()
  await settle()
  expect([late.nearSide.closed, late.farSide.closed]).toEqual([true, true])
  const { left } = await late.bridge.done
  expect(left).toMatchObject({ bytes: 4 })
  expect(late.bridge.done).toBe(late.bridge.done)
})

test('a failure of long ago rejects done, and is no unhandled rejection', async () => {
  const unhandled: unknown[] = []
  const listener = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', listener)
  const { near, bridge } = scene(false)
  near.destroy()
  await settle()
  void bridge.done
  await settle()
  process.off('unhandledRejection', listener)
  expect(unhandled).toEqual([])
  await expect(bridge.done).rejects.toMatchObject({ code: 'ERR_PIPE_RESET' })
})

test('what something stands on already is a TypeError, and the other pipe stays free', async () => {
  const [near, taken] = memoryPair()
  const [free, far] = memoryPair()
  const top = layer('top', () => ({}) as never)(taken)
  for (const pipe of [near, top, far]) pipe.on('error', ignore)
  for (const [left, right] of [[taken, free] as const, [free, taken] as const]) {
    expect(() => bridge(left, right)).toThrow(new TypeError(`${taken.label} has an owner already`))
  }
  expect(['error', 'close', 'data'].map(name => free.listenerCount(name))).toEqual([0, 0, 0])
  const [other, end] = memoryPair()
  const { done } = bridge(free, other)
  expect(() => bridge(free, top)).toThrow(TypeError) // it has been bridged
  far.end('through')
  end.resume().end()
  far.resume()
  expect((await done).left.bytes).toBe(7)
})
