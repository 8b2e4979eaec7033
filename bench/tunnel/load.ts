// What is beside the tunnel: the target behind it, and those who connect to its near end. Plain
// sockets and nothing of ours, so the same load goes through the tunnel and past it.
//
//   load.ts target HOST     listens; says { port }
//   load.ts clients         does what stdin asks for, an object a line, and says what came of it
//
// The first byte of a connection says what is wanted: 'p', pour until it breaks; 'e', echo.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { content } from '../../examples/lib/content.ts'
import { say } from '../lib/end.ts'

/** Where a client connects to. */
export interface To {
  host: string
  port: number
  localAddress?: string
}

/** What clients may be asked to do; `count` at once, or one after the other for `echo`, `open`. */
export type Job = { to: To; count: number } & (
  | { do: 'pour'; seconds: number } // says { poured: bytes of each, after the second second }
  | { do: 'echo'; bulk: boolean } // says { echoed: ms of each, of 16 bytes }
  | { do: 'exchange'; bytes: number; seconds: number } // says { exchanged: what came of them }
  | { do: 'short'; perSecond: number } // says { exchanged }
  | { do: 'open' } // says { opened: ms to the first byte of each }
  | { do: 'hold' } // says { held } and, when all are reset, { released: Date.now() of the last }
)

/** What came of exchanges. */
export interface Exchanged {
  complete: number
  wrong: number
  failed: number
}

const STEADY_MS = 2000
const POUR = Buffer.alloc(64 * 1024, 'x')
const PIECES = 100

process.stdin.once('end', () => process.exit())
const [role, host = '127.0.0.1'] = process.argv.slice(2)
if (role === 'target') await target()
else for await (const line of createInterface({ input: process.stdin })) await act(line)

async function target(): Promise<void> {
  process.stdin.resume()
  const server = net.createServer({ allowHalfOpen: true, noDelay: true, highWaterMark: 262_144 })
  server.on('connection', (socket: Socket) => {
    socket.on('error', () => undefined)
    socket.once('readable', () => {
      const word = (socket.read(1) as Buffer | null)?.toString()
      if (word === 'e') socket.pipe(socket)
      else if (word === 'p') pour(socket)
      else socket.destroy()
    })
  })
  server.listen(0, host)
  await once(server, 'listening')
  say({ port: (server.address() as AddressInfo).port })
}

function pour(socket: Socket): void {
  const more = () => {
    while (!socket.destroyed && socket.write(POUR));
  }
  socket.on('drain', more)
  more()
}

async function act(line: string): Promise<void> {
  const job = JSON.parse(line) as Job
  const { to, count } = job
  if (job.do === 'pour') say({ poured: await poured(to, count, job.seconds) })
  else if (job.do === 'echo') say({ echoed: await echoed(to, count, job.bulk) })
  else if (job.do === 'open') say({ opened: await opened(to, count) })
  else if (job.do === 'hold') await hold(to, count)
  else if (job.do === 'exchange') {
    const each = (i: number) => exchange(to, job.bytes, i, job.seconds * 1000)
    say({ exchanged: tally(await Promise.all(Array.from({ length: count }, (_, i) => each(i)))) })
  } else {
    const all: Promise<boolean | undefined>[] = []
    const started = performance.now()
    for (let i = 0; i < count; i++) {
      const due = started + (i * 1000) / job.perSecond - performance.now()
      if (due > 1) await wait(due)
      all.push(exchange(to, 100 + (i % 2000), i, 0))
    }
    say({ exchanged: tally(await Promise.all(all)) })
  }
}

function dial({ localAddress, ...to }: To): Socket {
  const from = localAddress === undefined ? {} : { localAddress }
  return net.connect({ ...to, ...from, noDelay: true, allowHalfOpen: true })
}

async function poured(to: To, count: number, seconds: number): Promise<number[]> {
  const bytes = Array.from({ length: count }, () => 0)
  const started = performance.now()
  const sockets = bytes.map((_, i) => {
    const socket = dial(to).on('error', () => undefined)
    socket.on('data', chunk => {
      if (performance.now() - started >= STEADY_MS) bytes[i]! += chunk.length
    })
    socket.write('p')
    return socket
  })
  await wait(STEADY_MS + seconds * 1000)
  for (const socket of sockets) socket.resetAndDestroy()
  return bytes
}

async function echoed(to: To, count: number, bulk: boolean): Promise<number[]> {
  const beside = bulk ? dial(to).on('error', () => undefined) : undefined
  beside?.resume().write('p')
  const socket = dial(to)
  socket.write('e')
  const times: number[] = []
  if (bulk) await wait(STEADY_MS)
  for (let i = 0; i < count; i++) {
    const asked = performance.now()
    socket.write(Buffer.alloc(16, i))
    for (let got = 0; got < 16;) got += ((await once(socket, 'data')) as [Buffer])[0].length
    times.push(performance.now() - asked)
    await wait(20)
  }
  for (const each of [socket, beside]) each?.resetAndDestroy()
  return times
}

async function opened(to: To, count: number): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const asked = performance.now()
    const socket = dial(to)
    socket.write('e?')
    await once(socket, 'data')
    times.push(performance.now() - asked)
    socket.resetAndDestroy()
    await wait(50)
  }
  return times
}

/** Whether what came back is what was sent; undefined where it failed before its end. */
function exchange(to: To, bytes: number, seed: number, ms: number): Promise<boolean | undefined> {
  return new Promise(resolve => {
    const socket = dial(to)
    const [sent, got] = [createHash('sha256'), createHash('sha256')]
    socket.on('data', chunk => got.update(chunk))
    socket.once('end', () => resolve(sent.digest().equals(got.digest())))
    socket.once('error', () => resolve(undefined))
    void write()

    async function write(): Promise<void> {
      socket.write('e')
      for (const piece of content(bytes, seed)) {
        sent.update(piece)
        const part = ms > 0 ? Math.ceil(bytes / PIECES) : piece.length
        for (let at = 0; at < piece.length; at += part) {
          const more = socket.write(piece.subarray(at, at + part))
          if (ms > 0) await wait(ms / PIECES)
          else if (!more) await once(socket, 'drain').catch(() => undefined)
          if (socket.destroyed) return
        }
      }
      socket.end()
    }
  })
}

function tally(all: readonly (boolean | undefined)[]): Exchanged {
  const count = (what: boolean | undefined) => all.filter(each => each === what).length
  return { complete: count(true), wrong: count(false), failed: count(undefined) }
}

async function hold(to: To, count: number): Promise<void> {
  const sockets = Array.from({ length: count }, () => dial(to))
  const over = sockets.map(
    socket => new Promise<boolean>(resolve => socket.once('close', resolve).on('error', () => 0)),
  )
  await Promise.all(
    sockets.map(async socket => {
      socket.write('e?')
      await once(socket, 'data')
      socket.resume()
    }),
  )
  say({ held: count })
  const reset = (await Promise.all(over)).filter(Boolean).length
  say({ released: { at: Date.now(), reset } })
}
