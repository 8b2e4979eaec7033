import { memoryPair, ready } from '@striper/core'
import { greet, GreetedPipe } from '@striper/trunk'
import { slices } from '@striper/testkit'
import { expect, test } from 'vitest'

const ID = Buffer.from('0123456789abcdef')
const GREETING = Buffer.concat([Buffer.from('STRIPER\x01'), ID])

async function greetedWith(...chunks: Buffer[]): Promise<[GreetedPipe, string]> {
  const [wire, below] = memoryPair()
  const pipe = new GreetedPipe(below)
  wire.on('error', () => undefined)
  for (const chunk of chunks) wire.write(chunk)
  wire.end()
  await ready(pipe)
  const got: Buffer[] = []
  pipe.on('data', (chunk: Buffer) => got.push(chunk))
  await new Promise(resolve => pipe.once('end', resolve))
  pipe.destroy()
  return [pipe, Buffer.concat(got).toString()]
}

test('a greeting is read wherever it is split, with or without what follows it', async () => {
  for (const after of ['', 'what follows']) {
    const all = Buffer.concat([GREETING, Buffer.from(after)])
    for (let at = 0; at <= all.length; at++) {
      const [pipe, rest] = await greetedWith(all.subarray(0, at), all.subarray(at))
      expect(pipe.session.equals(ID)).toBe(true)
      expect(rest).toBe(after)
    }
  }
})

test('a greeting is read byte by byte', async () => {
  const [left, right] = memoryPair()
  const near = greet(ID)(slices({ seed: 1, maxBytes: 1 })(left))
  const pipe = new GreetedPipe(right)
  near.write('hello')
  await ready(pipe)
  expect(pipe.session.equals(ID)).toBe(true)
  const text = await new Promise<string>(resolve => {
    let all = ''
    pipe.on('data', (chunk: Buffer) => (all += chunk.toString()).length === 5 && resolve(all))
  })
  expect(text).toBe('hello')
  for (const end of [near, pipe]) end.on('error', () => undefined).destroy()
})

test('before it is greeted, a pipe has no session to tell', () => {
  const [wire, below] = memoryPair()
  wire.on('error', () => undefined)
  const pipe = new GreetedPipe(below)
  expect(() => pipe.session).toThrow(TypeError)
  pipe.destroy()
})
