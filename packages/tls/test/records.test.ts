// What a TlsPipe lends: every byte in its place, none that changes while somebody has it, and all
// of it given back. Over a socket itself, and over a pipe that is none; the stock keeps one chunk,
// so that a chunk given back is filled again at once.

import { type Borrower, chunks, type Loan, type Message } from '@striper/core'
import { ready, whole } from '@striper/core'
import { frame } from '@striper/frame'
import { rng } from '@striper/testkit'
import type { TlsPipe } from '@striper/tls'
import { once } from 'node:events'
import net from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RECORD_BYTES, Records } from '../src/records.ts'
import { over, overMemory, tcpPair, withSecret } from './scene.ts'

const keepAtMost = chunks.keepAtMost
const pipes: TlsPipe[] = []
beforeEach(() => void (chunks.keepAtMost = 1))
afterEach(async () => {
  for (const pipe of pipes.splice(0)) {
    if (!pipe.closed) await new Promise(resolve => pipe.destroy().once('close', resolve))
  }
  expect(chunks.lent, 'chunks that are lent at rest').toBe(0)
  chunks.keepAtMost = keepAtMost
})

const scenes: Record<string, () => Promise<[TlsPipe, TlsPipe]>> = {
  'a socket': async () => over(...(await tcpPair()), withSecret()),
  'a pipe': () => Promise.resolve(overMemory(withSecret())),
}

async function scene(make: () => Promise<[TlsPipe, TlsPipe]>): Promise<[TlsPipe, TlsPipe]> {
  const [client, server] = await make()
  for (const pipe of [client, server]) pipes.push(pipe.on('error', () => undefined))
  await Promise.all([ready(client), ready(server)])
  return [client, server]
}

/** Borrows all, and gives each loan back some turns later, or never. */
class Holder implements Borrower {
  readonly copies: Buffer[] = []
  readonly #held: { unit: Buffer; copy: Buffer; loan: Loan | undefined }[] = []
  readonly #most: number
  changed = 0
  lentBytes = 0

  constructor(pipe: TlsPipe, most: number) {
    this.#most = most
    pipe.on('data', (chunk: Buffer) => this.borrow(chunk, undefined))
    pipe.lendTo(this)
  }

  borrow(message: Message, loan: Loan | undefined): void {
    const unit = whole(message)
    const copy = Buffer.from(unit)
    this.copies.push(copy)
    if (loan) this.lentBytes += unit.length
    this.#held.push({ unit, copy, loan })
    if (this.#held.length > this.#most) this.#release()
  }

  releaseAll(): void {
    while (this.#held.length > 0) this.#release()
  }

  get all(): Buffer {
    return Buffer.concat(this.copies)
  }

  #release(): void {
    const { unit, copy, loan } = this.#held.shift()!
    if (!unit.equals(copy)) this.changed++
    loan?.release()
  }
}

/** Bytes that are unlike wherever they are cut. */
function pattern(bytes: number, seed: number): Buffer {
  return rng(seed).bytes(bytes)
}

/** A socket that is read as Node reads one, a record at a time, and what has come of it. */
class Played {
  readonly lent: { bytes: Buffer; loan: Loan }[] = []
  readonly given: Buffer[] = []
  readonly records: Records
  lends = true
  readonly #socket = new net.Socket()
  readonly #field = (name: string) => {
    const symbols = Object.getOwnPropertySymbols(this.#socket)
    return symbols.find(symbol => symbol.description === name)!
  }

