import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import net, { type AddressInfo, type Socket } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { addressOf, ready, type Pipe } from '@striper/core'
import { connect, fromSocket, listen, type TcpPipe, type TcpServer } from '@striper/tcp'
import { afterEach, expect, test, vi } from 'vitest'

const local = { host: '127.0.0.1', port: 0 }
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A listener of ours, and the connections that come, one by one. */
async function listening(
  address: Parameters<typeof listen>[0] = local,
): Promise<{ server: TcpServer; accepted: () => Promise<TcpPipe> }> {
  const come: TcpPipe[] = []
  const wanted: ((pipe: TcpPipe) => void)[] = []
  const server = await listen(address, pipe => {
    const want = wanted.shift()
    if (want) want(pipe)
    else come.push(pipe)
  })
  cleanups.push(() => server.destroy())
  const accepted = () =>
    new Promise<TcpPipe>(resolve => {
      const pipe = come.shift()
      if (pipe) resolve(pipe)
      else wanted.push(resolve)
    })
  return { server, accepted }
}

/** A listener of Node's own, with nothing of ours. */
async function plainServer(): Promise<{ port: number; accepted: Promise<Socket> }> {
  const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  cleanups.push(() => server.close())
  server.on('connection', socket => {
    socket.on('error', () => undefined)
    cleanups.push(() => socket.destroy())
  })
  const accepted = once(server, 'connection').then(([socket]) => socket as Socket)
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, accepted }
}

function connecting(options: Parameters<typeof connect>[0]): TcpPipe {
  const pipe = connect(options)
  pipe.on('error', () => undefined)
  cleanups.push(() => pipe.destroy())
  return pipe
}

const closed = (pipe: Pipe) => new Promise<void>(resolve => pipe.once('close', resolve))

async function everything(pipe: Pipe): Promise<string> {
  const chunks: Buffer[] = []
  pipe.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(pipe, 'end')
  return Buffer.concat(chunks).toString()
}

test('what is written before it is connected arrives', async () => {
  const { server, accepted } = await listening()
  const pipe = connecting({ host: '127.0.0.1', port: server.port })
  expect(pipe.pending).toBe(true)
  pipe.write('early, ')
  pipe.end('and the end')
  expect(await everything(await accepted())).toBe('early, and the end')
})

test('a refused connection is ERR_PIPE_CONNECT, and says where', async () => {
  const server = await listen(local, pipe => pipe.destroy())
  const { port } = server
  await server.close()
  const pipe = connecting({ host: '127.0.0.1', port })
  await closed(pipe)
  expect(pipe.errored).toMatchObject({
    code: 'ERR_PIPE_CONNECT',
    message: `${pipe.label}: cannot connect to 127.0.0.1:${port}: ECONNREFUSED`,
    cause: { code: 'ECONNREFUSED' },
  })
})

test('a path that is not there is ERR_PIPE_CONNECT', async () => {
  const pipe = connecting({ path: '/no/such/striper.sock' })
  await closed(pipe)
  expect(pipe.errored).toMatchObject({ code: 'ERR_PIPE_CONNECT', cause: { code: 'ENOENT' } })
})

// Listens with room for two connections that wait, and then never accepts one.
const DEAF = `
  const { parentPort } = require('node:worker_threads')
  const server = require('node:net').createServer()
  server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
    parentPort.postMessage(server.address().port)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })`

test('a connection that is not answered is ERR_PIPE_TIMEOUT', async () => {
  const worker = new Worker(DEAF, { eval: true })
  cleanups.push(() => worker.terminate())
  const [port] = (await once(worker, 'message')) as [number]
  for (let i = 0; i < 2; i++) {
    const waiting = net.connect({ host: '127.0.0.1', port })
    waiting.on('error', () => undefined)
    cleanups.push(() => waiting.destroy())
    await once(waiting, 'connect')
  }
  const pipe = connecting({ host: '127.0.0.1', port, connectTimeoutMs: 50 })
  await closed(pipe)
  expect(pipe.errored).toMatchObject({
    code: 'ERR_PIPE_TIMEOUT',
    sentence: `no answer from 127.0.0.1:${port} in 50 ms`,
  })
})

test('a connection that was quick, or was destroyed, leaves no timer behind', async () => {
  const { server } = await listening()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  cleanups.push(() => vi.useRealTimers())
  const options = { host: '127.0.0.1', port: server.port, connectTimeoutMs: 50 }
  const pipe = connecting(options)
  expect(vi.getTimerCount()).toBe(1)
  await ready(pipe)
  expect(vi.getTimerCount()).toBe(0)
  const destroyed = connecting(options)
  destroyed.destroy()
  await closed(destroyed)
  expect(vi.getTimerCount()).toBe(0)
})

