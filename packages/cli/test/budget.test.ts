// What a server takes of the system, and how often it says what a stranger causes.

import { expect, test } from 'vitest'
import type { ServerSettings } from '../src/settings.ts'
import { budgetOf } from '../src/tunnel/budget.ts'
import { Sparing } from '../src/tunnel/sparing.ts'

const settings = (maxConnections: number, maxChannels: number) =>
  ({ maxConnections, maxChannels, maxSessions: 7, windowBytes: 1e6 }) as ServerSettings

test.each([
  [20_000, 10_000, 4096, 10_000, 4096],
  [1024, 10_000, 4096, 512, 448],
  [1024, 100, 100, 100, 100],
  [64, 10_000, 4096, 32, 1],
])('of %i files, %i and %i wanted: %i connections and %i channels', (files, a, b, c, d) => {
  const budget = budgetOf(settings(a, b), files)
  expect([budget.connections, budget.channels]).toEqual([c, d])
  expect(budget.sentence).toContain(`${c} connections in, ${d} channels and 7 sessions`)
  expect(budget.sentence).toContain(`${files} files to open; a session may hold 5.0 MB`)
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
