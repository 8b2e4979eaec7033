import { Duplex } from 'node:stream'
import {
  type Codec,
  isPipe,
  layer,
  memoryPair,
  type BytePipe,
  type Done,
  PipeBase,
  PipeError,
  WrapPipe,
} from '@striper/core'
import { expect, test } from 'vitest'

const same: Codec = {
  encode: unit => [unit as Buffer],
  decode: (chunk, give) => give(chunk),
  finish: () => undefined,
}
const over = (below: Duplex, codec: Partial<Codec> = {}): BytePipe => {
  const pipe = layer('over', () => ({ ...same, ...codec }))(below)
  pipe.on('error', () => undefined)
  return pipe
}
const event = (pipe: Duplex, name: string) => new Promise(resolve => pipe.once(name, resolve))
const turn = () => new Promise(setImmediate)

/** A Duplex of Node's whose writes are done when we say so, and whose reads are what we push. */
function foreign(): { duplex: Duplex; written: Buffer[]; release: () => void } {
  const written: Buffer[] = []
  const waiting: (() => void)[] = []
  const duplex = new Duplex({
    writableHighWaterMark: 10,
    allowHalfOpen: false,
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      written.push(chunk)
      waiting.push(done)
    },
  })
  return { duplex, written, release: () => waiting.splice(0).forEach(done => done()) }
}

test('a write that is too much for the pipe below is held until that has drained', async () => {
  const { duplex, written, release } = foreign()
  const pipe = over(duplex)
  const done: string[] = []
  await event(pipe, 'ready')
  pipe.write('little', () => done.push('little'))
  pipe.write('more than that', () => done.push('more'))
  pipe.write('the rest', () => done.push('rest'))
  await turn()
  expect(Buffer.concat(written).toString()).toBe('little')
  expect(done).toEqual(['little'])
  release() // of the first: the second still waits below
  await turn()
  expect(done).toEqual(['little'])
  release()
  await turn()
  expect(done).toEqual(['little', 'more', 'rest'])
  expect(Buffer.concat(written).toString()).toBe('littlemore than thatthe rest')
  pipe.destroy()
})

test('the callback of a write that is held gets an error when the pipe is destroyed', async () => {
  const { duplex } = foreign()
  const pipe = over(duplex)
  const failed = new Promise(resolve => pipe.write('much more than ten bytes', resolve))
  await turn()
  pipe.destroy()
  expect(await failed).toMatchObject({ code: 'ERR_PIPE_ABORTED', label: pipe.label })

  const failing = over(foreign().duplex)
  const reason = new Error('a reason')
  const told = new Promise(resolve => failing.write('much more than ten bytes', resolve))
  await turn()
  failing.destroy(reason)
  expect(await told).toBe(reason)
})

test('a foreign Duplex may not close the other direction by itself', () => {
  const { duplex } = foreign()
  over(duplex)
  expect(duplex.allowHalfOpen).toBe(true)
})

const bare = (below: Duplex) => new WrapPipe(below, { kind: 'bytes', label: 'bare' })

test.each([
  ['a codec', over],
  ['no codec', bare],
])(
  'with %s, a reader that has enough pauses what is below, until it reads again',
  async (_, on) => {
    const { duplex } = foreign()
    const pipe = on(duplex)
    expect(duplex.isPaused()).toBe(true)
    pipe.read(0)
    await turn()
    for (let i = 0; i < 40; i++) duplex.push(Buffer.alloc(10_000))
    await turn()
    expect(duplex.isPaused()).toBe(true)
    expect(pipe.readableLength).toBe(270_000) // 256 KiB, and the chunk that crossed it
    let bytes = 0
    pipe.on('data', (chunk: Buffer) => (bytes += chunk.length))
    duplex.push(null)
    await event(pipe, 'end')
    expect(bytes).toBe(400_000)
    pipe.destroy()
  },
)

