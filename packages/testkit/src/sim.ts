// @striper/testkit/sim: virtual time and a network in it, for protocols that are pure.

export { World, type CallOff } from './sim/world.ts'
export { type PathOptions, SimLine, SimPath } from './sim/line.ts'
export { rng, type Rng } from './rng.ts'
