// The load: clients before a relay and targets behind it, in a process of their own. Hears jobs and
// says what came of them, a line of JSON each.

import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { createInterface } from 'node:readline'

/** What the clients are to do, through a port of the relay. */
export type Job =
  /** Send as much as goes, over so many conversations, to the sink; or so many bytes. */
  | {
      do: 'bulk'
      port: number
      conversations: number
      seconds: number
      bytes?: number | undefined
    }
  /** 64 bytes there and back, every 2 ms, one at a time. */
  | { do: 'ping'; port: number; seconds: number }
  /** 512 bytes there and back, one after the other, over so many conversations. */
  | { do: 'ask'; port: number; conversations: number; seconds: number }
  /** Open, hear the target's end, end: one after the other, so many at once. */
  | { do: 'open'; port: number; atOnce: number; seconds: number }
  /** Open so many conversations, a byte there and back over each, and keep them. */
  | { do: 'idle'; port: number; conversations: number }
  | { do: 'let go' }

/** Answers of a job, in ms. */
export type Times = readonly number[]
/** Something counted, and the time that it took. */
export interface Count {
  count: number
  seconds: number
}

const host = '127.0.0.1'
const CHUNK = Buffer.alloc(128 * 1024, 'striper')
const PING_BYTES = 64
const PING_EVERY_MS = 2
const ASK_BYTES = 512
const OPEN_AT_ONCE = 100
const kept: Socket[] = []
let arrived = 0 // bytes, in the sink

void main()

async function main(): Promise<void> {
  const ports = {
    sink: await target(socket => socket.on('data', (chunk: Buffer) => (arrived += chunk.length))),
    echo: await target(socket => socket.pipe(socket)),
    greet: await target(socket => socket.resume().end('.')),
  }
  say({ ports })
  createInterface({ input: process.stdin }).on('line', line => {
    const job = JSON.parse(line) as Job
    work(job).then(
      result => say({ [job.do]: result }),
      (error: unknown) => say({ [job.do]: { failed: String(error) } }),
    )
  })
}

async function work(job: Job): Promise<unknown> {
  switch (job.do) {
    case 'bulk':
      return bulk(job)
    case 'ping':
      return converse(job.port, PING_BYTES, job.seconds, PING_EVERY_MS)
    case 'ask': {
      const each = () => converse(job.port, ASK_BYTES, job.seconds, 0)
      return (await Promise.all(Array.from({ length: job.conversations }, each))).flat()
    }
    case 'open':
      return openMany(job)
    case 'idle':
      return idle(job)
    case 'let go':
      for (const socket of kept.splice(0)) socket.destroy()
      return 0
  }
}

async function bulk(job: Job & { do: 'bulk' }): Promise<Count> {
  const { port, conversations, seconds, bytes } = job
  const open = Array.from({ length: conversations }, () => opened(port))
  const sockets = await Promise.all(open)
  const [from, started] = [arrived, performance.now()]
  for (const socket of sockets) {
    const more = () => {
      while (socket.write(CHUNK));
    }
    socket.on('drain', more)
    more()
  }
  if (bytes === undefined) await pause(seconds * 1000)
  else while (arrived - from < bytes) await pause(10)
  const count = arrived - from
  const took = (performance.now() - started) / 1000
  for (const socket of sockets) socket.destroy()
  return { count, seconds: took }
}

/** One conversation of questions and answers of so many bytes; how long each answer took, in ms. */
async function converse(
  port: number,
  bytes: number,
  seconds: number,
  everyMs: number,
): Promise<number[]> {
  const socket = await opened(port)
  const question = Buffer.alloc(bytes, 'ask')
  const took: number[] = []
  const until = performance.now() + seconds * 1000
  await new Promise<void>((resolve, reject) => {
    let asked = 0
    let missing = 0
    const ask = () => {
      asked = performance.now()
      missing = bytes
      socket.write(question)
    }
    socket.on('data', (chunk: Buffer) => {
      missing -= chunk.length
      if (missing > 0) return
      const now = performance.now()
      took.push(now - asked)
      if (now >= until) resolve()
      else if (everyMs > 0) setTimeout(ask, everyMs)
      else ask()
    })
    socket.once('error', reject).once('end', () => reject(new Error('ended')))
    ask()
  })
  socket.destroy()
  return took
}

async function openMany({ port, atOnce, seconds }: Job & { do: 'open' }): Promise<Count> {
  const started = performance.now()
  const until = started + seconds * 1000
  let count = 0
  const worker = async () => {
    while (performance.now() < until) {
      const socket = net.connect({ host, port, allowHalfOpen: true })
      await once(socket.resume(), 'end')
      socket.end()
      await once(socket, 'close')
      count++
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return { count, seconds: (performance.now() - started) / 1000 }
}

async function idle({ port, conversations }: Job & { do: 'idle' }): Promise<number> {
  while (kept.length < conversations) {
    const count = Math.min(OPEN_AT_ONCE, conversations - kept.length)
    const sockets = await Promise.all(Array.from({ length: count }, () => opened(port)))
    await Promise.all(
      sockets.map(socket => {
        socket.write('.')
        return once(socket, 'data')
      }),
    )
    kept.push(...sockets)
  }
  return kept.length
}

async function opened(port: number): Promise<Socket> {
  const socket = net.connect({ host, port, noDelay: true })
  await once(socket, 'connect')
  socket.on('error', () => undefined)
  return socket
}

async function target(onConnection: (socket: Socket) => void): Promise<number> {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    socket.on('error', () => undefined)
    socket.on('end', () => socket.end())
    onConnection(socket)
  })
  server.listen({ port: 0, host, backlog: 4096 })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

function say(what: object): void {
  process.stdout.write(JSON.stringify(what) + '\n')
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
