// One end of a measurement in the lab: sends for a while, or receives and says what arrived when.
//
//   end.ts send tcp|striper|round-robin PORT SECONDS
//   end.ts recv tcp|striper|round-robin PORT SECONDS ADDRESS[,FROM]... [--window BYTES] [--each N]
//
// The receiver connects, from FROM where it is given, and with striper has a lane for each ADDRESS,FROM
// (or N of them). Before data flows all lanes are up. It prints one line of JSON: bytes in each 10 ms from
// the first byte on, and what the stripe says of its lanes.

import { parseArgs } from 'node:util'
import {
  type BytePipe,
  connect,
  frame,
  gather,
  listen,
  reassemble,
  roundRobin,
  soonest,
  stack,
  type StripePipe,
  trunk,
} from 'striper'

const BIN_MS = 10
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { window: { type: 'string' }, each: { type: 'string', default: '1' } },
})
const [role, how = '', portText, secondsText, ...addresses] = positionals
const port = Number(portText)
const seconds = Number(secondsText)
const layer = values.window ? { windowBytes: Number(values.window) } : {}
const schedule = how === 'round-robin' ? roundRobin : soonest

if (role === 'send') await send()
else await receive()

async function send(): Promise<void> {
  const gatherer = gather({
    layers: bytes => stack(bytes, frame()),
    stripe: { schedule },
    onSession: session => {
      const pipe = stack(session, reassemble(layer))
      pipe.on('close', () => process.stderr.write(JSON.stringify(session.stripeStats) + '\n'))
      pump(pipe, session)
    },
  })
  await listen({ port }, pipe => {
    if (how === 'tcp') pump(pipe)
    else gatherer.accept(pipe)
  })
}

/** Writes from the moment the far end says a word until the time is over. */
function pump(pipe: BytePipe, session?: StripePipe): void {
  const chunk = Buffer.alloc(64 * 1024, 'x')
  pipe.on('error', () => undefined)
  pipe.once('data', () => {
    const end = performance.now() + seconds * 1000
    const more = () => {
      while (performance.now() < end) if (!pipe.write(chunk)) return
      pipe.off('drain', more)
      pipe.end()
    }
    pipe.on('drain', more)
    more()
    if (process.env['TRACE'] && session) trace(session, end)
  })
}

function trace(session: StripePipe, end: number): void {
  const timer = setInterval(() => {
    const lanes = session.lanes.map(lane => {
      const rate = ((lane.rate ?? 0) * 8) / 1e6
      return `${lane.state.slice(0, 4)} ${rate.toFixed(1)}Mb ${(lane.rttMs ?? 0).toFixed(0)}ms ${lane.inFlight >> 10}/${lane.room >> 10}K c${lane.copiesOut}`
    })
    console.error(lanes.join(' | '), JSON.stringify(session.stripeStats))
    if (performance.now() > end) clearInterval(timer)
  }, Number(process.env['TRACE']))
}

async function receive(): Promise<void> {
  const pipe = how === 'tcp' ? plain() : await striped()
  pipe.write('go')
  const bins: number[] = []
  let first = 0
  let last = 0
  const gaps: { at: number; ms: number }[] = []
  pipe.on('data', (chunk: Buffer) => {
    const now = performance.now()
    first ||= now
    if (now - last > 50 && last > 0) gaps.push({ at: last - first, ms: now - last })
    last = now
    const bin = Math.floor((now - first) / BIN_MS)
    bins[bin] = (bins[bin] ?? 0) + chunk.length
  })
  await new Promise(resolve => pipe.once('end', resolve).once('error', resolve))
  pipe.end()
  console.log(JSON.stringify({ bins: Array.from(bins, bytes => bytes || 0), gaps }))
  process.exit(0)
}

function plain(): BytePipe {
  const [address = '', from] = (addresses[0] ?? '').split(',')
  const pipe = connect({ host: address, port, ...(from ? { localAddress: from } : {}) })
  return pipe
}

async function striped(): Promise<BytePipe> {
  const each = Array.from({ length: Number(values.each) }, () => addresses).flat()
  const pipe = trunk({
    stripe: { schedule },
    lanes: each.map(text => greet => {
      const [address = '', from] = text.split(',')
      const options = { host: address, port, ...(from ? { localAddress: from } : {}) }
      return stack(connect(options), greet, frame())
    }),
  })
  const bytes = stack(pipe, reassemble(layer))
  while (pipe.lanes.length < each.length) await new Promise(resolve => pipe.once('laneUp', resolve))
  await new Promise(resolve => setTimeout(resolve, 300))
  return bytes
}
