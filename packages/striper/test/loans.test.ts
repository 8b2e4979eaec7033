// Memory that is used again, all the way from a lane's socket to the client's: every byte is right,
// and all of it comes back. The sockets are real; the source and the client are plain ones of Node.

import { createHash, type Hash } from 'node:crypto'
import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { rng } from '@striper/testkit/faults'
import {
  bridge,
  type BytePipe,
  connect,
  frame,
  gather,
  type Layer,
  listen,
  newSecret,
  readStats,
  reassemble,
  stack,
  tlsClient,
  tlsServer,
  trunk,
} from 'striper'
import { afterEach, expect, test } from 'vitest'

const HOST = '127.0.0.1'
const MIB = 1024 * 1024
const cleanups: (() => void)[] = []

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

/** A source that pours so many bytes, no two places of which are alike, and their hash. */
async function source(bytes: number): Promise<{ port: number; hash: () => string }> {
  const hash = createHash('sha256')
  const server = net.createServer(socket => {
    let counter = 0
    const pour = () => {
      for (;;) {
        if (counter * 4 >= bytes) return void socket.end()
        const chunk = Buffer.alloc(65_536)
        for (let at = 0; at < chunk.length; at += 4) chunk.writeUInt32BE(counter++, at)
        hash.update(chunk)
        if (!socket.write(chunk)) return
      }
    }
    socket.on('drain', pour).on('error', () => undefined)
    pour()
  })
  server.listen(0, HOST)
  await once(server, 'listening')
  cleanups.push(() => server.close())
  return { port: (server.address() as AddressInfo).port, hash: () => hash.digest('hex') }
}

/** What lanes have below their frames, at either end. */
const secrecies = {
  plain: () => ({ near: (bytes: BytePipe) => bytes, far: (bytes: BytePipe) => bytes }),
  TLS: () => {
    const key = newSecret()
    return { near: tlsClient({ key }), far: tlsServer({ keys: key }) }
  },
}
type Secrecy = keyof typeof secrecies

/** A striping pair before a port. */
async function pair(
  port: number,
  lanes: number,
  secrecy: Secrecy,
): Promise<{ port: number; sessions: Sessions }> {
  const { near, far } = secrecies[secrecy]()
  const sessions: Sessions = []
  const gatherer = gather({
    layers: bytes => stack(bytes, far, frame()),
    onSession: session => {
      const conversation = bridge(stack(session, reassemble()), connect({ host: HOST, port }))
      conversation.done.catch(() => undefined)
    },
  })
  const exit = await listen({ host: HOST, port: 0 }, lane => gatherer.accept(lane))
  const dial = (greet: Layer) =>
    stack(connect({ host: HOST, port: exit.port }), greet, near, frame())
  const entry = await listen({ host: HOST, port: 0 }, client => {
    const session = trunk({ lanes: Array.from({ length: lanes }, () => dial) })
    sessions.push(session)
    bridge(client, stack(session, reassemble())).done.catch(() => undefined)
  })
  cleanups.push(
    () => void entry.destroy(),
    () => void exit.destroy(),
    () => gatherer.destroy(),
  )
  return { port: entry.port, sessions }
}

type Sessions = ReturnType<typeof trunk>[]

/** Reads to the end, now and then with a pause, and gives the hash. */
async function download(port: number, pauses: boolean): Promise<string> {
  const random = rng(7)
  const hash: Hash = createHash('sha256')
  const socket: Socket = net.connect(port, HOST)
  socket.on('data', (chunk: Buffer) => {
    hash.update(chunk)
    if (!pauses || !random.chance(0.02)) return
    socket.pause()
    setTimeout(() => socket.resume(), 5)
  })
  await once(socket, 'end')
  socket.destroy()
  return hash.digest('hex')
}

async function allBack(before: number): Promise<void> {
  await expect.poll(() => readStats().lentChunks, { timeout: 10_000 }).toBe(before)
}

for (const [pauses, secrecy] of [
  [false, 'plain'],
  [true, 'plain'],
  [false, 'TLS'],
  [true, 'TLS'],
] as const) {
  const reader = pauses ? 'a reader that pauses' : 'a reader that does not stop'
  test(`what is borrowed of ${secrecy} lanes reaches ${reader} unchanged, and comes back`, async () => {
    const before = readStats()
    const from = await source(48 * MIB)
    const through = await pair(from.port, 3, secrecy)
    expect(await download(through.port, pauses)).toBe(from.hash())
    await allBack(before.lentChunks)
    // Or it has shown nothing: most of it was lent.
    expect(readStats().lentBytes - before.lentBytes).toBeGreaterThan(24 * MIB)
  })
}

const both: Secrecy[] = ['plain', 'TLS']
test.each(both)('what %s lanes lend comes back when they and all are broken off', async secrecy => {
  const before = readStats()
  const from = await source(512 * MIB)
  const { port, sessions } = await pair(from.port, 3, secrecy)
  const socket = net.connect(port, HOST)
  socket.on('error', () => undefined)
  let come = 0
  socket.on('data', (chunk: Buffer) => {
    if (come < 8 * MIB && come + chunk.length >= 8 * MIB) sessions[0]!.below[0]!.destroy()
    come += chunk.length
    if (come > 24 * MIB) socket.pause()
  })
  // With a reader that has stopped, what waits for it is lent, or there is nothing to come back.
  // (How many chunks that is says little: many reads lie in one, and small parcels are copied.)
  const lent = () => readStats().lentChunks - before.lentChunks
  await expect.poll(() => socket.isPaused(), { timeout: 10_000 }).toBe(true)
  await expect.poll(lent, { timeout: 10_000 }).toBeGreaterThan(0)
  socket.destroy()
  await allBack(before.lentChunks)
})
