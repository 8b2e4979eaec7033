// Loans: what is lent is used again, and what anybody was given never changes. Real sockets, and a
// stock of one chunk of each size, so that a chunk given back is filled again at once.
//
//   client ── near ▷ bridge ▷ onward ── server

import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bridge, type Bridge } from '@striper/bridge'
import { ChunkStock, chunks, largeChunks, type Loan, memoryPair, whole } from '@striper/core'
import { connect, fromSocket, readStats, type TcpPipe } from '@striper/tcp'
import { LANDING_BYTES } from '../src/reader.ts'

const MIB = 1024 * 1024
const local = '127.0.0.1'

const cleanups: (() => unknown)[] = []
beforeEach(() => void (chunks.keepAtMost = largeChunks.keepAtMost = 1))
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  expect(readStats().lentChunks, 'chunks that are lent at rest').toBe(0)
})

interface Scene {
  client: Socket
  server: Socket
  near: TcpPipe
  onward: TcpPipe
  bridge: Bridge
}

/** A server of Node's own, and each connection to it. */
async function listening(): Promise<{ port: number; accepted: () => Promise<Socket> }> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true })
  server.listen(0, local)
  await once(server, 'listening')
  cleanups.push(() => server.close())
  const accepted = async () => {
    const [socket] = (await once(server, 'connection')) as [Socket]
    socket.on('error', () => undefined)
    cleanups.push(() => socket.destroy())
    return socket
  }
  return { port: (server.address() as AddressInfo).port, accepted }
}

function connecting(port: number): Socket {
  const socket = net.connect({ port, host: local, allowHalfOpen: true, noDelay: true })
  socket.on('error', () => undefined)
  cleanups.push(() => socket.destroy())
  return socket
}

/** A bridge between two sockets; `prepare` is called with its pipes before it is made. */
async function scene(prepare: (near: TcpPipe, onward: TcpPipe) => void = () => undefined) {
  const [front, back] = [await listening(), await listening()]
  const client = connecting(front.port)
  const near = fromSocket(await front.accepted())
  const arriving = back.accepted()
  const onward = connect({ port: back.port, host: local })
  prepare(near, onward)
  const made: Scene = { client, server: await arriving, near, onward, bridge: bridge(near, onward) }
  cleanups.push(() => made.bridge.destroy())
  return made
}

/** Bytes that are unlike wherever they are cut. */
function pattern(bytes: number, seed: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes)
  for (let at = 0; at < bytes; at += 4) buffer.writeUInt32LE((at * 2654435761 + seed) >>> 0, at)
  return buffer
}

async function everything(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).resume()
  await once(socket, 'end')
  return Buffer.concat(chunks)
}

/** Sends so many bytes and an end each way; both must arrive as they were sent. */
async function exchange({ client, server }: Scene, bytes: number): Promise<Buffer[]> {
  const [up, down] = [pattern(bytes, 1), pattern(bytes, 2)]
  const arrived = Promise.all([everything(server), everything(client)])
  client.end(up)
  server.end(down)
  const [gotUp, gotDown] = await arrived
  expect(gotUp.equals(up), 'what came up').toBe(true)
  expect(gotDown.equals(down), 'what came down').toBe(true)
  return [up, down]
}

const lentSince = (before: number) => readStats().lentBytes - before

/** What somebody kept: each chunk as it is, and as it was when it came. */
class Kept {
  readonly chunks: Buffer[] = []
  readonly copies: Buffer[] = []

  add(chunk: Buffer): void {
    this.chunks.push(chunk)
    this.copies.push(Buffer.from(chunk))
  }

  get bytes(): number {
    return this.copies.reduce((sum, { length }) => sum + length, 0)
  }

  expectUnchanged(): void {
    const changed = this.chunks.filter((chunk, index) => !chunk.equals(this.copies[index]!))
    expect(changed.length, 'chunks that changed').toBe(0)
  }
}

