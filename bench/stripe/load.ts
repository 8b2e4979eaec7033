// The load, a process of its own: a target that pours as soon as somebody connects, and a client
// that connects to the head of the chain and drops what comes. Neither is ours: plain sockets, and
// reads into one buffer, so that it costs little beside what it measures.
//
// It says { port } of the target. Each line on stdin is a Job; it says { warm } when the warming up
// is over, and { done } at the end, both times { bytes, ms } since the job began.

import net, { type AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { say } from './say.ts'

/** What to do: download from a port for so long, or so many bytes. */
export interface Job {
  port: number
  warmMs: number
  /** After the warming up. */
  seconds?: number
  bytes?: number
}

/** How far a download has come. */
export interface Come {
  bytes: number
  ms: number
}

const CHUNK = Buffer.alloc(256 * 1024, 'x')
const HOST = '127.0.0.1'

process.on('SIGTERM', () => process.exit())
const server = net.createServer({ noDelay: true, highWaterMark: 2 * CHUNK.length }, socket => {
  const pour = () => {
    while (!socket.destroyed && socket.write(CHUNK));
  }
  socket.on('error', () => undefined).on('drain', pour)
  pour()
})
server.listen(0, HOST, () => say({ port: (server.address() as AddressInfo).port }))
createInterface({ input: process.stdin })
  .on('line', line => download(JSON.parse(line) as Job))
  .once('close', () => process.exit())

function download({ port, warmMs, seconds = Infinity, bytes = Infinity }: Job): void {
  const started = performance.now()
  let come = 0
  let warm: Come | undefined
  const callback = (count: number) => {
    come += count
    const ms = performance.now() - started
    if (warm === undefined) {
      if (ms < warmMs) return true
      warm = { bytes: come, ms }
      say({ warm })
    } else if (ms >= warm.ms + seconds * 1000 || come >= warm.bytes + bytes) {
      say({ done: { bytes: come, ms } })
      socket.destroy()
      return false
    }
    return true
  }
  const onread = { buffer: Buffer.allocUnsafe(CHUNK.length), callback }
  const socket = net.connect({ host: HOST, port, noDelay: true, onread })
  socket.on('error', error => say({ failed: error.message }))
  socket.once('end', () => say({ failed: 'it ended' }))
}
