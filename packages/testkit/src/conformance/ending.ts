// Rules 4 and 5: half-close, and what an end means.

import { isPipeError } from '@striper/core'
import { expect } from 'vitest'
import type { Case } from './case.ts'
import { compare, largestUnit, source, units } from './content.ts'
import { allBelow, closed, event, gather, quiet, readAll, watch, writeAll } from './tools.ts'

const MiB = 1024 * 1024

export const endingCases: readonly Case[] = [
  {
    rule: 4,
    name: 'an answer of some size comes through after end()',
    async run({ near, far }) {
      const [request, answer] = [units(near, 21, 1000), units(far, 22, MiB)]
      expect(near.allowHalfOpen && far.allowHalfOpen, 'allowHalfOpen').toBe(true)
      const got = gather(near)
      const [asked] = await Promise.all([readAll(far), writeAll(near, request)])
      await Promise.all([event(near, 'end'), writeAll(far, answer)])
      compare(near.kind, request, asked)
      compare(near.kind, answer, got)
    },
  },
  {
    rule: 4,
    name: 'what was accepted before end() goes first, whatever write() answered',
    async run({ near, far }) {
      const sent = units(near, 23, 2 * MiB)
      for (const unit of sent) near.write(unit)
      near.end()
      compare(near.kind, sent, await readAll(far))
    },
  },
  {
    rule: 4,
    name: 'finish does not come while what was accepted cannot go',
    async run({ near, far, maxBufferedBytes }) {
      const next = source(24)
      const size = largestUnit(near)
      const sent = Array.from({ length: Math.ceil(maxBufferedBytes / size) + 1 }, () => next(size))
      for (const unit of sent) near.write(unit)
      near.end()
      await quiet(near, far)
      expect(near.writableFinished, 'finished').toBe(false)
      const [got] = await Promise.all([readAll(far), event(near, 'finish')])
      compare(near.kind, sent, got)
    },
  },
  {
    rule: 4,
    name: 'end() both ways, without data, closes both and all that is below',
    async run({ near, far }) {
      near.resume().end()
      far.resume().end()
      await Promise.all([event(near, 'close'), event(far, 'close')])
      for (const pipe of [...allBelow(near), ...allBelow(far)]) {
        expect(pipe.closed, `${pipe.label} has closed`).toBe(true)
      }
    },
  },
  {
    rule: 5,
    name: 'end comes after all that was sent, and when the reader has read it',
    async run({ near, far }) {
      const sent = units(near, 25, 100_000)
      const { events } = watch(far)
      await writeAll(near, sent)
      await quiet(near, far)
      expect(events, 'before anything was read').not.toContain('end')
      const got = gather(far)
      far.on('data', () => expect(events, 'while data come').not.toContain('end'))
      await event(far, 'end')
      compare(near.kind, sent, got)
    },
  },
  {
    rule: 5,
    name: 'no end comes while the peer has not ended',
    async run({ near, far }) {
      const sent = units(near, 26, 100_000)
      const { events } = watch(far)
      const got = gather(far)
      await writeAll(near, sent, false)
      await quiet(near, far)
      expect(events).not.toContain('end')
      near.end()
      await event(far, 'end')
      compare(near.kind, sent, got)
    },
  },
  {
    rule: 5,
    name: 'an end inside a unit is an error, never an end',
    async run({ near, far }) {
      const [below] = near.below
      if (near.kind === 'bytes' || below?.kind !== 'bytes') return // has no units of its own below
      const { events, errors } = watch(far)
      far.resume()
      below.write(Buffer.from([0]))
      below.end()
      await closed(far)
      expect(events).not.toContain('end')
      expect(errors.map(isPipeError), 'a PipeError').toEqual([true])
    },
  },
]