/** Ways to look at a pipe that a bridge reads. */
const onlookers: Record<string, (pipe: TcpPipe, kept: Kept) => void> = {
  'a `data` listener': (pipe, kept) => void pipe.on('data', (chunk: Buffer) => kept.add(chunk)),
  'a `for await`': (pipe, kept) => {
    void (async () => {
      for await (const chunk of pipe.iterator({ destroyOnReturn: false })) kept.add(chunk as Buffer)
    })().catch(() => undefined)
  },
  'a tee by pipe()': (pipe, kept) => {
    pipe.pipe(new PassThrough().on('data', (chunk: Buffer) => kept.add(chunk)))
  },
  'a `data` listener at the socket': (pipe, kept) => {
    const { lower } = pipe as unknown as { lower: Socket }
    lower.on('data', (chunk: Buffer) => kept.add(chunk))
  },
}

for (const [name, look] of Object.entries(onlookers)) {
  test(`what ${name} beside a bridge keeps never changes, and is all of it`, async () => {
    const [kept, other] = [new Kept(), await scene()]
    const before = readStats().lentBytes
    const watched = await scene(near => look(near, kept))
    // The other bridge borrows and gives back meanwhile, so that what is free is filled.
    const [[up]] = await Promise.all([exchange(watched, 4 * MIB), exchange(other, 8 * MIB)])
    expect(Buffer.concat(kept.copies).equals(up!), 'what was kept').toBe(true)
    kept.expectUnchanged()
    expect(lentSince(before), 'bytes that were lent').toBeGreaterThan(MIB)
  })

  test(`what ${name} keeps from the middle on never changes`, async () => {
    const kept = new Kept()
    const { client, server, near, bridge } = await scene()
    const all = pattern(8 * MIB, 3)
    const arrived = everything(server)
    client.write(all.subarray(0, 3 * MIB))
    while (bridge.left.bytes < 2 * MIB) await new Promise(setImmediate)
    look(near, kept)
    client.end(all.subarray(3 * MIB))
    expect((await arrived).equals(all)).toBe(true)
    expect(kept.bytes).toBeGreaterThan(2 * MIB)
    expect(Buffer.concat(kept.copies).equals(all.subarray(all.length - kept.bytes))).toBe(true)
    kept.expectUnchanged()
    server.end()
  })
}

test('small chunks that anybody keeps never change either', async () => {
  const { port, accepted } = await listening()
  const client = connecting(port)
  const pipe = fromSocket(await accepted())
  cleanups.push(() => pipe.destroy())
  const [listened, borrowed] = [new Kept(), new Kept()]
  pipe.on('data', (chunk: Buffer) => listened.add(chunk))
  pipe.lendTo({
    borrow: (chunk, loan) => {
      borrowed.add(whole(chunk))
      expect(loan).toBeUndefined() // so that it is the borrower's own
    },
  })
  const ask = async (byte: number) => {
    const before = pipe.stats.bytesIn
    client.write(Buffer.alloc(1000, byte))
    while (pipe.stats.bytesIn < before + 1000) await new Promise(setImmediate)
  }
  for (let byte = 0; byte < 20; byte++) await ask(byte)
  const onlooker = () => undefined
  pipe.on('data', onlooker)
  for (let byte = 20; byte < 40; byte++) await ask(byte)
  expect([borrowed.bytes, listened.bytes]).toEqual([20_000, 20_000])
  for (const kept of [borrowed, listened]) kept.expectUnchanged()
})

test('a chunk that has to wait among others is kept', async () => {
  const { port, accepted } = await listening()
  const pipe = connect({ port, host: local })
  cleanups.push(() => pipe.destroy())
  const small = new ChunkStock(1000, 1)
  const loan = small.take()
  pipe.writeLent(loan.memory.fill('a'), loan) // it is not open yet
  pipe.end()
  expect((await everything(await accepted())).toString()).toBe('a'.repeat(1000))
  expect([small.lent, small.free]).toEqual([0, 0])
})

test('a sink that keeps what it gets, and knows no loans, may keep it', async () => {
  const { port, accepted } = await listening()
  const client = connecting(port)
  const [sink, far] = memoryPair()
  const made = bridge(fromSocket(await accepted()), sink)
  const kept = new Kept()
  far.on('data', (chunk: Buffer) => kept.add(chunk))
  const sent = pattern(4 * MIB, 5)
  const ended = once(far, 'end')
  client.end(sent)
  await Promise.all([exchange(await scene(), 4 * MIB), ended])
  expect(Buffer.concat(kept.chunks).equals(sent)).toBe(true)
  kept.expectUnchanged()
  far.end()
  client.resume()
  await made.done
})

