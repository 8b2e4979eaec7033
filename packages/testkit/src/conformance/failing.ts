// Rules 6, 7 and 8: aborts, failures, and the last that is heard of a pipe.

import { isPipeError, PipeError, type Pipe } from '@striper/core'
import { expect } from 'vitest'
import type { Case, Scene } from './case.ts'
import { compareBeginning, largestUnit, source, units } from './content.ts'
import { allBelow, closed, event, gather, quiet, readAll, watch, writeAll } from './tools.ts'

const MiB = 1024 * 1024

export const failingCases: readonly Case[] = [
  {
    rule: 6,
    name: 'destroy() on an idle pipe is an error to the peer, never an end',
    async run(scene) {
      scene.near.destroy()
      await hearsAbort(scene)
    },
  },
  {
    rule: 6,
    name: 'so is destroy(error), and the error stays with whoever gave it',
    async run(scene) {
      const { errors } = watch(scene.near)
      const reason = new Error('a reason of the test')
      scene.near.destroy(reason)
      await hearsAbort(scene)
      await closed(scene.near)
      expect(errors).toEqual([reason])
    },
  },
  {
    rule: 6,
    name: 'so is destroy() while data flow, and what has come is how it began',
    async run(scene) {
      const { near, far } = scene
      const next = source(31)
      const sent: Buffer[] = []
      const got = gather(far)
      near.write(keep(sent, next(largestUnit(near))))
      await event(far, 'data')
      while (near.write(keep(sent, next(largestUnit(near)))) && sent.length < 100);
      near.destroy()
      await hearsAbort(scene)
      compareBeginning(near.kind, sent, got)
    },
  },
  {
    rule: 6,
    name: 'so is destroy() while data wait for a reader that has stopped',
    async run(scene) {
      const { near, far } = scene
      await writeAll(near, units(near, 39, 100_000), false)
      await quiet(near, far)
      near.destroy()
      await hearsAbort(scene)
    },
  },
  {
    rule: 6,
    name: 'destroy() after an own end(): the peer has the end, and its writes fail',
    async run({ near, far }) {
      await Promise.all([readAll(far), writeAll(near, units(near, 32, 1000))])
      near.destroy()
      await failsToWrite(far)
    },
  },
  {
    rule: 6,
    name: "destroy() after the peer's end() is an error to the peer",
    async run(scene) {
      if (scene.abortIsSilent) return // and nothing is left to write
      const { near, far } = scene
      await Promise.all([readAll(near), writeAll(far, units(far, 33, 1000))])
      near.destroy()
      await hearsAbort(scene)
    },
  },
  {
    rule: 6,
    name: 'both ends may destroy at once',
    async run({ near, far }) {
      const watches = [watch(near), watch(far)]
      near.destroy()
      far.destroy()
      await Promise.all([closed(near), closed(far)])
      for (const { events } of watches) expect(events).not.toContain('end')
    },
  },
  {
    rule: 7,
    name: 'a failure at the bottom reaches the top, with its code and its cause',
    async run({ near, outlivesBelow }) {
      const bottom = allBelow(near).at(-1)
      if (bottom === undefined || outlivesBelow) return
      const { errors } = watch(near)
      const reason = new PipeError('ERR_PIPE_TIMEOUT', 'a failure of the test', { label: 'test' })
      bottom.destroy(reason)
      await closed(near)
      expect(errors.map(isPipeError), 'one PipeError').toEqual([true])
      expect(errors[0]).toMatchObject({ code: 'ERR_PIPE_TIMEOUT', label: near.label })
      expect(causes(errors[0]!)).toContain(reason)
    },
  },
  {
    rule: 7,
    name: 'destroy() takes with it all that is below',
    async run({ near }) {
      if (near.pending) await event(near, 'ready')
      near.destroy()
      await closed(near)
      for (const pipe of allBelow(near)) expect(pipe.closed, `${pipe.label} closed`).toBe(true)
    },
  },
  {
    rule: 8,
    name: 'a conversation without fault has no error, and one close, the last',
    async run({ near, far }) {
      const { events } = watch(near)
      const late = openAtClose(near)
      await Promise.all([
        readAll(far),
        readAll(near),
        writeAll(near, units(near, 34, 100_000)),
        writeAll(far, units(far, 35, 100_000)),
        closed(near),
      ])
      await quiet(near, far)
      expect(events.filter(name => name !== 'ready').sort()).toEqual(['close', 'end', 'finish'])
      expect(events.at(-1)).toBe('close')
      expect(late, 'open below when it closed').toEqual([])
    },
  },
  {
    rule: 8,
    name: 'destroyed twice, with two errors, it has one of them, and one close, the last',
    async run({ near, far }) {
      const { events, errors } = watch(near)
      const late = openAtClose(near)
      const got = gather(near)
      far.write(source(36)(largestUnit(far)))
      await event(near, 'data')
      const first = new Error('the first')
      near.destroy(first).destroy(new Error('the second'))
      const atDestroy = got.length
      await closed(near)
      await quiet(near, far)
      expect(errors).toEqual([first])
      expect(events.slice(-2)).toEqual(['error', 'close'])
      expect(late, 'open below when it closed').toEqual([])
      expect(got.length - atDestroy, 'data after destroy()').toBe(0)
    },
  },
  {
    rule: 8,
    name: 'the peer of an abort has one error at most, and one close, the last',
    async run({ near, far, abortIsSilent }) {
      const { events, errors } = watch(far)
      far.resume()
      for (const unit of units(far, 37, MiB)) far.write(unit)
      near.destroy()
      if (abortIsSilent) await failsToWrite(far)
      await closed(far)
      await quiet(near, far)
      expect(errors.length).toBeLessThanOrEqual(1)
      expect(events.filter(name => name === 'close')).toHaveLength(1)
      expect(events.at(-1)).toBe('close')
    },
  },
]

/** Resolves when the far end has heard of an abort: an error, no end, and then close. To be called
 *  in the tick of the abort. */
async function hearsAbort({ far, abortIsSilent }: Scene): Promise<void> {
  const { events, errors } = watch(far)
  far.resume()
  if (abortIsSilent) return failsToWrite(far)
  await closed(far)
  expect(events).not.toContain('end')
  expect(events.slice(-2)).toEqual(['error', 'close'])
  expect(errors[0]).toMatchObject({ name: 'PipeError', code: 'ERR_PIPE_RESET' })
}

/** Writes until a write fails, which it must; and then the pipe closes. */
async function failsToWrite(pipe: Pipe): Promise<void> {
  const { errors } = watch(pipe)
  const next = source(38)
  while (!pipe.destroyed) {
    pipe.write(next(1000))
    await new Promise(setImmediate)
  }
  await closed(pipe)
  expect(errors.map(isPipeError), 'one PipeError').toEqual([true])
}

/** What is still open below a pipe when it closes. */
function openAtClose(pipe: Pipe): string[] {
  const open: string[] = []
  pipe.once('close', () => {
    for (const below of allBelow(pipe)) if (!below.closed) open.push(below.label)
  })
  return open
}

function causes(error: Error): unknown[] {
  return error.cause instanceof Error ? [error.cause, ...causes(error.cause)] : []
}

function keep(list: Buffer[], unit: Buffer): Buffer {
  list.push(unit)
  return unit
}
