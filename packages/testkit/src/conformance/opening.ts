// Rules 2 and 3: who owns a pipe, and how it opens.

import { type Codec, whole, WrapPipe, type Pipe } from '@striper/core'
import { expect } from 'vitest'
import type { Case } from './case.ts'
import { compare, units } from './content.ts'
import { allBelow, closed, event, readAll, watch, writeAll } from './tools.ts'

export const openingCases: readonly Case[] = [
  {
    rule: 2,
    name: 'somebody listens for the errors of each pipe below',
    run({ near }) {
      for (const pipe of allBelow(near)) {
        expect(pipe.listenerCount('error'), `listeners of ${pipe.label}`).toBeGreaterThan(0)
      }
      return Promise.resolve()
    },
  },
  {
    rule: 2,
    name: 'what is stacked on it carries the conversation, and closes with it',
    async run({ near, far }) {
      const [left, right] = [onTop(near), onTop(far)]
      const [up, down] = [units(near, 11, 200_000), units(far, 12, 200_000)]
      const [gotUp, gotDown] = await Promise.all([
        readAll(right),
        readAll(left),
        writeAll(left, up),
        writeAll(right, down),
        closed(left),
        closed(right),
      ])
      compare(near.kind, up, gotUp)
      compare(near.kind, down, gotDown)
      expect(near.closed && far.closed, 'the pipes below have closed').toBe(true)
    },
  },
  {
    rule: 2,
    name: 'a failure in its first tick reaches what is stacked on it',
    async run({ near }) {
      const top = onTop(near)
      const { errors } = watch(top)
      near.destroy(new Error('a failure of the test'))
      await closed(top)
      expect(errors.map(error => error.message)).toEqual([`${top.label}: a failure of the test`])
    },
  },
  {
    rule: 3,
    name: 'what is written before it is ready arrives, and ready comes once',
    async run({ near, far }) {
      const wasPending = near.pending
      const { events } = watch(near)
      const sent = units(near, 13, 100_000)
      for (const unit of sent) near.write(unit)
      near.end()
      compare(near.kind, sent, await readAll(far))
      expect(near.pending, 'still pending').toBe(false)
      expect(events.filter(name => name === 'ready')).toHaveLength(wasPending ? 1 : 0)
    },
  },
  {
    rule: 3,
    name: 'whoever hears ready may end at once',
    async run({ near, far }) {
      if (near.pending) await event(near, 'ready')
      near.end()
      expect(Buffer.concat(await readAll(far))).toHaveLength(0)
    },
  },
  {
    rule: 3,
    name: 'destroyed in its first tick it closes, and is never ready',
    async run({ near }) {
      const { events } = watch(near)
      near.destroy()
      await closed(near)
      expect(events).toEqual(['close'])
    },
  },
]

/** A layer that changes nothing, on a pipe of any kind. */
function onTop(pipe: Pipe): Pipe {
  const codec: Codec = {
    encode: unit => [whole(unit)],
    decode: (unit, give) => give(unit),
    finish: () => undefined,
  }
  const top = new WrapPipe(pipe, { kind: pipe.kind, label: `top(${pipe.label})`, codec })
  top.on('error', () => undefined)
  return top
}
