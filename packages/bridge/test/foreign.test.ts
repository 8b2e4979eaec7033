// Duplexes that are not pipes, and pipes that come in an odd state.

import { spawn } from 'node:child_process'
import { getEventListeners, once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { Duplex, type DuplexOptions, PassThrough } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { bridge } from '@striper/bridge'
import { memoryPair, type Pipe } from '@striper/core'
import { fromSocket } from '@striper/tcp'
import { bothWays, bridgeEitherWay, collect, fill, pattern, settle, story } from './scene.ts'

const servers: net.Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** A connection over the loopback: the client's end, and the end of a plain server, which is not
 *  half-open until somebody says so. */
async function connection(): Promise<[Socket, Socket]> {
  const server = net.createServer({ pauseOnConnect: true })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  client.on('error', () => undefined)
  const [accepted] = (await once(server, 'connection')) as [Socket]
  return [client, accepted]
}

/** near ── TCP ── bridge of plain sockets ── TCP ── far */
async function socketScene(swapped: boolean) {
  const [near, nearSide] = await connection()
  const [far, farSide] = await connection()
  return { near, far, nearSide, farSide, ...bridgeEitherWay(swapped, nearSide, farSide) }
}

/** A Duplex that one can script: what is written is recorded, what is pushed is read. */
function scripted(options: DuplexOptions = {}): Duplex & { written: Buffer[] } {
  const written: Buffer[] = []
  const duplex = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      written.push(chunk)
      done()
    },
    ...options,
  })
  duplex.on('error', () => undefined)
  return Object.assign(duplex, { written })
}

function memoryEnd(): [Pipe<'bytes'>, Pipe<'bytes'>] {
  const [far, farSide] = memoryPair()
  far.on('error', () => undefined)
  return [far, farSide]
}

bothWays('plain sockets: bytes, half-close and a late answer', async swapped => {
  const { near, far, bridge, there, back } = await socketScene(swapped)
  near.end(pattern(4_000_000))
  expect((await collect(far)).equals(pattern(4_000_000))).toBe(true)
  far.end('late answer')
  expect((await collect(near)).toString()).toBe('late answer')
  await bridge.done
  expect(there.bytes).toBe(4_000_000)
  expect(back.bytes).toBe(11)
})

bothWays('plain sockets: a reset arrives as a reset', async swapped => {
  const { near, far, bridge } = await socketScene(swapped)
  near.write('half of it')
  await once(far, 'data')
  const told = story(far)
  near.resetAndDestroy()
  await expect(bridge.done).rejects.toMatchObject({
    code: 'ERR_PIPE_RESET',
    label: 'socket',
    cause: { code: 'ECONNRESET' },
  })
  expect(await told).toEqual(['error', 'close'])
  expect(far.errored).toMatchObject({ code: 'ECONNRESET' })
})

bothWays('plain sockets: destroyed by somebody else, the other is reset', async swapped => {
  const { nearSide, far, bridge } = await socketScene(swapped)
  const told = story(far)
  far.resume()
  nearSide.destroy()
  await expect(bridge.done).rejects.toMatchObject({ code: 'ERR_PIPE_CLOSED' })
  expect(await told).toEqual(['error', 'close'])
})

bothWays('regression: a reset behind data that waits is no end at the far end', async swapped => {
  const [near, nearSocket] = await connection()
  const [farSocket, farSideSocket] = await connection()
  const far = fromSocket(farSocket)
  const told = story(far)
  const sides = [fromSocket(nearSocket), fromSocket(farSideSocket)] as const
  const { bridge, there } = bridgeEitherWay(swapped, ...sides)
  near.write(Buffer.alloc(32_000_000)) // more than all buffers between: the source is paused
  while (there.congestions === 0) await turn()
  near.resetAndDestroy()
  await once(near, 'close') // on the loopback the reset has now arrived
  far.resume()
  await expect(bridge.done).rejects.toMatchObject({ code: 'ERR_PIPE_RESET' })
  expect(await told).toEqual(['error', 'close'])
})

