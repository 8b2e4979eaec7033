// Figures from what arrived when. All pure; times in seconds from when the conversation was asked
// for, unless they end in Ms.

import { sum } from '../lib/figures.ts'
import { BIN_MS, type Pass, STEADY_S } from './ask.ts'

const BINS_PER_SECOND = 1000 / BIN_MS
/** A lane carries its share again when half a second has so much of what it should. */
const HEAL_WINDOW_S = 0.5

/** Mean of what arrived between two times, in Mbit/s. */
export function goodput({ bins }: Pass, from: number, to: number): number {
  const part = bins.slice(Math.round(from * BINS_PER_SECOND), Math.round(to * BINS_PER_SECOND))
  return sum(part) / ((part.length * BIN_MS) / 1000) / 125_000
}

/** Mean of seconds 2 to 8, or of what there is of them, in Mbit/s. */
export function steadyGoodput(
  pass: Pass,
  { steadyFrom = STEADY_S, seconds }: { steadyFrom?: number; seconds: number },
): number {
  return goodput(pass, steadyFrom, Math.min(seconds, 8))
}

/** The worst of the whole seconds between two times, in Mbit/s. */
export function leastSecond(pass: Pass, from: number, to: number): number {
  const seconds = Array.from({ length: to - from }, (_, index) => from + index)
  return Math.min(...seconds.map(second => goodput(pass, second, second + 1)))
}

/** The longest time without a byte that was not over by `from`, in ms. */
export function longestGapMs({ gaps }: Pass, from: number): number {
  const later = gaps.filter(({ at, ms }) => at + ms > from * 1000)
  return Math.max(0, ...later.map(({ ms }) => ms))
}

/** How long after `from` half a second begins in which at least `megabits` Mbit/s arrive, in s;
 *  Infinity where none does. */
export function secondsUntil(pass: Pass, from: number, megabits: number): number {
  const end = pass.bins.length / BINS_PER_SECOND - HEAL_WINDOW_S
  for (let bin = 0; from + bin / BINS_PER_SECOND <= end; bin++) {
    const at = from + bin / BINS_PER_SECOND
    if (goodput(pass, at, at + HEAL_WINDOW_S) >= megabits) return bin / BINS_PER_SECOND
  }
  return Infinity
}