  constructor() {
    const handle = { useUserBuffer: () => undefined }
    Object.assign(this.#socket, { _handle: handle })
    this.records = new Records({
      borrows: () => this.lends,
      lend: (bytes, loan) => this.lent.push({ bytes, loan }),
      give: bytes => this.given.push(bytes) > 0,
    })
    this.records.start(this.#socket as unknown as TLSSocket)
  }

  /** The peer's end comes. */
  end(): void {
    this.#socket.push(null)
  }

  /** A record comes. What does not fit goes on in the next buffer, as in Node. */
  record(bytes: Buffer): void {
    const fields = this.#socket as unknown as Record<symbol, unknown>
    for (let at = 0; at < bytes.length;) {
      const buffer = fields[this.#field('kBuffer')] as Buffer
      const count = bytes.copy(buffer, 0, at)
      ;(fields[this.#field('kBufferCb')] as (count: number) => boolean)(count)
      const next = (fields[this.#field('kBufferGen')] as () => Buffer | undefined)()
      if (next) fields[this.#field('kBuffer')] = next
      at += count
    }
  }
}

const full = (byte: number) => Buffer.alloc(RECORD_BYTES, byte)
const turn = () => new Promise(setImmediate)

test('full records are lent together when one is not full, and at the end of the turn', async () => {
  const played = new Played()
  for (let byte = 0; byte < 3; byte++) played.record(full(byte))
  expect(played.lent).toEqual([])
  played.record(Buffer.alloc(100, 3))
  expect(played.lent.map(({ bytes }) => bytes.length)).toEqual([3 * RECORD_BYTES + 100])
  played.record(full(4))
  expect(played.lent.length).toBe(1)
  await turn()
  expect(played.lent[1]!.bytes.equals(full(4))).toBe(true)
  played.record(full(5)) // behind it in the same chunk
  await turn()
  played.record(Buffer.alloc(1))
  expect(played.lent.length).toBe(4)
  for (const { loan } of played.lent) loan.release()
})

test('full records with an end right behind them are given before it, lent or not', () => {
  const [lending, paused] = [new Played(), new Played()]
  for (const played of [lending, paused]) {
    played.record(full(1))
    played.record(full(2))
    if (played === paused) played.lends = false // in the same turn
    played.end()
  }
  expect(lending.lent.map(({ bytes }) => bytes.length)).toEqual([2 * RECORD_BYTES])
  expect(paused.given.map(({ length }) => length)).toEqual([2 * RECORD_BYTES])
  lending.lent[0]!.loan.release()
  for (const { records } of [lending, paused]) records.clear()
})

test('a chunk that is full is lent, and what crosses its end is whole', () => {
  const played = new Played()
  const first = Buffer.alloc(RECORD_BYTES - 1000, 1)
  const sent = [
    full(0),
    ...Array.from({ length: chunks.chunkBytes / RECORD_BYTES + 4 }, (_, byte) => full(byte)),
  ]
  played.record(first) // so that records do not end where chunks do
  for (const record of sent) played.record(record)
  played.end()
  const all = Buffer.concat([...played.given, ...played.lent.map(({ bytes }) => bytes)])
  expect(all.equals(Buffer.concat([first, ...sent]))).toBe(true)
  expect(played.lent.length).toBe(2)
  for (const { loan } of played.lent) loan.release()
  played.records.clear()
})

test('what may not be lent any more is a copy, and the chunk is used again', () => {
  const played = new Played()
  played.record(full(1))
  played.lends = false
  played.record(full(2))
  expect(played.given.map(({ length }) => length)).toEqual([2 * RECORD_BYTES])
  expect(chunks.lent).toBe(0)
  const next = chunks.take()
  next.memory.fill(9)
  next.release()
  expect(played.given[0]!.equals(Buffer.concat([full(1), full(2)]))).toBe(true)
  played.record(full(3))
  expect(played.given[1]!.equals(full(3))).toBe(true)
})

for (const [name, make] of Object.entries(scenes)) {
  test(`over ${name}: what is lent is what was sent, whatever its size, and does not change`, async () => {
    const [client, server] = await scene(make)
    const holder = new Holder(server, 5)
    const random = rng(3)
    const sizes = [RECORD_BYTES, RECORD_BYTES - 1, 2 * RECORD_BYTES, 261_142, 262_144, 1, 600_000]
    for (let i = 0; i < 20; i++) sizes.push(random.integer(1, 300_000))
    const sent = sizes.map((bytes, index) => pattern(bytes, index))
    const ended = once(server, 'end')
    for (const unit of sent) if (!client.write(unit)) await once(client, 'drain')
    client.end()
    await ended
    holder.releaseAll()
    expect(holder.all.equals(Buffer.concat(sent))).toBe(true)
    expect(holder.changed, 'chunks that changed').toBe(0)
    expect(holder.lentBytes).toBeGreaterThan(holder.all.length / 2)
    expect(server.stats.bytesIn).toBe(holder.all.length)
  })

  test(`over ${name}: full records with an end right behind them come before the end`, async () => {
    const [client, server] = await scene(make)
    const holder = new Holder(server, 0)
    const sent = pattern(5 * RECORD_BYTES + 10, 9)
    const ended = once(server, 'end')
    client.write(sent.subarray(0, 10)) // it flows then
    while (holder.all.length < 10) await new Promise(setImmediate)
    client.end(sent.subarray(10))
    await ended
    holder.releaseAll()
    expect(holder.all.equals(sent)).toBe(true)
  })

  test(`over ${name}: what comes while the reader has paused waits, and is its own`, async () => {
    const [client, server] = await scene(make)
    const holder = new Holder(server, 0)
    const sent = pattern(400_000, 11)
    client.write(sent.subarray(0, 100_000))
    while (holder.all.length < 100_000) await new Promise(setImmediate)
    server.pause()
    client.end(sent.subarray(100_000))
    const ended = once(server, 'end')
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
    expect(holder.all.length).toBe(100_000)
    server.resume()
    await ended
    holder.releaseAll()
    expect(holder.all.equals(sent)).toBe(true)
    expect(holder.changed).toBe(0)
  })

  test(`over ${name}: what another listener keeps never changes`, async () => {
    const [client, server] = await scene(make)
    const holder = new Holder(server, 0)
    const sent = pattern(1_500_000, 12)
    const kept: Buffer[] = []
    const ended = once(server, 'end')
    client.write(sent.subarray(0, 500_000))
    while (holder.all.length < 500_000) await new Promise(setImmediate)
    const look = (chunk: Buffer) => kept.push(chunk)
    server.on('data', look)
    client.write(sent.subarray(500_000, 1_000_000))
    while (holder.all.length < 1_000_000) await new Promise(setImmediate)
    server.off('data', look)
    client.end(sent.subarray(1_000_000))
    await ended
    holder.releaseAll()
    expect(holder.all.equals(sent)).toBe(true)
    expect(Buffer.concat(kept).equals(sent.subarray(500_000, 1_000_000))).toBe(true)
  })

  test(`over ${name}: of a pipe that is destroyed the chunk is not used again`, async () => {
    const [client, server] = await scene(make)
    const before = chunks.free
    const seen: Message[] = []
    server.on('data', () => undefined)
    server.lendTo({
      borrow: (unit, loan) => {
        if (loan) seen.push(unit)
        loan?.release()
        if (loan && !server.destroyed) server.destroy()
      },
    })
    const closed = new Promise(resolve => server.once('close', resolve))
    while (!server.destroyed) {
      client.write(pattern(7 * RECORD_BYTES, 13))
      await new Promise(setImmediate)
    }
    await closed
    expect(seen.length, 'Node may write to it still').toBe(1)
    expect([chunks.lent, chunks.free]).toEqual([0, Math.max(before - 1, 0)])
  })
}

test('a message of 511 KiB over frame comes in one piece, on loan', async () => {
  const [client, server] = await scene(scenes['a socket']!)
  const [near, far] = [frame()(client), frame()(server)]
  for (const pipe of [near, far]) pipe.on('error', () => undefined)
  const sizes = [511 * 1024, 511 * 1024, 100, 511 * 1024]
  const came: { pieces: number; bytes: number; lent: boolean }[] = []
  far.on('data', (unit: Buffer) => came.push({ pieces: 1, bytes: unit.length, lent: false }))
  ;(far as unknown as TlsPipe).lendTo({
    borrow: (unit, loan) => {
      const pieces = unit instanceof Uint8Array ? 1 : unit.length
      came.push({ pieces, bytes: whole(unit).length, lent: loan !== undefined })
      loan?.release()
    },
  })
  for (const [index, bytes] of sizes.entries()) {
    near.write(Buffer.alloc(bytes, index))
    while (came.length <= index) await new Promise(setImmediate)
  }
  expect(came.map(({ bytes }) => bytes)).toEqual(sizes)
  expect(came.map(({ lent }) => lent)).toEqual([true, true, false, true])
  // One where they came in one turn; else one for each turn, never one for each record.
  for (const { pieces } of came) expect(pieces).toBeLessThan(32)
})

test('a TLSSocket that cannot read into a buffer is read the plain way', async () => {
  const [client, server] = await scene(scenes['a socket']!)
  const { lower } = server as unknown as { lower: { _handle: Record<string, unknown> } }
  lower._handle.useUserBuffer = undefined
  const holder = new Holder(server, 0)
  const sent = pattern(300_000, 14)
  const ended = once(server, 'end')
  client.end(sent)
  await ended
  holder.releaseAll()
  expect(holder.all.equals(sent)).toBe(true)
  expect(holder.lentBytes).toBe(0)
})
