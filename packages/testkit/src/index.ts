// @striper/testkit: what proves that a pipe keeps the contract, and what makes its life hard. Read
// conformance.ts first. The fault layers alone, without vitest, are `@striper/testkit/faults`.

export * from './faults.ts'
export { conformance, conformanceCases, runCase } from './conformance.ts'
export type { Case, MakePair, RunOptions, Scene, Traits } from './conformance.ts'
