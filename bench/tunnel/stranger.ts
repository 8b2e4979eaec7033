// Those without the key, at one server: each attempt is of the next sort, and from an address of
// its own, so that no penalty for the one before spares the server.
//
//   stranger.ts HOST PORT PER_SECOND SECONDS     says { over: Siege } when the last is gone
//
// Loopback, and aimed at nothing else: it is all one machine's addresses.

import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { type BytePipe, connect, greet, newSecret, stack, tlsClient } from 'striper'
import { say } from '../lib/end.ts'
import { mostOfAHello } from './hello.ts'

/** What came of the attempts. */
export interface Siege {
  attempts: number
  /** The longest that one of them stayed. */
  longestMs: number
}

const [host = '127.0.0.1', port, perSecond, seconds] = process.argv.slice(2)
if (!/^127\./.test(host)) throw new RangeError(`${host} is not of this machine`)

/** What stands on a greeting of ours. */
const greeted = (pipe: BytePipe) => stack(pipe, greet(randomBytes(16))).on('error', () => undefined)

const sorts: ((pipe: BytePipe) => void)[] = [
  () => undefined, // says nothing
  pipe => void pipe.write(randomBytes(64)),
  pipe => void greeted(pipe).write(randomBytes(4096)),
  pipe => void greeted(pipe).write(mostOfAHello()),
  pipe =>
    void stack(pipe, greet(randomBytes(16)), tlsClient({ key: newSecret() })).on(
      'error',
      () => undefined,
    ),
]

process.stdin.resume().once('end', () => process.exit())
const all = Number(perSecond) * Number(seconds)
const gone: Promise<number>[] = []
const started = performance.now()
for (let i = 0; i < all; i++) {
  const due = started + (i * 1000) / Number(perSecond) - performance.now()
  if (due > 1) await wait(due)
  gone.push(attempt(i))
}
const siege: Siege = { attempts: all, longestMs: Math.max(...(await Promise.all(gone))) }
say({ over: siege })

/** Resolves when it has been closed, with how long it was there, in ms. */
async function attempt(i: number): Promise<number> {
  const localAddress = `127.1.${i >> 8}.${i & 255}`
  const pipe = connect({ host, port: Number(port), localAddress })
  let began = NaN
  pipe.once('ready', () => (began = performance.now()))
  pipe.on('error', () => undefined).resume()
  sorts[i % sorts.length]!(pipe)
  await new Promise(resolve => pipe.once('close', resolve)) // once() would reject
  return performance.now() - began || 0 // where it never came in
}
