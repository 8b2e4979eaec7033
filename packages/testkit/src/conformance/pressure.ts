// Rules 9, 10 and 11: what happens when a reader is slower than its writer, or stops.

import { expect } from 'vitest'
import type { Case, Scene } from './case.ts'
import { compare, largestMessage, largestUnit, source, units } from './content.ts'
import { closed, event, gather, quiet, readAll, watch, writeAll } from './tools.ts'

const MiB = 1024 * 1024

export const pressureCases: readonly Case[] = [
  {
    rule: 9,
    name: 'write() answers false to a writer whose reader has stopped; drain comes when it reads',
    async run(scene) {
      const { near, far } = scene
      await fill(scene)
      expect(near.writableNeedDrain, 'needs drain').toBe(true)
      far.resume()
      await event(near, 'drain')
      near.end()
      await event(far, 'end')
    },
  },
  {
    rule: 9,
    name: 'a reader that has paused gets nothing until it resumes',
    async run({ near, far }) {
      const sent = units(near, 41, MiB)
      const got = gather(far)
      far.pause()
      const read = async () => {
        await quiet(near, far)
        expect(got.length, 'units that came while it paused').toBe(0)
        far.resume()
        await event(far, 'end')
      }
      await Promise.all([read(), writeAll(near, sent)])
      compare(near.kind, sent, got)
    },
  },
  {
    rule: 9,
    name: 'the callback of every write is called, in order',
    async run({ near, far }) {
      const called: number[] = []
      const sent = units(near, 42, 500_000)
      far.resume()
      sent.forEach((unit, i) => near.write(unit, () => called.push(i)))
      near.end()
      await Promise.all([event(near, 'finish'), event(far, 'end')])
      expect(called).toEqual(sent.map((_, i) => i))
    },
  },
  {
    rule: 9,
    name: 'the callback of every write that destroy() cut short is called, with an error',
    async run(scene) {
      const { near } = scene
      await fill(scene)
      const failed = new Promise(resolve => near.write(source(43)(10), resolve))
      near.destroy()
      await closed(near)
      expect(await failed).toBeInstanceOf(Error)
    },
  },
  {
    rule: 10,
    name: 'a reader that stops its reading stops its writer within the bound, and loses nothing',
    async run(scene) {
      const { near, far } = scene
      const sent = await fill(scene)
      near.end()
      compare(near.kind, sent, await readAll(far))
    },
  },
  {
    rule: 10,
    name: 'a message that is longer than it may be fails its writer with ERR_PIPE_LIMIT',
    async run({ near }) {
      const most = largestMessage(near)
      if (most === undefined) return
      const { errors } = watch(near)
      near.write(Buffer.alloc(most + 1))
      await closed(near)
      expect(errors).toMatchObject([{ code: 'ERR_PIPE_LIMIT' }])
    },
  },
  {
    rule: 11,
    name: 'one direction is blocked while the other flows and ends',
    async run(scene) {
      const { near, far } = scene
      const up = await fill(scene)
      const down = units(far, 44, 2 * MiB)
      const [gotDown] = await Promise.all([readAll(near), writeAll(far, down)])
      compare(near.kind, down, gotDown)
      near.end()
      compare(near.kind, up, await readAll(far))
    },
  },
]

/** Writes, as a good writer does, to a far end that does not read, until nothing moves any more.
 *  Fails where more is accepted than the bound. What it wrote has waited somewhere on the way. */
async function fill({ near, far, maxBufferedBytes }: Scene): Promise<Buffer[]> {
  const sent: Buffer[] = []
  const next = source(45)
  const size = largestUnit(near)
  const most = Math.ceil(maxBufferedBytes / size)
  const more = () => {
    while (sent.length <= most && near.write(push(sent, next(size))));
  }
  near.on('drain', more)
  more()
  await quiet(near, far)
  near.off('drain', more)
  const bound = `units of ${size} bytes that wait, for a bound of ${maxBufferedBytes} bytes`
  expect(sent.length, bound).toBeLessThanOrEqual(most)
  return sent
}

function push(list: Buffer[], unit: Buffer): Buffer {
  list.push(unit)
  return unit
}
