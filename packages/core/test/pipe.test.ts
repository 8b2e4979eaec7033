import net from 'node:net'
import {
  addressOf,
  describe,
  isPipe,
  labelOf,
  layer,
  memoryPair,
  PipeBase,
  PipeError,
  ready,
  stack,
  type Done,
} from '@striper/core'
import { expect, test } from 'vitest'

const same = (name: string) =>
  layer(name, () => ({
    encode: unit => [unit as Buffer],
    decode: (chunk, give) => give(chunk),
    finish: () => undefined,
  }))

test('stack() folds layers onto a pipe, the first one lowest', () => {
  const [base] = memoryPair()
  expect(stack(base)).toBe(base)
  const top = stack(base, same('a'), same('b'), same('c'), same('d'))
  expect(top.label).toBe(`d(c(b(a(${base.label}))))`)
  expect(top.below[0]!.below[0]!.below[0]!.below).toEqual([base])
})

test('describe() prints what a pipe stands on, a line each, with what it carried', async () => {
  const [near, far] = memoryPair()
  const top = same('top')(near)
  top.end('four')
  far.resume()
  await new Promise(resolve => far.once('end', resolve))
  expect(describe(top).split('\n')).toEqual([
    `top(${near.label})  bytes, 0 bytes in, 4 out`,
    `  ${near.label}  bytes, 0 bytes in, 4 out`,
  ])
})

test('addressOf() is that of the first endpoint below, or undefined', () => {
  const [near] = memoryPair()
  const top = stack(near, same('a'), same('b'))
  expect(addressOf(top)).toBe(undefined)
  const address = { local: '127.0.0.1:1', remote: '127.0.0.1:2' }
  Object.assign(near, { address })
  expect(addressOf(top)).toBe(address)
  expect(addressOf(near)).toBe(address)
})

test('labels are unlike each other, and a Duplex of any make has one', () => {
  const [near, far] = memoryPair()
  expect(near.label).not.toBe(far.label)
  expect(labelOf(near)).toBe(near.label)
  const socket = new net.Socket()
  expect(labelOf(socket)).toBe('socket')
  expect([isPipe(near), isPipe(socket)]).toEqual([true, false])
  socket.destroy()
})

/** A pipe that opens, or fails to, when it is told. */
class Door extends PipeBase<'bytes'> {
  opened!: Done
  constructor() {
    super({ kind: 'bytes', label: 'door' })
    this.on('error', () => undefined)
  }
  protected override open(done: Done): void {
    this.opened = done
  }
  protected override cancel(): void {
    // Not at once: a connect takes its time to be cancelled.
    setImmediate(() => this.opened())
  }
}

const turn = () => new Promise(setImmediate)

test('ready() resolves with the pipe when it opens, and at once where it is open', async () => {
  const door = new Door()
  await turn()
  expect(door.pending).toBe(true)
  const opened = ready(door)
  door.opened()
  expect(await opened).toBe(door)
  expect(door.pending).toBe(false)
  expect(await ready(door)).toBe(door)
})

test('ready() rejects with the failure, with an error of its own where there is none', async () => {
  const failing = new Door()
  await turn()
  const failed = ready(failing)
  failing.opened(new PipeError('ERR_PIPE_CONNECT', 'refused', { label: 'door' }))
  await expect(failed).rejects.toMatchObject({ code: 'ERR_PIPE_CONNECT' })

  const closing = new Door()
  await turn()
  const closed = ready(closing)
  closing.destroy()
  await expect(closed).rejects.toThrow('door: closed before it opened')
})

test('regression: ready() rejects for a pipe that closed before it was asked', async () => {
  const door = new Door()
  await turn()
  door.destroy()
  await new Promise(resolve => door.once('close', resolve))
  await expect(ready(door)).rejects.toThrow('door')
})

test('a message that is none is a TypeError where it is written', () => {
  const [near] = memoryPair('messages')
  expect(() => near.write('text')).toThrow(TypeError)
  expect(() => near.write(7)).toThrow(TypeError)
  expect(near.destroyed).toBe(false)
})

test('the counters count payload, and messages where there are any', async () => {
  const [near, far] = memoryPair('messages')
  far.resume()
  near.write([Buffer.alloc(3), Buffer.alloc(4)])
  near.end(Buffer.alloc(0))
  await new Promise(resolve => far.once('end', resolve))
  expect(near.stats).toEqual({ bytesIn: 0, bytesOut: 7, messagesIn: 0, messagesOut: 2 })
  expect(far.stats).toEqual({ bytesIn: 7, bytesOut: 0, messagesIn: 2, messagesOut: 0 })
})
