// The two relays in JavaScript: `serve bridge|pipe PORT:TARGET...`, on 127.0.0.1. On SIGUSR2 it
// collects garbage and prints what it has read, and how much of that was copied, in bytes.

import net, { type Socket } from 'node:net'
import { bridge, connect, listen, readStats } from 'striper'

const [kind, ...pairs] = process.argv.slice(2)
const host = '127.0.0.1'

for (const pair of pairs) {
  const [port, target] = pair.split(':').map(Number) as [number, number]
  if (kind === 'bridge') {
    void listen({ host, port }, pipe => void bridge(pipe, connect({ host, port: target })))
  } else {
    // As small as it is written everywhere, and half-open, so that both relays do the same.
    const options = { allowHalfOpen: true, noDelay: true }
    net.createServer(options, left => naive(left, target)).listen(port, host)
  }
}

function naive(left: Socket, target: number): void {
  const right = net.connect({ host, port: target, allowHalfOpen: true, noDelay: true })
  left.on('error', () => right.destroy())
  right.on('error', () => left.destroy())
  left.pipe(right)
  right.pipe(left)
}

process.on('SIGUSR2', () => {
  const collectGarbage = (globalThis as { gc?: () => void }).gc
  collectGarbage?.()
  // Twice, with a turn between: what a first collection finalizes a second one frees.
  setImmediate(() => {
    collectGarbage?.()
    const { bytes: read, copiedBytes: copied } = readStats()
    console.log(JSON.stringify(read > 0 ? { read, copied } : {}))
  })
})
