// How long the queue of a lane may be: as lanes are together.

import { expect, test } from 'vitest'
import { slackMs } from '../src/pure/slack.ts'

const MIB = 1024 * 1024
const lanes = (...rates: (number | undefined)[]) => rates.map(rate => ({ rate }))

test('40 ms, as long as those of all lanes are 3 MiB at most', () => {
  expect(slackMs([])).toBe(40)
  expect(slackMs(lanes(undefined, undefined))).toBe(40)
  expect(slackMs(lanes((3 * MIB) / 40 / 2, (3 * MIB) / 40 / 2))).toBe(40)
})

test('of fast lanes as long as 3 MiB last, whoever has them', () => {
  expect(slackMs(lanes((3 * MIB) / 10))).toBe(10)
  expect(slackMs(lanes((2.5 * MIB) / 10, (0.5 * MIB) / 10, undefined))).toBe(10)
})