bothWays("a child's stdio is a byte pipe", async swapped => {
  const child = spawn('cat')
  const [far, farSide] = memoryEnd()
  const stdio = Duplex.from({ readable: child.stdout, writable: child.stdin })
  const { bridge, there, back } = bridgeEitherWay(swapped, stdio, farSide)
  far.end(pattern(500_000))
  expect((await collect(far)).equals(pattern(500_000))).toBe(true)
  await bridge.done
  expect([there.bytes, back.bytes]).toEqual([500_000, 500_000])
})

bothWays('a foreign failure keeps its error as the cause, whatever follows', async swapped => {
  const [, farSide] = memoryEnd()
  const near = scripted()
  const { bridge } = bridgeEitherWay(swapped, near, farSide)
  const cause = new Error('disk on fire')
  near.destroy(cause)
  await expect(bridge.done).rejects.toMatchObject({ code: 'ERR_PIPE_CLOSED', cause })
  await expect(bridge.done).rejects.toThrow('duplex: disk on fire')
})

bothWays('a foreign Duplex that fails but does not destroy itself is destroyed', async swapped => {
  const [, farSide] = memoryEnd()
  const near = scripted({ autoDestroy: false })
  const { bridge } = bridgeEitherWay(swapped, near, farSide)
  near.emit('error', new Error('disk on fire'))
  await expect(bridge.done).rejects.toThrow('disk on fire')
  expect(near.closed).toBe(true)
})

bothWays('a foreign Duplex that does not close by itself is closed', async swapped => {
  const [far, farSide] = memoryEnd()
  const near = scripted({ autoDestroy: false })
  const { bridge } = bridgeEitherWay(swapped, near, farSide)
  near.push('hello')
  near.push(null)
  far.end('bye')
  expect((await collect(far)).toString()).toBe('hello')
  await bridge.done
  expect(near.closed).toBe(true)
  expect(Buffer.concat(near.written).toString()).toBe('bye')
})

bothWays('it is closed where it ends last as well', async swapped => {
  const [far, farSide] = memoryEnd()
  const near = scripted({ autoDestroy: false })
  const { bridge } = bridgeEitherWay(swapped, near, farSide)
  far.resume().end('bye')
  await once(near, 'finish')
  near.push(null)
  await bridge.done
  expect(near.closed).toBe(true)
})

bothWays('a foreign Duplex that somebody paused flows', async swapped => {
  const [far, farSide] = memoryEnd()
  const near = scripted()
  near.pause()
  near.push('hello')
  bridgeEitherWay(swapped, near, farSide)
  expect(String((await once(far, 'data'))[0])).toBe('hello')
  near.destroy()
})

bothWays(
  'one that had ended before it came ends the other, which may still answer',
  async swapped => {
    const [far, farSide] = memoryEnd()
    const near = scripted()
    near.push(null)
    near.resume()
    await once(near, 'end')
    const { bridge } = bridgeEitherWay(swapped, near, farSide)
    await collect(far)
    far.end('answer')
    await bridge.done
    expect(Buffer.concat(near.written).toString()).toBe('answer')
  },
)

for (const well of [true, false]) {
  const end = well ? 'a good end' : 'a failure'
  bothWays(`after ${end}, done waits until both have closed`, async swapped => {
    const [far, farSide] = memoryEnd()
    let close: () => void = () => undefined
    const near = scripted({ destroy: (error, done) => void (close = () => done(error)) })
    const { bridge } = bridgeEitherWay(swapped, near, farSide)
    let over = false
    const end = () => (over = true)
    bridge.done.then(end, end)
    if (well) near.push(null)
    if (well) far.resume().end()
    else far.destroy()
    await once(farSide, 'close').catch(() => undefined)
    await settle()
    expect([near.destroyed, farSide.closed, over]).toEqual([true, true, false])
    close()
    await settle()
    expect(over).toBe(true)
  })
}

