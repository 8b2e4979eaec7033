// @striper/stripe: many lanes as one parcel pipe. Read stripe.ts first, then pure/core.ts.

export { stripe, StripePipe } from './stripe.ts'
export { checkedProperties, LEAST_WINDOW_BYTES } from './options.ts'
export type { LaneProperties, LaneStats, StripeOptions } from './options.ts'
export type { Totals as StripeStats } from './pure/output.ts'
export { awaitHello, LANE_MESSAGE_BYTES, type Opening, refusal } from './lanes.ts'
export { roundRobin, soonest, untilCongested } from './pure/schedule.ts'
export type { LaneView, Schedule } from './pure/schedule.ts'
export type { LaneState } from './pure/lane.ts'
export { type Hello, SESSION_ID_BYTES } from './pure/wire.ts'