test('a time-out that is none is a RangeError at once', () => {
  expect(() => connect({ port: 1, connectTimeoutMs: -1 })).toThrow(RangeError)
  expect(() => connect({ port: 1, connectTimeoutMs: NaN })).toThrow(RangeError)
})

test('destroy() while connecting closes it, with no error and no ready', async () => {
  const { server } = await listening()
  const pipe = connecting({ host: '127.0.0.1', port: server.port })
  const events: string[] = []
  for (const name of ['ready', 'error', 'end']) pipe.on(name, () => events.push(name))
  pipe.destroy()
  await closed(pipe)
  expect(events).toEqual([])
})

test('it connects from a given local address, and both ends know their addresses', async () => {
  const { server, accepted } = await listening()
  const pipe = connecting({ host: '127.0.0.1', port: server.port, localAddress: '127.0.0.2' })
  const peer = await accepted()
  await ready(pipe)
  expect(pipe.address.local).toMatch(/^127\.0\.0\.2:\d+$/)
  expect(pipe.address.remote).toBe(server.address)
  expect(addressOf(peer)).toEqual({ local: pipe.address.remote, remote: pipe.address.local })
  const before = pipe.address
  pipe.destroy()
  await closed(pipe)
  expect(pipe.address).toEqual(before)
})

test('a local address that is not ours is ERR_PIPE_CONNECT', async () => {
  const { server } = await listening()
  const pipe = connecting({ host: '127.0.0.1', port: server.port, localAddress: '192.0.2.1' })
  await closed(pipe)
  expect(pipe.errored).toMatchObject({ code: 'ERR_PIPE_CONNECT' })
})

test('a reset that is received is ERR_PIPE_RESET, never an end', async () => {
  const { port, accepted } = await plainServer()
  const pipe = connecting({ host: '127.0.0.1', port }).resume()
  let ended = false
  pipe.on('end', () => (ended = true))
  const socket = await accepted
  await ready(pipe)
  socket.resetAndDestroy()
  await closed(pipe)
  expect(pipe.errored).toMatchObject({ code: 'ERR_PIPE_RESET', cause: { code: 'ECONNRESET' } })
  expect(ended).toBe(false)
})

test('regression: it closes after its socket, whichever way that was destroyed', async () => {
  const { port, accepted } = await plainServer()
  const order: string[] = []
  const watched = () => {
    const socket = net.connect({ host: '127.0.0.1', port })
    const pipe = fromSocket(socket)
    pipe.on('error', () => undefined)
    socket.on('close', () => order.push('socket'))
    pipe.on('close', () => order.push('pipe'))
    return { socket, pipe }
  }
  const failing = watched()
  await accepted
  await ready(failing.pipe)
  failing.socket.destroy(new Error('a failure of the test'))
  await closed(failing.pipe)
  const cancelled = watched()
  cancelled.pipe.destroy()
  await closed(cancelled.pipe)
  expect(order).toEqual(['socket', 'pipe', 'socket', 'pipe'])
})

test('an abort sends a reset', async () => {
  const { port, accepted } = await plainServer()
  const pipe = connecting({ host: '127.0.0.1', port })
  const socket = await accepted
  const failed = once(socket.resume(), 'error')
  await ready(pipe)
  pipe.destroy()
  expect(await failed).toMatchObject([{ code: 'ECONNRESET' }])
})

test('regression: destroyed when only its peer knows it is connected, it is reset', async () => {
  const server = net.createServer().listen(0, '127.0.0.1')
  cleanups.push(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const pipe = connecting({ host: '127.0.0.1', port })
  const outcome = new Promise(resolve => {
    server.once('connection', (socket: Socket) => {
      socket.once('end', () => resolve('end')).once('error', resolve)
      socket.resume()
      expect(pipe.pending).toBe(true)
      pipe.destroy()
    })
  })
  expect(await outcome).toMatchObject({ code: 'ECONNRESET' })
})

test('a peer that has ended gets a late answer', async () => {
  const { server, accepted } = await listening()
  const socket = net.connect({ host: '127.0.0.1', port: server.port, allowHalfOpen: true })
  cleanups.push(() => socket.destroy())
  socket.end('a question')
  const pipe = await accepted()
  expect(await everything(pipe)).toBe('a question')
  pipe.end('a late answer')
  const [answer] = (await once(socket, 'data')) as [Buffer]
  expect(answer.toString()).toBe('a late answer')
})

test('a Unix socket carries bytes both ways, and is known by its path', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'striper-'))
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'a.sock')
  const { server, accepted } = await listening({ path })
  expect([server.address, server.port]).toEqual([path, 0])
  const pipe = connecting({ path })
  pipe.end('over')
  const peer = await accepted()
  peer.end('back')
  expect(await Promise.all([everything(peer), everything(pipe)])).toEqual(['over', 'back'])
  expect(pipe.address.remote).toBe(path)
  expect([pipe.label, peer.label]).toEqual([
    expect.stringMatching(/^unix#/),
    expect.stringMatching(/^unix#/),
  ])
})