type Spoil = (duplex: Duplex) => unknown
const spoilt: Record<string, [Spoil, string]> = {
  destroyed: [duplex => duplex.destroy(), 'closed before its end'],
  failed: [duplex => duplex.destroy(new Error('disk on fire')), 'disk on fire'],
  'ended by us': [duplex => duplex.end(), 'closed before its end'],
}
for (const [state, [spoil, sentence]] of Object.entries(spoilt)) {
  for (const late of [false, true]) {
    const when = late ? 'long before it came' : 'in the tick in which it came'
    bothWays(`one that was ${state} ${when} aborts the other`, async swapped => {
      const [far, farSide] = memoryEnd()
      const told = story(far)
      far.resume()
      const near = scripted()
      spoil(near)
      if (late) await settle()
      const { signal } = new AbortController()
      const { bridge } = bridgeEitherWay(swapped, near, farSide, { signal, idleTimeoutMs: 1000 })
      await expect(bridge.done).rejects.toThrow(sentence)
      expect(await told).toEqual(['error', 'close'])
      expect(near.closed).toBe(true)
      expect(getEventListeners(signal, 'abort')).toEqual([])
    })
  }
}

test('two that had closed before they came reject at once', async () => {
  const [a, b] = [scripted(), scripted()]
  a.destroy(new Error('first'))
  b.destroy(new Error('second'))
  await settle()
  const { signal } = new AbortController()
  await expect(bridge(a, b, { signal }).done).rejects.toThrow('first')
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

bothWays('a pipe that cannot open aborts the one that waits', async swapped => {
  const [near, nearSide] = await connection()
  const told = story(near)
  near.write('hello')
  const nobody = net.connect({ port: 1, host: '127.0.0.1' })
  const { bridge } = bridgeEitherWay(swapped, nearSide, nobody)
  await expect(bridge.done).rejects.toMatchObject({ code: 'ERR_PIPE_CONNECT' })
  expect(await told).toEqual(['error', 'close'])
})

test('objects and strings are refused at the door', () => {
  const [, pipe] = memoryPair()
  expect(() => bridge(pipe, new PassThrough({ objectMode: true }))).toThrow(TypeError)
  expect(() => bridge(new PassThrough().setEncoding('utf8'), pipe)).toThrow(TypeError)
})

test('after 2,000 conversations nothing listens and nothing ticks', async () => {
  const { signal } = new AbortController()
  const timersBefore = process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  const pipes: Pipe<'bytes'>[] = []
  for (let round = 0; round < 2000; round++) {
    const [near, nearSide] = memoryPair()
    const [far, farSide] = memoryEnd()
    near.on('error', () => undefined)
    const options = { signal, idleTimeoutMs: 60_000, halfOpenTimeoutMs: 60_000 }
    const { done } = bridge(nearSide, farSide, options)
    near.resume()
    far.resume()
    near.end('there')
    if (round % 3 === 0) far.destroy()
    else far.end('back')
    await done.catch(() => undefined)
    pipes.push(nearSide, farSide)
  }
  const names = ['data', 'drain', 'end', 'finish', 'close', 'ready']
  const listening = pipes.filter(pipe => names.some(name => pipe.listenerCount(name) > 0))
  expect(listening).toEqual([])
  expect(pipes.filter(pipe => pipe.listenerCount('error') !== 1)).toEqual([]) // it does nothing
  expect(getEventListeners(signal, 'abort')).toEqual([])
  const timers = process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  expect(timers).toBe(timersBefore)
})

test('a conversation that is over is collected though its pipes are kept', async () => {
  const [near, nearSide] = memoryEnd()
  const [far, farSide] = memoryEnd()
  const over = new WeakRef(bridge(nearSide, farSide))
  await fill(near)
  near.end()
  far.end()
  near.resume()
  far.resume()
  await once(nearSide, 'close')
  await settle()
  gc!()
  await settle()
  gc!()
  expect(over.deref()).toBeUndefined()
  expect([nearSide.closed, farSide.closed]).toEqual([true, true])
})
