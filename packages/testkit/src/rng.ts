// Seeded chance: what a test did once, its seed does again.
//
// The generator is mulberry32, by Tommy Ettinger, in the public domain: 32 bits of state, good
// enough to choose sizes and places, of no use for secrets.

/** Chance that repeats itself: the same seed gives the same choices. */
export interface Rng {
  /** A number of at least 0 and less than 1. */
  next(): number
  /** A whole number of at least `low` and at most `high`. */
  integer(low: number, high: number): number
  /** True with this probability. */
  chance(probability: number): boolean
  /** One of the items, of which there is at least one. */
  pick<T>(items: readonly T[]): T
  /** As many bytes, in a Buffer of their own. */
  bytes(count: number): Buffer
  /** A generator whose choices do not depend on how many this one makes from now on. */
  fork(): Rng
}

/** A generator for a seed, of which the lower 32 bits count. */
export function rng(seed: number): Rng {
  let state = seed | 0

  const word = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  const next = () => word() / 0x1_0000_0000
  const integer = (low: number, high: number) => low + Math.floor(next() * (high - low + 1))

  return {
    next,
    integer,
    chance: probability => next() < probability,
    pick: items => items[integer(0, items.length - 1)]!,
    bytes: count => Buffer.from(Array.from({ length: count }, () => word() & 0xff)),
    fork: () => rng(word()),
  }
}
