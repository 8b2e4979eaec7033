// The suite that defines a pipe is tested with pipes that are not: each breaks one rule, and a case
// of that rule must notice. At the end, every case must have noticed something.

import {
  type Codec,
  type Done,
  labelOf,
  layer,
  memoryPair,
  type Message,
  type Pipe,
  whole,
  WrapPipe,
} from '@striper/core'
import { FrameCodec } from '@striper/frame'
import { conformanceCases, corrupt, end, type MakePair, runCase } from '@striper/testkit'
import { expect, test } from 'vitest'

const noticed = new Set<string>()

function wrong(rule: number, what: string, makePair: MakePair): void {
  test(`rule ${rule} is broken by a pipe that ${what}`, async () => {
    const failures: string[] = []
    for (const each of conformanceCases.filter(each => each.rule === rule)) {
      const options = { limitMs: 400, maxBufferedBytes: 4 * 1024 * 1024 }
      await runCase(each, makePair, options).catch(() => failures.push(each.name))
    }
    expect(failures).not.toEqual([])
    for (const name of failures) noticed.add(name)
  })
}

/** A layer that does everything right, to be made wrong in one thing. */
class Layer extends WrapPipe<'bytes'> {
  constructor(below: Pipe) {
    super(below, { kind: 'bytes', label: `wrong(${labelOf(below)})` })
  }
}

function over(make: (below: Pipe<'bytes'>) => Pipe): MakePair {
  return () => {
    const [left, right] = memoryPair()
    return [make(left), make(right)]
  }
}

function overMessages(codec: () => Partial<Codec>, kind: 'messages' | 'parcels' = 'messages') {
  return (): [Pipe, Pipe] => {
    const [left, right] = memoryPair(kind)
    return [messageLayer(left, kind, codec()), messageLayer(right, kind, codec())]
  }
}

function messageLayer(below: Pipe, kind: 'messages' | 'parcels', codec: Partial<Codec>): Pipe {
  const right: Codec = {
    encode: unit => [whole(unit)],
    decode: (unit, give) => give(unit),
    finish: () => undefined,
  }
  const pipe = new WrapPipe(below, { kind, label: 'wrong', codec: { ...right, ...codec } })
  return Object.assign(pipe, { maxMessageBytes: 1000, preferredMessageBytes: 1000 })
}

/** A codec of bytes, wrong only in what is given. */
function coded(codec: () => Partial<Codec>): MakePair {
  return over(
    layer('wrong', () => ({
      encode: unit => [whole(unit)],
      decode: (chunk, give) => give(chunk),
      finish: () => undefined,
      ...codec(),
    })),
  )
}

wrong(1, 'flips a bit now and then', over(corrupt({ seed: 1, everyBytes: 100_000 })))

wrong(
  1,
  'drops empty messages',
  overMessages(() => ({ decode: (unit, give) => unit.length > 0 && give(unit) })),
)

wrong(
  1,
  'takes pieces for messages',
  overMessages(() => ({ encode: unit => (Array.isArray(unit) ? unit : [unit]) as Buffer[] })),
)

wrong(
  1,
  'delivers a parcel twice',
  overMessages(() => {
    let count = 0
    return {
      decode: (unit, give) => {
        give(unit)
        if (++count === 20) give(unit)
      },
    }
  }, 'parcels'),
)

class Forgetful extends Layer {
  protected override receive(chunk: Buffer): void {
    if (this.readableLength < 100_000) super.receive(chunk)
  }
}
wrong(
  1,
  'drops what a slow reader has no room for',
  over(below => new Forgetful(below)),
)

class Deaf extends Layer {
  constructor(below: Pipe) {
    super(below)
    below.removeAllListeners('error')
    process.nextTick(() => below.on('error', () => undefined)) // or it would kill this test
  }
}
wrong(
  2,
  'listens to no errors from below',
  over(below => new Deaf(below)),
)

class Undying extends Layer {
  override _destroy(error: Error | null, done: Done): void {
    if (error) super._destroy(error, done)
  }
}
for (const rule of [2, 4]) {
  wrong(
    rule,
    'never closes',
    over(below => new Undying(below)),
  )
}

class Swallower extends Layer {
  override destroy(): this {
    return super.destroy()
  }
}
wrong(
  2,
  'keeps its errors to itself',
  over(below => new Swallower(below)),
)

class Hasty extends Layer {
  override write(unit: Message, ...rest: unknown[]): boolean {
    return this.pending ? true : super.write(unit, ...rest)
  }
}
wrong(
  3,
  'loses what is written before it is ready',
  over(below => new Hasty(below)),
)

class Insistent extends Layer {
  constructor(below: Pipe) {
    super(below)
    this.once('ready', () => queueMicrotask(() => this.emit('ready')))
  }
}
wrong(
  3,
  'is ready twice',
  over(below => new Insistent(below)),
)

class Shy extends Layer {
  protected override open(done: Done): void {
    if (this.destroyed) done()
  }
}
wrong(
  3,
  'is never ready',
  over(below => new Shy(below)),
)

