// Strangers who hold what they can: so many at once, each with most of a handshake said, until this
// process ends. Whoever is dropped at the door comes again, from another address.
//
//   crowd.ts HOST PORT COUNT     says { stay: how many } when so many have been there for a while
//
// Loopback, and aimed at nothing else: it is all one machine's addresses.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { type BytePipe, connect, greet, stack } from 'striper'
import { say } from '../lib/end.ts'
import { mostOfAHello } from './hello.ts'

const STAY_MS = 500
const [host = '127.0.0.1', port, count] = process.argv.slice(2)
if (!/^127\./.test(host)) throw new RangeError(`${host} is not of this machine`)
process.stdin.resume().once('end', () => process.exit())

const there = new Set<BytePipe>()
for (let attempts = 0; there.size < Number(count);) {
  while (there.size < Number(count)) await come(attempts++)
  await wait(STAY_MS) // those who were dropped have heard of it
}
say({ stay: there.size })

async function come(attempt: number): Promise<void> {
  const localAddress = `127.2.${(attempt >> 8) & 255}.${attempt & 255}`
  const bytes = connect({ host, port: Number(port), localAddress })
  const pipe = stack(bytes, greet(randomBytes(16)))
  pipe.on('error', () => undefined).once('close', () => there.delete(pipe))
  pipe.resume().write(mostOfAHello())
  there.add(pipe)
  if (bytes.pending) await Promise.race([once(bytes, 'ready'), once(bytes, 'close')]).catch(() => 0)
}
