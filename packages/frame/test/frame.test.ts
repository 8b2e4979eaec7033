import { memoryPair, type BytePipe, type MessagePipe } from '@striper/core'
import { frame, FrameCodec } from '@striper/frame'
import { rng } from '@striper/testkit/faults'
import { expect, test } from 'vitest'

const MAX = 1000

/** A frame pipe over memory, with the bare wire at its far end. */
function onWire(maxMessageBytes = MAX): { pipe: MessagePipe; wire: BytePipe } {
  const [near, wire] = memoryPair()
  const pipe = frame({ maxMessageBytes })(near)
  for (const each of [pipe, wire]) each.on('error', () => undefined)
  return { pipe, wire }
}

/** What comes of a pipe: its messages, and how it closed. */
async function story(
  pipe: MessagePipe,
): Promise<{ got: Buffer[]; ended: boolean; error: unknown }> {
  const got: Buffer[] = []
  let ended = false
  pipe.on('data', (message: Buffer) => got.push(message)).on('end', () => (ended = true))
  pipe.end()
  await new Promise(resolve => pipe.once('close', resolve))
  return { got, ended, error: pipe.errored }
}

const header = (length: number) => Buffer.of(length >>> 24, length >>> 16, length >>> 8, length)

const sample = ['', 'one', '', 'two and a half', 'x'.repeat(300)].map(text => Buffer.from(text))
const sampleOnWire = Buffer.concat(sample.flatMap(each => [header(each.length), each]))

test('a message on the wire is its length in four bytes, big-endian, and itself', () => {
  const codec = new FrameCodec(100_000)
  const encoded = (message: Buffer) => Buffer.concat(codec.encode(message))
  expect(encoded(Buffer.from('abc'))).toEqual(Buffer.from('\0\0\0\x03abc'))
  expect(encoded(Buffer.alloc(0))).toEqual(Buffer.of(0, 0, 0, 0))
  expect(encoded(Buffer.alloc(0x1_02_03)).subarray(0, 4)).toEqual(Buffer.of(0, 1, 2, 3))
})

test('headers above go out with its own in one piece, what is behind them uncopied', () => {
  const large = Buffer.alloc(100, 'x')
  const small = Buffer.from('behind')
  const chunks = new FrameCodec(MAX).encode([Buffer.from('ab'), Buffer.from('c'), large, small])
  expect(chunks).toHaveLength(3)
  expect(chunks[0]).toEqual(Buffer.from('\0\0\0\x6dabc'))
  expect(chunks[1]).toBe(large)
  expect(chunks[2]).toBe(small)
})

test('a small message goes out in one piece, one that is not so small in two', () => {
  const codec = new FrameCodec(MAX)
  expect(codec.encode([Buffer.alloc(60), Buffer.alloc(4)])).toHaveLength(1)
  expect(codec.encode(Buffer.alloc(65))).toHaveLength(2)
})

test('messages come out the same wherever the wire is cut, once or twice', () => {
  const wire = sampleOnWire
  for (let one = 0; one <= wire.length; one++) {
    for (const two of [one, one + 1, one + 5, one + 100]) {
      const codec = new FrameCodec(MAX)
      const got: Buffer[] = []
      for (const [from, to] of [
        [0, one],
        [one, two],
        [two, wire.length],
      ]) {
        codec.decode(wire.subarray(from, to), message => got.push(message))
      }
      codec.finish()
      expect(got).toEqual(sample)
    }
  }
})

test('messages come out the same byte by byte', () => {
  const codec = new FrameCodec(MAX)
  const got: Buffer[] = []
  for (const byte of sampleOnWire) codec.decode(Buffer.of(byte), message => got.push(message))
  codec.finish()
  expect(got).toEqual(sample)
})

test('a message that lies in one chunk is a view of it', () => {
  const got: Buffer[] = []
  new FrameCodec(MAX).decode(sampleOnWire, message => got.push(message))
  expect(got[4]!.buffer).toBe(sampleOnWire.buffer)
})

