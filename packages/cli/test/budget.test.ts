// What a server takes of the system, and how often it says what a stranger causes.

import { LEAST_WINDOW_BYTES } from 'striper'
import { expect, test } from 'vitest'
import type { ClientSettings, ServerSettings } from '../src/settings.ts'
import { budgetOf, channelsOf } from '../src/tunnel/budget.ts'
import { CHANNEL_BYTES, divided, Shares } from '../src/tunnel/memory.ts'
import { Sparing } from '../src/tunnel/sparing.ts'

const settings = (maxConnections: number, maxChannels: number, memoryBytes = 1e10) =>
  ({ maxConnections, maxChannels, maxSessions: 7, memoryBytes }) as ServerSettings

test.each([
  [20_000, 10_000, 4096, 10_000, 4096],
  [1024, 10_000, 4096, 512, 448],
  [1024, 100, 100, 100, 100],
  [64, 10_000, 4096, 32, 1],
])('of %i files, %i and %i wanted: %i connections and %i channels', (files, a, b, c, d) => {
  const budget = budgetOf(settings(a, b), files)
  expect([budget.connections, budget.channels]).toEqual([c, d])
  expect(budget.sentence).toContain(`${c} connections in, ${d} channels and 7 sessions`)
  expect(budget.sentence).toContain(`${files} files to open and 10.0 GB of memory`)
})

test.each([
  [2 * 100 * CHANNEL_BYTES, 100],
  [2 * 100 * CHANNEL_BYTES - 1, 99],
  [1, 1],
])('with %i bytes of memory: %i channels', (memory, channels) => {
  expect(budgetOf(settings(9, 9999, memory), 1e6).channels).toBe(channels)
})

test.each([
  [4 * 7 * LEAST_WINDOW_BYTES, 7],
  [4 * 7 * LEAST_WINDOW_BYTES - 1, 6],
])('with %i bytes of memory: %i sessions', (memory, sessions) => {
  const budget = budgetOf(settings(9, 9, memory), 1e6)
  expect(budget.sessions).toBe(sessions)
  expect(budget.windowBytes + budget.sessionBytes).toBeLessThanOrEqual(memory / 2)
})

test('a client has no more channels than files, its lanes counted', () => {
  const client: unknown = { maxChannels: 4096, places: [{ count: 4 }, { count: 2 }] }
  const channels = (files: number) => channelsOf(client as ClientSettings, files)
  expect([10_000, 1024, 64, 1].map(channels)).toEqual([4096, 954, 1, 1])
})

test('the parts of the memory come to the whole', () => {
  const { channels, windows, sessions } = divided(1e9)
  expect(channels + windows + sessions).toBe(1e9)
})

test('shares shrink with what is left, to the least; one past the last there is none', () => {
  const shares = new Shares(64 * 2 ** 20)
  expect(shares.take(2 ** 20), 'no more than is wanted').toBe(2 ** 20)
  expect(shares.take(16 * 2 ** 20), 'a 32nd of what is left').toBe((63 * 2 ** 20) / 32)
  const taken: number[] = []
  for (let share; (share = shares.take(16 * 2 ** 20)) !== undefined;) taken.push(share)
  expect(taken).toEqual([...taken].sort((a, b) => b - a))
  expect(taken.at(-1)).toBe(LEAST_WINDOW_BYTES)
  expect(shares.bytes - shares.takenBytes).toBeGreaterThanOrEqual(0)
  expect(shares.bytes - shares.takenBytes).toBeLessThan(LEAST_WINDOW_BYTES)
  shares.give(LEAST_WINDOW_BYTES)
  expect(shares.take(2 ** 20)).toBe(LEAST_WINDOW_BYTES)
  expect(shares.take(2 ** 20)).toBeUndefined()
})

test('as many of the least as there are, and not one more', () => {
  const shares = new Shares(3 * LEAST_WINDOW_BYTES)
  const four = [1, 2, 3, 4].map(() => shares.take(LEAST_WINDOW_BYTES))
  expect(four).toEqual([LEAST_WINDOW_BYTES, LEAST_WINDOW_BYTES, LEAST_WINDOW_BYTES, undefined])
})

test('five are said at once, then one each ten seconds, with the number of the others', () => {
  const sparing = new Sparing(0)
  const said = Array.from({ length: 8 }, () => sparing.take(9999))
  expect(said).toEqual(['', '', '', '', '', undefined, undefined, undefined])
  expect(sparing.take(10_000)).toBe('; 3 more like it before')
  expect(sparing.take(19_999)).toBeUndefined()
  expect(sparing.take(1e6)).toBe('; 1 more like it before')
  expect(Array.from({ length: 5 }, () => sparing.take(1e6)).at(-1)).toBeUndefined()
})
