// @striper/stripe: many lanes as one parcel pipe. Read stripe.ts first, then pure/core.ts.

export { stripe, readHello, refusal, LANE_MESSAGE_BYTES } from './stripe.ts'
export type { StripePipe, StripeOptions, StripeStats, LaneStats } from './stripe.ts'
export { roundRobin, soonest, untilCongested } from './pure/schedule.ts'
export type { LaneView, Schedule } from './pure/schedule.ts'
export type { LaneState } from './pure/lane.ts'
export { type Hello, SESSION_ID_BYTES } from './pure/wire.ts'