test('a codec that fails in the middle of a chunk has given what came before', async () => {
  const [near, far] = memoryPair()
  const pipe = over(near, {
    decode: (chunk, give) => {
      for (const byte of chunk) {
        if (byte === 0) throw new PipeError('ERR_PIPE_PROTOCOL', 'a zero')
        give(Buffer.of(byte))
      }
    },
  })
  far.on('error', () => undefined)
  const got: number[] = []
  pipe.on('data', (unit: Buffer) => got.push(unit[0]!))
  far.write(Buffer.of(1, 2, 3, 0, 4))
  await event(pipe, 'close')
  expect(got).toEqual([1, 2, 3])
  expect(pipe.errored).toMatchObject({
    code: 'ERR_PIPE_PROTOCOL',
    message: `${pipe.label}: a zero`,
  })
  await turn()
  expect(far.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
})

test('a codec that throws something else is a failure of the pipe all the same', async () => {
  for (const codec of [
    { encode: () => fail('encode') },
    { decode: () => fail('decode') },
    { finish: () => fail('finish') },
  ]) {
    const [near, far] = memoryPair()
    far.on('error', () => undefined)
    const pipe = over(near, codec).resume()
    pipe.write('x')
    far.end('x')
    await event(pipe, 'close')
    expect(pipe.errored).toMatchObject({
      code: 'ERR_PIPE_CLOSED',
      label: pipe.label,
      cause: new Error(Object.keys(codec)[0]),
    })
  }
})

function fail(what: string): never {
  throw new Error(what)
}

test('a pipe below that closes without a word is ERR_PIPE_CLOSED above', async () => {
  const { duplex } = foreign()
  const pipe = over(duplex)
  duplex.destroy()
  await event(pipe, 'close')
  expect(pipe.errored).toMatchObject({
    code: 'ERR_PIPE_CLOSED',
    sentence: 'duplex closed before its end',
  })
})

test('regression: what is stacked on a pipe that has closed fails, and says why', async () => {
  const [near, far] = memoryPair()
  for (const each of [near, far]) each.on('error', () => undefined)
  near.destroy(new PipeError('ERR_PIPE_TIMEOUT', 'too late', { label: near.label }))
  await event(near, 'close')
  const pipe = over(near)
  await event(pipe, 'close')
  expect(pipe.errored).toMatchObject({ code: 'ERR_PIPE_TIMEOUT', label: pipe.label })

  const { duplex } = foreign()
  duplex.destroy()
  await event(duplex, 'close')
  const other = over(duplex)
  await event(other, 'close')
  expect(other.errored).toMatchObject({ code: 'ERR_PIPE_CLOSED' })

  const third = over(duplex)
  third.destroy()
  await event(third, 'close')
  expect(third.errored).toBe(null)
})

test('what is below may close when both its directions are done, before all is read', async () => {
  const [near, far] = memoryPair()
  const pipe = over(near)
  pipe.pause().end()
  far.resume().end('late')
  pipe.read(0)
  await event(near, 'close')
  expect(pipe.destroyed).toBe(false)
  const chunks = await pipe.toArray()
  expect(Buffer.concat(chunks as Buffer[]).toString()).toBe('late')
})

test('a foreign Duplex below is destroyed when both directions are done', async () => {
  const { duplex, release } = foreign()
  const pipe = over(duplex).resume()
  pipe.end()
  duplex.push(null)
  release()
  await event(pipe, 'close')
  expect(duplex.destroyed).toBe(true)
  expect(pipe.errored).toBe(null)
})

/** A pipe that is still connecting, until it is destroyed. */
class Connecting extends PipeBase<'bytes'> {
  #done: Done | undefined
  constructor() {
    super({ kind: 'bytes', label: 'connecting' })
  }
  protected override open(done: Done): void {
    this.#done = done
  }
  protected override cancel(): void {
    this.#done?.()
  }
}

test('destroy() while what is below connects cancels that, all the way down', async () => {
  const bottom = new Connecting()
  const middle = over(bottom)
  const top = over(middle)
  await turn()
  expect(top.pending).toBe(true)
  top.destroy()
  await event(top, 'close')
  expect([bottom.closed, middle.closed, top.closed]).toEqual([true, true, true])
  expect(top.errored).toBe(null)
})

test('a pipe whose lower pipe fails to open fails with it', async () => {
  const bottom = new Connecting()
  const top = over(bottom)
  await turn()
  bottom.destroy(new PipeError('ERR_PIPE_CONNECT', 'refused', { label: 'connecting' }))
  await event(top, 'close')
  expect(top.errored).toMatchObject({ code: 'ERR_PIPE_CONNECT', label: top.label })
})

class Leaving extends WrapPipe<'bytes'> {
  leave(): void {
    this.standAside()
  }
}

test('who stands aside leaves all to another, and still fails with what is below', async () => {
  const { duplex } = foreign()
  const first = new Leaving(duplex, { kind: 'bytes', label: 'first' })
  const failures: string[] = []
  first.on('error', error => failures.push(error.message))
  expect(() => over(duplex)).toThrow('duplex has an owner already')
  first.leave()
  const second = over(duplex)
  second.on('error', error => failures.push(error.message))
  const seen: string[] = []
  first.on('data', chunk => seen.push(`first ${chunk}`))
  second.on('data', chunk => seen.push(`second ${chunk}`))
  duplex.push('for one')
  await turn()
  expect(seen).toEqual(['second for one'])
  duplex.destroy(new Error('broken'))
  await event(second, 'close')
  expect([first.closed, failures]).toEqual([true, ['first: broken', 'over(duplex): broken']])
})

test('finish comes only after what is below has finished', async () => {
  const { duplex, release } = foreign()
  const pipe = over(duplex)
  pipe.end('four')
  await turn()
  expect(pipe.writableFinished).toBe(false)
  release()
  await event(pipe, 'finish')
  expect(duplex.writableFinished).toBe(true)
  pipe.destroy()
})

test('over a foreign Duplex it stands on nothing, over a pipe on that', () => {
  const [near] = memoryPair()
  expect(over(near).below).toEqual([near])
  const wrapped = new WrapPipe(foreign().duplex, { kind: 'bytes', label: 'x' })
  expect(wrapped.below).toEqual([])
  expect(isPipe(wrapped)).toBe(true)
})

test('regression: an end that meets a failure below tells of that failure, not of its own', async () => {
  const slowToClose = new Duplex({
    read: () => undefined,
    destroy: (error, done) => setImmediate(done, error),
  })
  const pipe = over(slowToClose)
  await turn()
  slowToClose.destroy(new PipeError('ERR_PIPE_RESET', 'the peer aborted', { label: 'below' }))
  pipe.end()
  await event(pipe, 'close')
  expect(pipe.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
})
