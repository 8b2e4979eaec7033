// Whoever comes to a lane port with something else, or with a lane that lies: his connection or his
// session is over, nobody else notices, and nothing is left of him.

import { type BytePipe, memoryPair, type MessagePipe, stack } from '@striper/core'
import { frame } from '@striper/frame'
import { rng } from '@striper/testkit'
import { type Gatherer, greet } from '@striper/trunk'
import { expect, test, vi } from 'vitest'
import * as wire from '../../stripe/src/pure/wire.ts'
import { closed, exchange, joined, listening, type Scene } from './scene.ts'

const ID = Buffer.alloc(16, 9)
const OTHER = Buffer.alloc(16, 8)
const HELLO_TIMEOUT_MS = 50

/** A connection to a gatherer: our end, with bytes. */
function connection(gatherer: Gatherer): BytePipe {
  const [near, far] = memoryPair()
  near.on('error', () => undefined).resume()
  gatherer.accept(far)
  return near
}

/** A greeted lane to a gatherer, whose messages we write by hand. It hears what comes back. */
function lane(gatherer: Gatherer, session = ID): { lane: MessagePipe; heard: Buffer[] } {
  const [near, far] = memoryPair()
  gatherer.accept(far)
  const lane = stack(near, greet(session), frame())
  const heard: Buffer[] = []
  lane.on('error', () => undefined).on('data', (message: Buffer) => heard.push(message))
  return { lane, heard }
}

const hello = (more: Partial<wire.Hello> = {}) =>
  wire.encodeHello({ mayOpen: true, lane: 0, session: ID, limit: wire.INITIAL_CREDIT, ...more })
const parcel = (number: number, bytes: number) =>
  Buffer.concat([wire.encodeNumbered(wire.PARCEL, number), Buffer.alloc(bytes)])
const greeting = Buffer.concat([Buffer.from('STRIPER\x01'), ID])

/** A scene with a conversation that is on its way; `over` resolves when it has come to its end,
 *  whole, and nothing at all is left in the gatherer. */
async function bystander(): Promise<Scene & { over: () => Promise<void> }> {
  const stripe = { windowBytes: wire.INITIAL_CREDIT }
  const scene = joined({ gather: { helloTimeoutMs: HELLO_TIMEOUT_MS, stripe } })
  await scene.far
  return { ...scene, over: () => exchange(scene, 300_000) }
}

const strangers: Record<string, (pipe: BytePipe) => void> = {
  'an HTTP request': pipe => pipe.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  'a TLS hello': pipe => pipe.write(Buffer.from('16030100c8010000c40303', 'hex')),
  'half a greeting, and then nothing': pipe => pipe.write(greeting.subarray(0, 12)),
  'a greeting, and then nothing': pipe => pipe.write(greeting),
  'nothing at all': () => undefined,
  'an end': pipe => pipe.end(),
  'an end inside the greeting': pipe => pipe.end(greeting.subarray(0, 20)),
  'an end after the greeting': pipe => pipe.end(greeting),
  'a reset': pipe => pipe.destroy(),
  'a wrong version': pipe => pipe.write(Buffer.concat([Buffer.from('STRIPER\x02'), ID])),
  'a length of 2^32 - 1 after the greeting': pipe =>
    pipe.write(Buffer.concat([greeting, Buffer.alloc(4, 0xff), Buffer.alloc(1000)])),
  'a length that is allowed, and half of it': pipe =>
    pipe.write(Buffer.concat([greeting, Buffer.from([0, 0, 0, 30]), Buffer.alloc(15)])),
  'a message that is no HELLO': pipe =>
    pipe.write(Buffer.concat([greeting, Buffer.from([0, 0, 0, 1, wire.LEAVE])])),
  'an empty message': pipe => pipe.write(Buffer.concat([greeting, Buffer.alloc(4)])),
  'random bytes': pipe => pipe.write(rng(1).bytes(100_000)),
  'random bytes after a greeting': pipe =>
    pipe.write(Buffer.concat([greeting, rng(2).bytes(100_000)])),
}

test('strangers of every kind are closed, and a conversation beside them notices nothing', async () => {
  const { gatherer, over } = await bystander()
  const all = Object.entries(strangers).map(([name, speak]) => {
    const pipe = connection(gatherer)
    speak(pipe)
    return { name, gone: closed(pipe) }
  })
  for (const { gone } of all) await gone
  expect(gatherer.strangers).toBe(0)
  expect(gatherer.sessions).toHaveLength(1)
  await over()
})

for (const [name, speak] of Object.entries(strangers)) {
  test(`${name}: the connection is closed, and no session comes of it`, async () => {
    let opened = 0
    const { gatherer } = listening({
      helloTimeoutMs: HELLO_TIMEOUT_MS,
      onSession: () => opened++,
    })
    const pipe = connection(gatherer)
    expect(gatherer.strangers).toBe(1)
    speak(pipe)
    await closed(pipe)
    await new Promise(setImmediate)
    expect([gatherer.strangers, gatherer.sessions.length, opened]).toEqual([0, 0, 0])
  })
}