test('a bridge between sockets, accepted and connected, lends nearly all that it carries', async () => {
  const before = readStats().lentBytes
  const made = await scene()
  await exchange(made, 16 * MIB)
  await made.bridge.done
  expect(lentSince(before)).toBeGreaterThan(24 * MIB)
  expect(Math.max(chunks.free, largeChunks.free)).toBe(1)
})

test('a socket whose handle is of another make is bridged the plain way', async () => {
  const before = readStats().bytes
  const made = await scene((near, onward) => {
    for (const pipe of [near, onward]) {
      const { lower } = pipe as unknown as { lower: { _handle: Record<string, unknown> } }
      lower._handle.useUserBuffer = undefined
    }
  })
  await exchange(made, 4 * MIB)
  await made.bridge.done
  expect(readStats().bytes - before).toBe(0)
})

test('a server that reads slowly holds a few chunks, stops the client, and gets all', async () => {
  const { client, server, near, onward, bridge } = await scene()
  const sent = pattern(32 * MIB, 7)
  client.end(sent)
  while (!onward.writableNeedDrain) await new Promise(setImmediate)
  expect(near.isPaused()).toBe(true)
  await new Promise(resolve => setTimeout(resolve, 20))
  expect(near.readableLength, 'read ahead, where it cannot be lent').toBe(0)
  expect(onward.writableLength).toBeGreaterThan(0)
  expect(readStats().lentChunks).toBeLessThanOrEqual(2)
  const { bytes, congestions } = bridge.left
  expect(congestions).toBeGreaterThan(0)
  await new Promise(resolve => setTimeout(resolve, 50))
  expect(bridge.left.bytes, 'while nobody reads').toBe(bytes)
  const got = await everything(server)
  expect(got.equals(sent)).toBe(true)
  server.end()
})

test('what is written by write() beside loans keeps its place', async () => {
  const { port, accepted } = await listening()
  const pipe = connect({ port, host: local })
  cleanups.push(() => pipe.destroy())
  const server = await accepted()
  if (pipe.pending) await once(pipe, 'ready')
  const got = everything(server)
  const parts = Array.from({ length: 200 }, (_, index) => pattern(40_000, index))
  parts.forEach((part, index) => {
    if (index % 3 === 0) pipe.write(part)
    else pipe.writeLent(part, undefined)
  })
  pipe.end()
  expect((await got).equals(Buffer.concat(parts))).toBe(true)
})

test('an abort in the middle gives back what was lent, or lets it go', async () => {
  const { client, near, onward } = await scene()
  client.write(pattern(32 * MIB, 8))
  while (!onward.writableNeedDrain) await new Promise(setImmediate)
  expect(readStats().lentChunks).toBeGreaterThan(0)
  const closed = [near, onward].map(pipe => new Promise(resolve => pipe.once('close', resolve)))
  client.resetAndDestroy()
  onward.destroy()
  await Promise.all(closed)
  await new Promise(setImmediate)
})

test('a reset right behind a full landing is an error, never an end', async () => {
  const { client, server, near, bridge } = await scene()
  const failure = expect(bridge.done).rejects.toMatchObject({ code: 'ERR_PIPE_RESET' })
  near.pause()
  await new Promise(resolve => client.write(Buffer.alloc(LANDING_BYTES), resolve))
  client.resetAndDestroy()
  await once(client, 'close') // on the loopback the reset has now arrived
  server.resume()
  near.resume()
  await failure
})

