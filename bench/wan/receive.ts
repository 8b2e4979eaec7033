// The receiving end: holds the conversations that the driver asks for, one after the other, and
// says what arrived when. It connects, and it is the one that breaks off when the time is over.

import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { type BytePipe, connect, frame, type Layer, reassemble, roundRobin, stack } from 'striper'
import { type StripePipe, trunk } from 'striper'
import { latency, rate } from '@striper/testkit/faults'
import { say } from '../lib/end.ts'
import { type Ask, BIN_MS, type How, type LaneAddress, type Pass, STEADY_S } from './ask.ts'
import { type Task, TASK_BYTES } from './ask.ts'
import { goodput } from './measure.ts'

const GAP_MS = 20
/** A gap that is worth a line in a trace. */
const TRACED_GAP_MS = 120
/** For the lanes to be at rest before a conversation begins. */
const REST_MS = 300
/** In front of the bytes of each parcel (docs/wire.md). */
const PARCEL_HEADER_BYTES = 9

/** Holds conversations until stdin ends. */
export async function receive(how: How): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const ask = JSON.parse(line) as Ask
    say({ pass: await converse(how, ask) })
  }
}

async function converse(how: How, ask: Ask): Promise<Pass> {
  const session = how === 'tcp' ? undefined : await lanesUp(how, ask)
  const started = performance.now()
  say({ started: ask.id })
  const { windowBytes } = ask
  const pipe = session
    ? stack(session, reassemble(windowBytes === undefined ? {} : { windowBytes }))
    : dial(ask.lanes[0]!, ask.port)
  const record = new Record(ask, started)
  pipe.on('data', (chunk: Buffer) => record.arrived(chunk.length))
  if (session) record.watch(session, pipe)
  pipe.on('error', error => console.error(`${how}: ${error.message}`))
  const closed = once(pipe, 'close')
  const over = setTimeout(() => {
    record.arrived(0) // ends the last gap; closing takes its own time
    pipe.destroy()
  }, ask.seconds * 1000)
  if (ask.reset && session) resetLane(session, ask.reset)

  const task: Task = { id: ask.id, answerBytes: ask.questions?.bytes ?? 0 }
  pipe.write(Buffer.from(JSON.stringify(task).padEnd(TASK_BYTES)))
  if (ask.questions) {
    await question(pipe, ask.questions, record.pass.answersMs)
    pipe.destroy()
  }
  await closed
  clearTimeout(over)
  if (process.env['TRACE']) console.error(`${how}, Mbit/s of each second: ${bySecond(record.pass)}`)
  return record.pass
}

/** Asks one question after the other, until there are enough or the pipe is destroyed. */
async function question(
  pipe: BytePipe,
  { bytes, count }: NonNullable<Ask['questions']>,
  answersMs: number[],
): Promise<void> {
  const text = Buffer.alloc(bytes, '?')
  await new Promise<void>(resolve => {
    let asked = 0
    let missing = 0
    const ask = () => {
      missing = bytes
      asked = performance.now()
      pipe.write(text)
    }
    pipe.on('data', (chunk: Buffer) => {
      missing -= chunk.length
      if (missing > 0) return
      answersMs.push(performance.now() - asked)
      if (answersMs.length < count) ask()
      else resolve()
    })
    pipe.once('close', resolve)
    ask()
  })
}

function bySecond(pass: Pass): string {
  const seconds = Array.from({ length: (pass.bins.length * BIN_MS) / 1000 }, (_, second) => second)
  return seconds.map(second => goodput(pass, second, second + 1).toFixed(1)).join(' ')
}

/** A session all of whose lanes are up and at rest. */
async function lanesUp(how: How, { lanes, port }: Ask): Promise<StripePipe> {
  const session = trunk({
    stripe: how === 'round-robin' ? { schedule: roundRobin } : {},
    lanes: lanes.map(lane => (greet: Layer) => stack(dial(lane, port), greet, frame())),
  })
  session.on('error', () => undefined) // whoever stacks on it says what it was
  while (session.lanes.length < lanes.length) await once(session, 'laneUp')
  await wait(REST_MS)
  return session
}

function dial({ host, from, faults }: LaneAddress, port: number): BytePipe {
  const tcp = connect({ host, port, ...(from ? { localAddress: from } : {}) })
  if (faults === undefined) return tcp
  const bytesPerSecond = (faults.rate * 1e6) / 8
  return stack(tcp, rate({ bytesPerSecond }), latency({ ms: faults.delay }))
}

function resetLane(session: StripePipe, { lane, at }: NonNullable<Ask['reset']>): void {
  const pipe = session.below[lane]
  setTimeout(() => pipe?.destroy(), at * 1000)
}

/** What arrived when. */
class Record {
  readonly pass: Pass
  readonly #started: number
  #last = 0

  constructor({ seconds }: Ask, started: number) {
    const bins = Array.from({ length: Math.ceil((seconds * 1000) / BIN_MS) }, () => 0)
    this.pass = { bins, gaps: [], answersMs: [] }
    this.#started = started
  }

  arrived(bytes: number): void {
    const at = performance.now() - this.#started
    const ms = at - this.#last
    if (ms > GAP_MS) this.pass.gaps.push({ at: this.#last, ms })
    if (ms > TRACED_GAP_MS && process.env['TRACE']) {
      console.error(`${(at / 1000).toFixed(2)} s: nothing arrived for ${ms.toFixed(0)} ms`)
    }
    this.#last = at
    const bin = Math.floor(at / BIN_MS)
    if (bin < this.pass.bins.length) this.pass.bins[bin]! += bytes
  }

  /** Watches what waits for order: what the stripe has delivered and `bytes` has not. */
  watch(session: StripePipe, bytes: BytePipe): void {
    const held = (this.pass.held = { peakBytes: 0, parcelBytes: 0 })
    // Behind the listener of the reassembly: it has taken the parcel when this one is called.
    session.on('data', () => {
      if (performance.now() - this.#started < STEADY_S * 1000) return
      const { bytesIn, messagesIn } = session.stats
      const payload = bytesIn - PARCEL_HEADER_BYTES * messagesIn
      held.parcelBytes = payload / messagesIn
      held.peakBytes = Math.max(held.peakBytes, payload - bytes.stats.bytesIn)
    })
  }
}
