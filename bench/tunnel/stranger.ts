// Those without the key, at one server: each attempt is of the next sort, so many a second.
//
//   stranger.ts HOST PORT PER_SECOND SECONDS     says { attempts } when it is over
//
// Loopback, or the namespaces of the lab: they are aimed at nothing else.

import { randomBytes } from 'node:crypto'
import { type BytePipe, connect, greet, newSecret, stack, tlsClient } from 'striper'
import { say } from '../wan/ask.ts'

const [host = '127.0.0.1', port, perSecond, seconds] = process.argv.slice(2)
if (!/^(127\.|10\.77\.)/.test(host)) throw new RangeError(`${host} is not of this machine`)

const sorts: ((pipe: BytePipe) => void)[] = [
  () => undefined, // says nothing
  pipe => void pipe.write(randomBytes(64)),
  pipe =>
    void stack(pipe, greet(randomBytes(16)))
      .on('error', () => undefined)
      .write(randomBytes(4096)),
  pipe =>
    void stack(pipe, greet(randomBytes(16)), tlsClient({ key: newSecret() })).on(
      'error',
      () => undefined,
    ),
]

process.stdin.resume().once('end', () => process.exit())
const last = Number(perSecond) * Number(seconds)
let attempts = 0
const timer = setInterval(
  () => {
    const pipe = connect({ host, port: Number(port) })
    pipe.on('error', () => undefined)
    sorts[attempts % sorts.length]!(pipe)
    if (++attempts < last) return
    clearInterval(timer)
    say({ attempts })
  },
  1000 / Number(perSecond),
)
