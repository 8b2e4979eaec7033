// @striper/trunk: lanes dialled and kept up at one end, gathered into sessions at the other.

export { trunk, type DialLane, type TrunkLane, type TrunkOptions } from './trunk.ts'
export { gather, type Gatherer, type GatherOptions } from './gather.ts'
export { greet, GreetedPipe } from './greeting.ts'
