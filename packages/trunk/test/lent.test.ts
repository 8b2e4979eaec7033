// Memory that is lent to a pipe, and changes as soon as that says that it is done with it: not a
// byte may be another at the far end, whatever becomes of lanes on the way.

import { type BytePipe, isLoanTaker, type LoanTaker, type Message, type Pipe } from '@striper/core'
import { stack } from '@striper/core'
import { frame } from '@striper/frame'
import { reassemble } from '@striper/reassemble'
import { connect, listen } from '@striper/tcp'
import { newSecret, tlsClient, tlsServer } from '@striper/tls'
import { rng } from '@striper/testkit'
import { trunk } from '@striper/trunk'
import { describe, expect, test } from 'vitest'
import { listening, settled, text } from './scene.ts'

const MIB = 1024 * 1024
const key = newSecret()

/** Lends pieces of a text to a pipe, and spoils each when it comes back. */
class Writer {
  /** Pieces that are out: neither released nor kept. */
  out = 0
  kept = 0
  readonly #pipe: Pipe & LoanTaker

  constructor(pipe: Pipe) {
    if (!isLoanTaker(pipe)) throw new Error(`${pipe.label} takes no loans`)
    this.#pipe = pipe
  }

  /** Writes all of it, in units of many sizes, up to `most` bytes, some of them in pieces, and
   *  ends. */
  async write(all: Buffer, most = 200_000): Promise<void> {
    const random = rng(7)
    const pipe = this.#pipe
    for (let at = 0; at < all.length && !pipe.destroyed;) {
      const end = at + random.integer(1, random.integer(0, 3) ? 5000 : most)
      const unit = random.integer(0, 1)
        ? inPieces(all, at, end)
        : Buffer.from(all.subarray(at, end))
      at = end
      if (!this.#lend(unit)) await new Promise(resolve => pipe.once('drain', resolve))
    }
    pipe.end()
  }

  #lend(unit: Message): boolean {
    this.out++
    let over = false
    const once = (then: () => void) => () => {
      if (over) return
      over = true
      this.out--
      then()
    }
    const spoil = () => {
      for (const piece of unit instanceof Uint8Array ? [unit] : unit) piece.fill(0xee)
    }
    return this.#pipe.writeLent(unit, { release: once(spoil), keep: once(() => this.kept++) })
  }
}

function inPieces(all: Buffer, from: number, to: number): Message {
  const third = from + Math.ceil((to - from) / 3)
  return [Buffer.from(all.subarray(from, third)), Buffer.from(all.subarray(third, to))]
}

/** What a pipe reads, to its end. */
async function heard(pipe: Pipe): Promise<Buffer> {
  const chunks: Buffer[] = []
  pipe.on('data', (chunk: Buffer) => chunks.push(chunk))
  await new Promise((resolve, reject) => pipe.once('end', resolve).once('error', reject))
  pipe.end()
  return Buffer.concat(chunks)
}

/** Two ends of a connection. */
async function overTcp<P extends Pipe>(near: (b: BytePipe) => P, far: (b: BytePipe) => P) {
  let accept: (pipe: BytePipe) => void
  const accepted = new Promise<BytePipe>(resolve => (accept = resolve))
  const server = await listen({ host: '127.0.0.1', port: 0 }, pipe => accept(pipe))
  const left = near(connect({ host: '127.0.0.1', port: server.port }))
  const right = far(await accepted)
  if (left.pending) await new Promise(resolve => left.once('ready', resolve))
  return { left, right, close: () => server.close() }
}

const client = tlsClient({ key })
const server = tlsServer({ keys: key })
const over: [string, (b: BytePipe) => Pipe, (b: BytePipe) => Pipe][] = [
  ['tcp', bytes => bytes, bytes => bytes],
  ['frame over tcp', bytes => stack(bytes, frame()), bytes => stack(bytes, frame())],
  ['tls', bytes => stack(bytes, client), bytes => stack(bytes, server)],
  ['frame over tls', bytes => stack(bytes, client, frame()), b => stack(b, server, frame())],
]
test.each(over)('%s: what is given back is not looked at again', async (_, near, far) => {
  const { left, right, close } = await overTcp(near, far)
  left.on('data', () => undefined)
  const said = text(1, 0, 8 * MIB)
  const writer = new Writer(left)
  const most = left.kind === 'bytes' ? 700_000 : 200_000
  const [all] = await Promise.all([heard(right), writer.write(said, most), settled(left)])
  expect(all.equals(said)).toBe(true)
  expect([writer.out, writer.kept]).toEqual([0, 0])
  await close()
})

describe.each([
  ['in clear', frame(), frame()],
  [
    'with TLS',
    (b: BytePipe) => stack(b, client, frame()),
    (b: BytePipe) => stack(b, server, frame()),
  ],
])('a stream over lanes %s', (_, near, far) => {
  const lanes = async () => {
    const { gatherer, far: session } = listening({ layers: far })
    const listener = await listen({ host: '127.0.0.1', port: 0 }, lane => gatherer.accept(lane))
    const to = { host: '127.0.0.1', port: listener.port }
    const pipe = trunk({
      lanes: Array.from({ length: 4 }, () => greet => near(stack(connect(to), greet))),
      firstPauseMs: 1,
      longestPauseMs: 20,
    })
    const left = reassemble()(pipe)
    const writer = new Writer(left)
    return { pipe, left, writer, session, close: () => listener.close() }
  }

  /** 8 MiB from one end to the other, and their end: whether they came as they were. */
  const carried = async ({ left, writer, session }: Awaited<ReturnType<typeof lanes>>) => {
    left.on('data', () => undefined)
    const said = text(1, 0, 8 * MIB)
    const listens = session.then(each => heard(reassemble()(each)))
    const [all] = await Promise.all([listens, writer.write(said), settled(left)])
    return all.equals(said)
  }

  test('nothing is given back before it has arrived, and then all of it', async () => {
    const scene = await lanes()
    const { writer, close } = scene
    expect(await carried(scene)).toBe(true)
    expect([writer.out, writer.kept]).toEqual([0, 0])
    await close()
  })

  test('lanes that are reset all the time cost no byte', async () => {
    const scene = await lanes()
    const { pipe, writer, close } = scene
    const chance = rng(3)
    let resets = 0
    const resetting = setInterval(() => {
      // Not for ever: on a busy machine a lane may take longer to be up than it is left alone.
      if (pipe.below.length === 0 || resets === 50) return
      chance.pick(pipe.below).destroy()
      resets++
    }, 3)
    const came = await carried(scene)
    clearInterval(resetting)
    expect(came).toBe(true)
    expect(resets).toBeGreaterThan(5)
    expect(writer.out, 'that are neither released nor kept').toBe(0)
    await close()
  })

  test('what waits when the stream is destroyed comes back, or is kept', async () => {
    const { left, writer, session, close } = await lanes()
    left.on('error', () => undefined)
    void session.then(each => each.on('error', () => undefined)) // and nobody reads there
    void writer.write(text(1, 0, 32 * MIB))
    await new Promise(resolve => left.once('ready', resolve))
    while (left.writableLength === 0) await new Promise(setImmediate)
    left.destroy()
    await settled(left)
    while (writer.out > 0) await new Promise(setImmediate)
    await close()
  })
})
