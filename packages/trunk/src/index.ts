// @striper/trunk: lanes dialled and kept up at one end, gathered into sessions at the other.

export { trunk, type TrunkPipe, type TrunkOptions } from './trunk.ts'
export type { LaneSource, TrunkLane, TrunkLaneOptions } from './trunk.ts'
export type { DialLane, WantedLane, WantedState } from './keeper.ts'
export { LaneBudget } from './budget.ts'
export { lanePolicy, type LanePolicy, type LanePolicyOptions } from './policy.ts'
export type { LanePolicyChange, LaneServer, PolicySource } from './policy.ts'
export type { DialWay } from './routed.ts'
export { checkedPlaces, formatPlace, type LanePlace, parsePlace } from './pure/place.ts'
export type { Interfaces, LaneWay, LocalAddress } from './pure/wanted.ts'
export { gather, type Gatherer, type GatherOptions } from './gather.ts'
export { greet, GreetedPipe } from './greeting.ts'
