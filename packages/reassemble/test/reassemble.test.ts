import {
  type Borrower,
  type BytePipe,
  type Lender,
  memoryPair,
  type MessagePipe,
} from '@striper/core'
import { reassemble } from '@striper/reassemble'
import { rng } from '@striper/testkit'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { CREDIT, DATA, encodeHeader, END, INITIAL_CREDIT } from '../src/pure/wire.ts'
import { shuffle } from './shuffle.ts'

const WINDOW = 128 * 1024
const turn = () => new Promise(setImmediate)
const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await turn()
}
/** Everything up to the end; `toArray()` would destroy the pipe then. */
const readAll = async (pipe: BytePipe) => {
  const got: Buffer[] = []
  pipe.on('data', (chunk: Buffer) => got.push(chunk))
  await once(pipe, 'end')
  return Buffer.concat(got)
}
const closed = (pipe: BytePipe | MessagePipe) =>
  new Promise<void>(resolve => pipe.once('close', resolve))

/** A pipe, and the far end of what it stands on, by hand: messages go in, and are kept as they
 *  come. */
function byHand() {
  const [near, wire] = memoryPair('messages')
  const pipe = reassemble({ windowBytes: WINDOW })(near)
  const errors: Error[] = []
  const heard: Buffer[] = []
  pipe.on('error', error => errors.push(error))
  wire.on('error', () => undefined).on('data', (message: Buffer) => heard.push(message))
  const say = (type: number, offset: number, text: Buffer | string = '') =>
    wire.write(Buffer.concat([encodeHeader(type, offset), Buffer.from(text)]))
  const credits = () => heard.filter(each => each[0] === CREDIT).map(each => each.readUInt32BE(5))
  return { pipe, near, wire, errors, heard, say, credits }
}

const broken: [string, string, Buffer[]][] = [
  ['an empty message', 'ERR_PIPE_PROTOCOL', [Buffer.alloc(0)]],
  ['a message of no type', 'ERR_PIPE_PROTOCOL', [encodeHeader(99, 0)]],
  ['bytes twice', 'ERR_PIPE_PROTOCOL', [data(5, 'a'), data(5, 'a')]],
  ['an end twice', 'ERR_PIPE_PROTOCOL', [encodeHeader(END, 5), encodeHeader(END, 5)]],
  ['bytes beyond the end', 'ERR_PIPE_PROTOCOL', [encodeHeader(END, 5), data(9, 'a')]],
  ['bytes beyond the credit', 'ERR_PIPE_LIMIT', [data(WINDOW, 'a')]],
]

function data(offset: number, text: string): Buffer {
  return Buffer.concat([encodeHeader(DATA, offset), Buffer.from(text)])
}

