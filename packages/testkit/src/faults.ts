// @striper/testkit/faults: bad networks as layers. Each makes a byte pipe worse in one way, and
// they stack:
//
//   stack(connect({ port }), rate({ bytesPerSecond: 1e6 }), latency({ ms: 30 }))
//
// Each direction is treated by itself unless its options say otherwise, and whatever is left to
// chance has a seed. None loses a byte that it does not say it loses.

export { rate, type RateOptions } from './faults/rate.ts'
export { latency, type LatencyOptions } from './faults/latency.ts'
export { stall, type StallOptions } from './faults/stall.ts'
export { slices, type SlicesOptions } from './faults/slices.ts'
export { corrupt, type CorruptOptions } from './faults/corrupt.ts'
export { cut } from './faults/cut.ts'
export { end } from './faults/end.ts'
export type { BudgetOptions } from './faults/budget.ts'
export { rng, type Rng } from './rng.ts'