test('a busy socket that gets little gives it as its own, and is busy again when there is more', async () => {
  const { port, accepted } = await listening()
  const client = connecting(port)
  const pipe = fromSocket(await accepted())
  cleanups.push(() => pipe.destroy())
  const sizes = [MIB, 12, 2 * MIB, LANDING_BYTES - 4, LANDING_BYTES, MIB, 4]
  const kept = new Kept()
  let come = 0
  let lent = 0
  pipe.on('data', () => expect.unreachable('nobody else looks'))
  pipe.lendTo({
    borrow: (unit, loan) => {
      const chunk = whole(unit)
      come += chunk.length
      if (loan) lent += chunk.length
      kept.add(loan ? Buffer.from(chunk) : chunk)
      loan?.release()
    },
  })
  const before = readStats()
  const parts = sizes.map((bytes, index) => pattern(bytes, index))
  let sent = 0
  for (const part of parts) {
    const lentBefore = lent
    client.write(part)
    sent += part.length
    while (come < sent) await new Promise(setImmediate)
    if (part.length < LANDING_BYTES) expect(lent).toBe(lentBefore)
  }
  expect(Buffer.concat(kept.copies).equals(Buffer.concat(parts))).toBe(true)
  kept.expectUnchanged()
  const { copiedBytes, bytes } = readStats()
  expect(bytes - before.bytes).toBe(sent)
  // The landing where it was filled, and what was little: no more than once for each part, and once
  // where a read of a large part has brought little.
  const most = 2 * sizes.length * LANDING_BYTES
  expect(copiedBytes - before.copiedBytes).toBeLessThan(most)
})

test('what sockets bring in pieces lies in one chunk until it goes back, and no piece changes another', async () => {
  const { port, accepted } = await listening()
  const kept = new Kept()
  const loans: Loan[] = []
  const borrowing = async () => {
    const client = connecting(port)
    const pipe = fromSocket(await accepted())
    cleanups.push(() => pipe.destroy())
    pipe.on('data', () => expect.unreachable('nobody else looks'))
    pipe.lendTo({
      borrow: (unit, loan) => {
        kept.add(whole(unit))
        if (loan) loans.push(loan)
      },
    })
    return client
  }
  const clients = [await borrowing(), await borrowing()]
  const parts = Array.from({ length: 6 }, (_, index) => pattern(4 * LANDING_BYTES, index))
  let sent = 0
  for (const [index, part] of parts.entries()) {
    clients[index % 2]!.write(part)
    sent += part.length
    while (kept.bytes < sent) await new Promise(setImmediate)
  }
  expect(loans.length).toBeGreaterThanOrEqual(parts.length)
  expect(readStats().lentChunks).toBe(1)
  expect(Buffer.concat(kept.chunks).equals(Buffer.concat(parts))).toBe(true)
  for (const loan of loans) loan.release()
  expect(readStats().lentChunks).toBe(0)
})

test('a busy socket keeps from timing out as others do', async () => {
  const { port, accepted } = await listening()
  const client = connecting(port)
  const socket = await accepted()
  const pipe = fromSocket(socket)
  cleanups.push(() => pipe.destroy())
  pipe.on('data', () => undefined)
  pipe.lendTo({ borrow: (_, loan) => loan?.release() })
  const inside = socket as unknown as { _unrefTimer: () => void }
  let refreshed = 0
  const refresh = inside._unrefTimer.bind(socket)
  inside._unrefTimer = () => {
    refreshed++
    refresh()
  }
  client.write(pattern(4 * MIB, 1))
  while (pipe.stats.bytesIn < 4 * MIB) await new Promise(setImmediate)
  expect(refreshed).toBeGreaterThan(4)
})

test('a reset of a busy socket is an error, after all that came before it', async () => {
  const { port, accepted } = await listening()
  const client = connecting(port)
  const pipe = fromSocket(await accepted())
  cleanups.push(() => pipe.destroy())
  let come = 0
  pipe.on('data', () => undefined)
  pipe.lendTo({
    borrow: (unit, loan) => {
      come += whole(unit).length
      loan?.release()
    },
  })
  client.write(pattern(MIB, 1))
  while (come < MIB) await new Promise(setImmediate)
  const failed = once(pipe, 'error')
  client.resetAndDestroy()
  expect(await failed).toMatchObject([{ code: 'ERR_PIPE_RESET' }])
})

test('a stock uses the chunk given back last, keeps no more than it may, and none twice', () => {
  const small = new ChunkStock(16, 2)
  const [first, second, third] = [small.take(), small.take(), small.take()]
  expect([small.lent, small.free]).toEqual([3, 0])
  for (const loan of [first, second, second, third]) loan.release()
  expect([small.lent, small.free]).toEqual([0, 2])
  const again = small.take()
  expect(again.memory).toBe(second.memory)
  second.release() // late, and of no effect
  expect([small.lent, small.free]).toEqual([1, 1])
  again.keep()
  again.release()
  expect([small.lent, small.free]).toEqual([0, 1])
})