for (const [what, code, messages] of broken) {
  test(`a peer that sends ${what} gets ${code}, and what is below is aborted`, async () => {
    const { pipe, wire, errors } = byHand()
    for (const message of messages) wire.write(message)
    await Promise.all([closed(pipe), closed(wire)])
    expect(errors).toMatchObject([{ code, label: pipe.label }])
    expect(wire.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
  })
}

test('the end of what is below, before its own, is ERR_PIPE_TRUNCATED and never an end', async () => {
  for (const messages of [[], [data(0, 'abc')], [data(3, 'd'), encodeHeader(END, 4)]]) {
    const { pipe, wire, errors } = byHand()
    let ended = false
    pipe.on('end', () => (ended = true)).resume()
    for (const message of messages) wire.write(message)
    wire.end()
    await closed(pipe)
    expect(errors).toMatchObject([{ code: 'ERR_PIPE_TRUNCATED' }])
    expect(ended).toBe(false)
  }
})

test('a window out of range is a RangeError at once', () => {
  for (const windowBytes of [INITIAL_CREDIT - 1, 2 ** 30 + 1, NaN]) {
    expect(() => reassemble({ windowBytes })).toThrow(RangeError)
  }
  expect(() => reassemble({ windowBytes: INITIAL_CREDIT })).not.toThrow()
})

test('credit flows as the reader reads, and no sooner', async () => {
  const { pipe, say, credits } = byHand()
  await turns(3)
  expect(credits(), 'the window, to begin with').toEqual([WINDOW])
  const chunk = Buffer.alloc(WINDOW / 8)
  for (let offset = 0; offset < WINDOW; offset += chunk.length) say(DATA, offset, chunk)
  await turns(20)
  const given = credits().at(-1)!
  pipe.resume()
  await turns(20)
  expect(credits().at(-1), 'when all is read').toBe(2 * WINDOW)
  expect(given, 'what Node buffers counts as read').toBeLessThanOrEqual(2 * WINDOW)
})

test('a writer waits for credit, and goes on when it comes', async () => {
  const { pipe, say, heard } = byHand()
  let written = false
  pipe.write(Buffer.alloc(INITIAL_CREDIT + 100), () => (written = true))
  await turns(20)
  const bytes = () =>
    heard.filter(each => each[0] === DATA).reduce((sum, each) => sum + each.length - 9, 0)
  expect([bytes(), written]).toEqual([INITIAL_CREDIT, false])
  say(CREDIT, INITIAL_CREDIT + 40)
  await turns(5)
  expect([bytes(), written]).toEqual([INITIAL_CREDIT + 40, false])
  say(CREDIT, INITIAL_CREDIT + 100)
  await turns(5)
  expect([bytes(), written]).toEqual([INITIAL_CREDIT + 100, true])
})

test('a reader that has stopped bounds what the far end may send, in any order of parcels', async () => {
  const [left, right] = memoryPair('messages')
  const writer = reassemble({ windowBytes: WINDOW })(shuffle(left, 3))
  const reader = reassemble({ windowBytes: WINDOW })(shuffle(right, 4))
  const sent: Buffer[] = []
  const chance = rng(5)
  const more = () => {
    do sent.push(chance.bytes(10_000))
    while (writer.write(sent.at(-1)) && sent.length < 200)
  }
  for (const end of [writer, reader]) end.on('error', () => undefined)
  writer.on('drain', more)
  more()
  await turns(200)
  // The window, what Node holds at either end, and the write that crosses that.
  const bound = WINDOW + 2 * 256 * 1024 + 2 * 10_000
  const total = sent.reduce((sum, each) => sum + each.length, 0)
  expect(total).toBeGreaterThan(WINDOW)
  expect(total).toBeLessThanOrEqual(bound)
  writer.off('drain', more)
  writer.end()
  const got = await readAll(reader)
  expect(got.equals(Buffer.concat(sent))).toBe(true)
  writer.destroy()
  reader.destroy()
})

for (const swapped of [false, true]) {
  test(`half-close, and a late answer${swapped ? ', ends swapped' : ''}`, async () => {
    const [left, right] = memoryPair('messages')
    const ends = [reassemble()(shuffle(left, 6)), reassemble()(shuffle(right, 7))] as const
    const [asks, answers] = swapped ? [ends[1], ends[0]] : ends
    const answer = readAll(asks)
    asks.end('what?')
    expect((await readAll(answers)).toString()).toBe('what?')
    await turns(10)
    expect(asks.destroyed).toBe(false)
    const text = rng(8).bytes(200_000)
    answers.end(text)
    expect((await answer).equals(text)).toBe(true)
    for (const end of ends) if (!end.closed) await once(end, 'close')
    expect([left.closed, right.closed]).toEqual([true, true])
  })
}

test('destroyed before its time, it takes what is below with it, and the far end hears', async () => {
  const { pipe, near, wire } = byHand()
  await once(pipe, 'ready')
  pipe.destroy()
  await Promise.all([closed(pipe), closed(wire)])
  expect(near.closed).toBe(true)
  expect(wire.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
})

test('what is on loan and waits for bytes before it goes back when the pipe is destroyed', async () => {
  const [near, wire] = memoryPair('messages')
  wire.on('error', () => undefined)
  let borrower: Borrower | undefined
  const lender = Object.assign(near, { lendTo: (to?: Borrower) => void (borrower = to) })
  const pipe = reassemble({ windowBytes: WINDOW })(lender)
  ;(pipe as unknown as Lender).lendTo({ borrow: () => expect.unreachable('nothing is in order') })
  const over: string[] = []
  // Too large for Buffer's pool: a small part of that would be copied.
  borrower!.borrow(data(5, 'x'.repeat(40_000)), {
    release: () => over.push('released'),
    keep: () => over.push('kept'),
  })
  await turns(3)
  expect(over, 'while it waits').toEqual([])
  pipe.destroy()
  await closed(pipe)
  expect(over).toEqual(['released'])
})