class Eager extends Layer {
  override destroy(error?: Error): this {
    if (this.pending) this.emit('ready')
    return super.destroy(error)
  }
}
wrong(
  3,
  'says that it is ready when it is destroyed',
  over(below => new Eager(below)),
)

class Hanger extends Layer {
  constructor(below: Pipe) {
    super(below)
    this.once('end', () => this.end())
  }
}
wrong(
  4,
  'ends when its peer ends',
  over(below => new Hanger(below)),
)

class Curt extends Layer {
  override end(): this {
    this.lower.end()
    return super.end()
  }
}
wrong(
  4,
  'does not wait, at end(), for what it has accepted',
  over(below => new Curt(below)),
)

class Boaster extends Layer {
  protected override send(chunks: readonly Buffer[], done: Done): void {
    for (const chunk of chunks) this.lower.write(chunk)
    done()
  }
  override _final(done: Done): void {
    this.lower.end()
    done()
  }
}
wrong(
  4,
  'finishes before what is below has',
  over(below => new Boaster(below)),
)
wrong(
  10,
  'passes on whatever it is given, however full it is below',
  over(below => new Boaster(below)),
)

wrong(5, 'ends before all has come', over(end({ afterBytes: 50_000 })))
wrong(5, 'ends while its peer has not', over(end({ afterBytes: 100_000 })))

class Forgiving extends FrameCodec {
  override finish(): void {
    // Does not mind an end inside a message.
  }
}
wrong(
  5,
  'takes an end inside a unit for an end',
  over(below => {
    const codec = new Forgiving(1000)
    const pipe = new WrapPipe(below, { kind: 'messages', label: 'wrong', codec })
    return Object.assign(pipe, { maxMessageBytes: 1000, preferredMessageBytes: 1000 })
  }),
)

class Polite extends Layer {
  protected override abortLower(): void {
    this.lower.end()
  }
}
wrong(
  6,
  'aborts with an end',
  over(below => new Polite(below)),
)

class Vague extends Layer {
  protected override explain(): never {
    return new Error('something failed') as never
  }
}
wrong(
  7,
  'does not say what failed',
  over(below => new Vague(below)),
)

class Careless extends Layer {
  override _destroy(error: Error | null, done: Done): void {
    done(error)
  }
}
wrong(
  7,
  'leaves what is below open',
  over(below => new Careless(below)),
)

class Echo extends Layer {
  constructor(below: Pipe, name: 'close' | 'error') {
    super(below)
    this.once(name, error => setImmediate(() => this.emit(name, error)))
  }
}
wrong(
  8,
  'closes twice',
  over(below => new Echo(below, 'close')),
)
wrong(
  8,
  'fails twice',
  over(below => new Echo(below, 'error')),
)
wrong(
  8,
  'closes before what is below has',
  over(below => new Careless(below)),
)

class Optimist extends Layer {
  override write(unit: Message, ...rest: unknown[]): boolean {
    super.write(unit, ...rest)
    return true
  }
}
wrong(
  9,
  'never says that it is full',
  over(below => new Optimist(below)),
)

class Talker extends Layer {
  protected override receive(chunk: Buffer): void {
    this.emit('data', chunk)
  }
  protected override finish(): void {
    this.emit('end')
  }
  override _construct(done: Done): void {
    super._construct(done)
    this.lower.resume()
  }
}
wrong(
  9,
  'gives data to a reader that has paused',
  over(below => new Talker(below)),
)

class Silent extends Layer {
  override write(unit: Message): boolean {
    return super.write(unit)
  }
}
wrong(
  9,
  'calls no callback of a write',
  over(below => new Silent(below)),
)

wrong(
  10,
  'takes messages of any size',
  overMessages(() => ({})),
)

class OneWay extends Layer {
  protected override send(chunks: readonly Buffer[], done: Done): void {
    if (this.writableLength > 100_000 && !this.lower.isPaused()) this.lower.pause()
    super.send(chunks, done)
  }
  override _read(): void {
    if (this.writableLength <= 100_000) super._read()
  }
}
wrong(
  11,
  'does not read while it cannot write',
  over(below => new OneWay(below)),
)

const invert = (chunk: Buffer) => {
  for (let i = 0; i < chunk.length; i++) chunk[i]! ^= 0xff
  return chunk
}
wrong(
  12,
  'works in the buffers of its writer',
  coded(() => ({
    encode: unit => [invert(whole(unit))],
    decode: (chunk, give) => give(invert(Buffer.from(chunk))),
  })),
)

wrong(
  12,
  'reads into the buffer that it has given away',
  coded(() => {
    const room = Buffer.alloc(65536)
    return {
      decode: (chunk, give) => {
        chunk.copy(room)
        give(room.subarray(0, chunk.length))
      },
    }
  }),
)

test('every case of the suite has noticed a pipe that breaks its rule', () => {
  const blind = conformanceCases.filter(each => !noticed.has(each.name))
  expect(blind.map(each => `rule ${each.rule}: ${each.name}`)).toEqual([])
})