const hasV6 = Object.values(networkInterfaces()).some(all => all?.some(a => a.address === '::1'))

test.runIf(hasV6)('IPv6: addresses have brackets', async () => {
  const { server, accepted } = await listening({ host: '::1', port: 0 })
  expect(server.address).toBe(`[::1]:${server.port}`)
  const pipe = connecting({ host: '::1', port: server.port })
  const peer = await accepted()
  await ready(pipe)
  expect(peer.address.remote).toMatch(/^\[::1\]:\d+$/)
  expect(pipe.address.remote).toBe(server.address)
})

test('a connection that is reset before anybody stacks on it only closes', async () => {
  const { server, accepted } = await listening()
  const socket = net.connect({ host: '127.0.0.1', port: server.port })
  const pipe = await accepted()
  expect(server.connections.has(pipe)).toBe(true)
  socket.resetAndDestroy()
  await once(socket, 'close')
  pipe.write('to nobody') // whose failure has no listener but the server's own
  await closed(pipe)
  expect(pipe.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
  expect(server.connections.size).toBe(0)
})

test('a connection beyond maxConnections is closed, and the others live on', async () => {
  const { server, accepted } = await listening({ ...local, maxConnections: 1 })
  const first = connecting({ host: '127.0.0.1', port: server.port })
  const peer = await accepted()
  const second = connecting({ host: '127.0.0.1', port: server.port }).resume()
  await new Promise(resolve => second.once('end', resolve).once('error', resolve))
  expect(server.connections.size).toBe(1)
  first.end('still here')
  expect(await everything(peer)).toBe('still here')
})

test('a port in use is ERR_PIPE_CONNECT, and says which', async () => {
  const { server } = await listening()
  const again = listen({ host: '127.0.0.1', port: server.port }, pipe => pipe.destroy())
  await expect(again).rejects.toMatchObject({
    code: 'ERR_PIPE_CONNECT',
    message: `cannot listen at 127.0.0.1:${server.port}: EADDRINUSE`,
    cause: { code: 'EADDRINUSE' },
  })
})

test('close() waits for the connections that there are, and takes no more', async () => {
  const { server, accepted } = await listening()
  const pipe = connecting({ host: '127.0.0.1', port: server.port })
  const peer = await accepted()
  await ready(pipe)
  let done = false
  const closing = server.close().then(() => (done = true))
  const late = connecting({ host: '127.0.0.1', port: Number(pipe.address.remote!.split(':')[1]) })
  await closed(late)
  expect(late.errored).toMatchObject({ code: 'ERR_PIPE_CONNECT' })
  pipe.write('still here')
  await once(peer, 'data')
  expect(done).toBe(false)
  pipe.resume().end()
  peer.end()
  await closing
})

test('destroy() aborts the connections that there are', async () => {
  const { server, accepted } = await listening()
  const pipe = connecting({ host: '127.0.0.1', port: server.port }).resume()
  await accepted()
  await ready(pipe)
  await Promise.all([server.destroy(), closed(pipe)])
  expect(pipe.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
  expect(server.connections.size).toBe(0)
})

test('fromSocket() makes a pipe of a socket that is still connecting', async () => {
  const { port, accepted } = await plainServer()
  const pipe = fromSocket(net.connect({ host: '127.0.0.1', port }))
  cleanups.push(() => pipe.destroy())
  pipe.on('error', () => undefined)
  pipe.end('hello')
  const [data] = (await once(await accepted, 'data')) as [Buffer]
  expect(data.toString()).toBe('hello')
  expect(pipe.label).toMatch(/^tcp#/)
  expect(pipe.address.remote).toBe(`127.0.0.1:${port}`)
})
