// The load, a process of its own: a client that connects to the head of the chain and drops what
// comes, and a target that the chain connects to, and that pours when it is told to. Neither is
// ours: plain sockets, and reads into one buffer, so that it costs little beside what it measures.
//
// It says { port } of the target. Each line on stdin is a Job. It says { done } with { bytes, ms }
// when all that was poured for one has come to the client.

import net, { type AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { say } from './say.ts'

/** For so long, or so many bytes and what one write has more. */
export type Amount = { readonly seconds: number } | { readonly bytes: number }

/** What to do: connect to a port, and then, one after the other, pour. */
export type Job = { readonly port: number } | Amount

/** What a job to pour came to. */
export interface Come {
  bytes: number
  ms: number
}

const CHUNK = Buffer.alloc(256 * 1024, 'x')
const HOST = '127.0.0.1'

process.on('SIGTERM', () => process.exit())
let target: net.Socket | undefined
let started = 0
let most = 0 // bytes to pour
let poured = 0
let come = 0
const server = net.createServer({ noDelay: true, highWaterMark: 2 * CHUNK.length }, socket => {
  socket.on('error', () => undefined).on('drain', pour)
  target = socket
  pour()
})
server.listen(0, HOST, () => say({ port: (server.address() as AddressInfo).port }))
createInterface({ input: process.stdin })
  .on('line', line => begin(JSON.parse(line) as Job))
  .once('close', () => process.exit())

function begin(job: Job): void {
  if ('port' in job) return connect(job.port)
  started = performance.now()
  poured = come = 0
  most = 'bytes' in job ? job.bytes : Infinity
  if ('seconds' in job) {
    setTimeout(() => {
      most = 0
      doneIfAllCame()
    }, job.seconds * 1000)
  }
  pour()
}

function pour(): void {
  while (target?.writable && poured < most) {
    poured += CHUNK.length
    if (!target.write(CHUNK)) return
  }
}

function connect(port: number): void {
  const callback = (count: number) => {
    come += count
    doneIfAllCame()
    return true
  }
  const onread = { buffer: Buffer.allocUnsafe(CHUNK.length), callback }
  const socket = net.connect({ host: HOST, port, noDelay: true, onread })
  socket.on('error', error => say({ failed: error.message }))
  socket.once('end', () => say({ failed: 'it ended' }))
}

function doneIfAllCame(): void {
  if (poured < most || come < poured) return
  say({ done: { bytes: come, ms: performance.now() - started } })
}
