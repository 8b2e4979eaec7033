// Rules 1 and 12: what arrives is what was sent, and stays so.

import { expect } from 'vitest'
import type { Case } from './case.ts'
import { compare, largestMessage, largestUnit, source, units } from './content.ts'
import { readAll, writeAll } from './tools.ts'

const MiB = 1024 * 1024

export const identityCases: readonly Case[] = [
  {
    rule: 1,
    name: 'much data goes both ways at once and arrives as it was sent',
    async run({ near, far }) {
      const [up, down] = [units(near, 1, 3 * MiB), units(far, 2, 3 * MiB)]
      const [gotUp, gotDown] = await Promise.all([
        readAll(far),
        readAll(near),
        writeAll(near, up),
        writeAll(far, down),
      ])
      compare(near.kind, up, gotUp)
      compare(near.kind, down, gotDown)
    },
  },
  {
    rule: 1,
    name: 'units of every odd size arrive, empty ones and the largest too',
    async run({ near, far }) {
      const most = largestMessage(near) ?? 300_000
      const sizes = [0, 1, 0, 0, 2, 3, 5, 7, 8, 9]
      for (let power = 16; power <= most; power *= 2) sizes.push(power - 1, power, power + 1)
      const next = source(3)
      const sent = [...sizes.filter(size => size <= most), most, 0].map(next)
      const [got] = await Promise.all([readAll(far), writeAll(near, sent)])
      compare(near.kind, sent, got)
    },
  },
  {
    rule: 1,
    name: 'a message that is written in pieces arrives whole',
    async run({ near, far }) {
      if (near.kind === 'bytes') return // has no messages
      const next = source(4)
      const sent = [[3, 5], [0], [7, 0, 1], [], [1000, 20_000, 3]].map(sizes => sizes.map(next))
      const whole = sent.map(pieces => Buffer.concat(pieces))
      const [got] = await Promise.all([readAll(far), writeAll(near, sent)])
      compare(near.kind, whole, got)
    },
  },
  {
    rule: 1,
    name: 'a reader that takes its time, by async iteration, gets all',
    async run({ near, far }) {
      const sent = units(near, 5, MiB)
      const got: Buffer[] = []
      const slowly = async () => {
        for await (const unit of far.iterator({ destroyOnReturn: false })) {
          got.push(unit as Buffer)
          await new Promise(setImmediate)
        }
      }
      await Promise.all([slowly(), writeAll(near, sent)])
      compare(near.kind, sent, got)
    },
  },
  {
    rule: 12,
    name: "the writer's buffers are not changed",
    async run({ near, far }) {
      const sent = units(near, 6, MiB)
      const before = sent.map(unit => Buffer.from(unit))
      const [got] = await Promise.all([readAll(far), writeAll(near, sent)])
      expect(got.length, 'what was got').toBeGreaterThan(0)
      compare('messages', before, sent)
    },
  },
  {
    rule: 12,
    name: 'what the reader got does not change later',
    async run({ near, far }) {
      const copies: Buffer[] = []
      far.on('data', (unit: Buffer) => copies.push(Buffer.from(unit)))
      const next = source(7)
      const sent = Array.from({ length: 64 }, () => next(largestUnit(near)))
      const [got] = await Promise.all([readAll(far), writeAll(near, sent)])
      compare('messages', copies, got)
    },
  },
]
