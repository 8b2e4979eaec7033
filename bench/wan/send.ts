// The sending end: listens, and sends or answers as each conversation asks (ask.ts, Task).

import { ByteQueue, type BytePipe, frame, gather, listen, reassemble, roundRobin } from 'striper'
import { type LaneStats, stack, type StripePipe } from 'striper'
import { say } from '../lib/end.ts'
import { type How, STEADY_S, type Task, TASK_BYTES } from './ask.ts'

const CHUNK = Buffer.alloc(64 * 1024, 'x')

/** Serves from now on, and tells the driver the port. */
export async function send(how: How, host: string): Promise<void> {
  process.stdin.resume()
  const gatherer = gather({
    layers: bytes => stack(bytes, frame()),
    stripe: how === 'round-robin' ? { schedule: roundRobin } : {},
    onSession: session => serve(how, stack(session, reassemble()), session),
  })
  const server = await listen({ host, port: 0 }, pipe => {
    if (how === 'tcp') serve(how, pipe)
    else gatherer.accept(pipe)
  })
  say({ port: server.port })
}

/** Does what the first bytes ask, until the receiver breaks it off. */
function serve(how: How, pipe: BytePipe, session?: StripePipe): void {
  const queue = new ByteQueue()
  let task: Task | undefined
  pipe.on('error', () => undefined) // that is how it is broken off
  pipe.on('data', (chunk: Buffer) => {
    queue.push(chunk)
    if (task === undefined) {
      if (queue.length < TASK_BYTES) return
      task = JSON.parse(queue.take(TASK_BYTES).toString()) as Task
      account(task, pipe, session)
      if (session) traceFrom(how, session)
      if (task.answerBytes === 0) pump(pipe)
    }
    const { answerBytes } = task
    while (answerBytes > 0 && queue.length >= answerBytes) pipe.write(queue.take(answerBytes))
  })
}

function pump(pipe: BytePipe): void {
  const more = () => {
    while (!pipe.destroyed) if (!pipe.write(CHUNK)) return
  }
  pipe.on('drain', more)
  more()
}

/** Tells the driver when the conversation is over, and what it cost in the steady state. */
function account({ id }: Task, pipe: BytePipe, session?: StripePipe): void {
  let before = figures(session)
  const timer = setTimeout(() => (before = figures(session)), STEADY_S * 1000)
  pipe.once('close', () => {
    clearTimeout(timer)
    const after = figures(session)
    const bytes = after.bytes - before.bytes
    const copiedBytes = after.copiedBytes - before.copiedBytes
    say({ [`over ${id}`]: session ? { bytes, copiedBytes } : null })
  })
}

function figures(session?: StripePipe) {
  return {
    bytes: session?.stats.bytesOut ?? 0,
    copiedBytes: session?.stripeStats.copiedBytes ?? 0,
  }
}

/** With TRACE=ms: what becomes of the lanes, from now on. */
function traceFrom(how: How, session: StripePipe): void {
  const everyMs = Number(process.env['TRACE'] ?? 0)
  if (!(everyMs > 0)) return
  const started = performance.now()
  const timer = setInterval(() => {
    const at = ((performance.now() - started) / 1000).toFixed(2)
    const lanes = session.lanes.map(inWords).join(' | ')
    console.error(`${how} ${at} s: ${lanes} ${JSON.stringify(session.stripeStats)}`)
  }, everyMs)
  session.once('close', () => clearInterval(timer))
}

/** Number, state, rate, round trip, in flight of room, copies that went by it. */
function inWords(lane: LaneStats): string {
  const { number, state, rate = 0, rttMs = 0, inFlight, room, copiesOut } = lane
  const megabits = ((rate * 8) / 1e6).toFixed(1)
  const kib = `${inFlight >> 10}/${room >> 10}K`
  return `${number} ${state.slice(0, 4)} ${megabits}Mb ${rttMs.toFixed(0)}ms ${kib} c${copiesOut}`
}