test('a message of exactly the largest size passes', async () => {
  const { pipe, wire } = onWire()
  wire.write(header(MAX))
  wire.end(Buffer.alloc(MAX))
  wire.resume()
  const { got, ended, error } = await story(pipe)
  expect([got.length, got[0]!.length, ended, error]).toEqual([1, MAX, true, null])
})

test.each([MAX + 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff])(
  'a length of %d is ERR_PIPE_LIMIT before anything of it has come, after the messages before',
  async length => {
    const { pipe, wire } = onWire()
    wire.write(Buffer.concat([sampleOnWire, header(length)]))
    const { got, ended, error } = await story(pipe)
    expect(got).toEqual(sample)
    expect(ended).toBe(false)
    expect(error).toMatchObject({
      code: 'ERR_PIPE_LIMIT',
      message: `${pipe.label}: message of ${length} bytes, limit ${MAX}`,
    })
    expect(wire.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
  },
)

test.each([
  [1, 'its header'],
  [3, 'its header'],
  [4, '3 bytes'],
  [6, '1 bytes'],
])(
  'an end after %d bytes of a message is ERR_PIPE_TRUNCATED, %s missing',
  async (bytes, missing) => {
    const { pipe, wire } = onWire()
    wire.write(Buffer.concat([header(2), Buffer.from('ok')]))
    wire.end(Buffer.concat([header(3), Buffer.from('abc')]).subarray(0, bytes))
    const { got, ended, error } = await story(pipe)
    expect(got.map(String)).toEqual(['ok'])
    expect(ended).toBe(false)
    expect(error).toMatchObject({
      code: 'ERR_PIPE_TRUNCATED',
      sentence: `ended inside a message, ${missing} missing`,
    })
  },
)

test('seeded garbage ends in an end or a PipeError, and never in a throw', async () => {
  const chance = rng(17)
  const codes = new Set<unknown>()
  for (let run = 0; run < 300; run++) {
    const { pipe, wire } = onWire()
    for (let i = chance.integer(1, 6); i > 0; i--) {
      if (chance.chance(0.6)) wire.write(header(chance.integer(0, MAX + 10)))
      wire.write(chance.bytes(chance.integer(0, 50)))
    }
    wire.resume().end()
    const { error } = await story(pipe)
    codes.add((error as { code?: string } | null)?.code)
  }
  expect([...codes]).toEqual(expect.arrayContaining(['ERR_PIPE_LIMIT', 'ERR_PIPE_TRUNCATED']))
  expect(codes.size).toBeLessThanOrEqual(3) // the third is no error at all
})

test('a message that is too long fails its writer, and nothing of it goes out', async () => {
  const { pipe, wire } = onWire()
  const chunks: Buffer[] = []
  wire.on('data', (chunk: Buffer) => chunks.push(chunk))
  await new Promise(resolve => pipe.write(Buffer.from('ok'), resolve))
  await new Promise(setImmediate)
  const failed = new Promise(resolve => pipe.write([Buffer.alloc(MAX), Buffer.alloc(1)], resolve))
  expect(await failed).toMatchObject({
    code: 'ERR_PIPE_LIMIT',
    message: `${pipe.label}: message of ${MAX + 1} bytes, limit ${MAX}`,
  })
  await new Promise(resolve => setImmediate(resolve))
  expect(Buffer.concat(chunks)).toEqual(Buffer.concat([header(2), Buffer.from('ok')]))
  expect(wire.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
})

test('it says how large its messages may be', () => {
  const [one, two] = memoryPair()
  expect(frame()(one)).toMatchObject({
    maxMessageBytes: 513 * 1024,
    preferredMessageBytes: 513 * 1024,
  })
  expect(frame({ maxMessageBytes: 5 })(two)).toMatchObject({ maxMessageBytes: 5 })
})

test.each([0, -1, NaN, 16 * 1024 * 1024 + 1])('a limit of %d is a RangeError', maxMessageBytes => {
  expect(() => frame({ maxMessageBytes })).toThrow(RangeError)
})