test('T12: a byte each 50 ms between greeting and HELLO makes nobody’s 10 s longer', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  try {
    const { gatherer } = listening()
    const pipe = connection(gatherer)
    const gone = closed(pipe)
    pipe.write(Buffer.concat([greeting, Buffer.from([0, 1, 0, 0])])) // a message of 64 KiB
    const drip = setInterval(() => pipe.write(Buffer.of(0)), 50)
    await vi.advanceTimersByTimeAsync(9_950)
    expect(gatherer.strangers).toBe(1)
    await vi.advanceTimersByTimeAsync(100)
    clearInterval(drip)
    await gone
    expect([gatherer.strangers, vi.getTimerCount()]).toEqual([0, 0])
  } finally {
    vi.useRealTimers()
  }
})

test('bytes that are no greeting are refused at the first that is wrong', async () => {
  for (let wrong = 0; wrong < 8; wrong++) {
    const { gatherer } = listening() // with ten seconds of patience: none of it is needed
    const pipe = connection(gatherer)
    pipe.write(greeting.subarray(0, wrong))
    for (let i = 0; i < 3; i++) await new Promise(setImmediate)
    expect(pipe.destroyed, `before byte ${wrong}`).toBe(false)
    pipe.write(Buffer.of(greeting[wrong]! ^ 1))
    await closed(pipe)
    expect(gatherer.strangers).toBe(0)
  }
})

test('a lane for a session that is not there is answered with a refusal, and closed', async () => {
  const { gatherer } = listening({ helloTimeoutMs: HELLO_TIMEOUT_MS })
  const { lane: refused, heard } = lane(gatherer)
  refused.write(hello({ mayOpen: false }))
  await closed(refused) // though this end never ends
  expect(heard.map(message => wire.decode(message))).toEqual([
    { type: wire.ABORT, code: wire.NO_SESSION, reason: '' },
  ])
  expect([gatherer.strangers, gatherer.sessions.length]).toEqual([0, 0])
})

test('a HELLO of another session than the greeting is refused', async () => {
  const { gatherer } = listening()
  const { lane: liar } = lane(gatherer, OTHER)
  liar.write(hello())
  await closed(liar)
  expect([gatherer.strangers, gatherer.sessions.length]).toEqual([0, 0])
})

test('a lane whose number is there already is refused, and the session lives', async () => {
  const { gatherer, far } = listening()
  const first = lane(gatherer)
  first.lane.write(hello())
  const session = await far
  const second = lane(gatherer)
  second.lane.write(hello())
  await closed(second.lane)
  expect(session.destroyed).toBe(false)
  expect(session.lanes.map(({ number }) => number)).toEqual([0])
  gatherer.destroy()
  await closed(session)
})

const breaches: Record<string, { code: string; messages: Buffer[] }> = {
  'a parcel beyond the credit': {
    code: 'ERR_PIPE_LIMIT',
    // What Node buffers for a reader counts as read: 16 of them.
    messages: Array.from({ length: 16 + 5 }, (_, number) => parcel(number, 64 * 1024)),
  },
  'a parcel numbered far beyond the first that is missing': {
    code: 'ERR_PIPE_LIMIT',
    messages: [parcel(wire.MAX_PARCELS_UNDER_WAY, 10)],
  },
  'an acknowledgement of what was never sent': {
    code: 'ERR_PIPE_PROTOCOL',
    messages: [wire.encodeAck({ floor: 1, limit: 0, lanes: [] })],
  },
  'an acknowledgement on a lane of more than it carried': {
    code: 'ERR_PIPE_PROTOCOL',
    messages: [
      wire.encodeAck({ floor: 0, limit: 0, lanes: [{ lane: 0, received: 1, delayMs: 0 }] }),
    ],
  },
  'a parcel after the end': {
    code: 'ERR_PIPE_PROTOCOL',
    messages: [wire.encodeNumbered(wire.END, 0), parcel(1, 10)],
  },
  'a message of no type': { code: 'ERR_PIPE_PROTOCOL', messages: [Buffer.of(0x99)] },
  'an empty message': { code: 'ERR_PIPE_PROTOCOL', messages: [Buffer.alloc(0)] },
  'a HELLO of another number': { code: 'ERR_PIPE_PROTOCOL', messages: [hello({ lane: 7 })] },
}

for (const [name, { code, messages }] of Object.entries(breaches)) {
  test(`${name} ends that session with ${code}, and no other`, async () => {
    const scene = await bystander()
    const { gatherer } = scene
    const { lane: liar, heard } = lane(gatherer)
    liar.on('end', () => liar.end())
    liar.write(hello())
    await new Promise(resolve => liar.once('data', resolve))
    const session = gatherer.sessions.find(each => each.session.equals(ID))!
    session.on('error', () => undefined) // and nobody reads it
    for (const message of messages) liar.write(message)
    await closed(session)
    expect(session.errored).toMatchObject({ code, label: session.label })
    await closed(liar)
    expect(heard.map(message => wire.decode(message).type)).toContain(wire.ABORT)
    expect(gatherer.sessions).toHaveLength(1)
    await scene.over()
  })
}
