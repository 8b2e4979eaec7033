// What goes into a StripeCore when it is made, and what comes out of it.

import type { Loan, Message, PipeError } from '@striper/core'
import type { Schedule } from './schedule.ts'

export interface CoreOptions {
  /** What may wait for the reader at this end, and what may be sent and not acknowledged, in
   *  bytes. */
  windowBytes: number
  schedule: Schedule
  /** Every parcel goes on two lanes. */
  redundant: boolean
  /** How long the session outlives its last lane, in ms. */
  noLaneTimeoutMs: number
}

/** How to send; what it says may change at any time. */
export interface Mode {
  /** The writer is held back, so that there is always more to send. */
  endless: boolean
  /** Every parcel goes on two lanes. */
  redundant: boolean
}

export type Output =
  /** `loan` is the lane's own, of the memory of what goes with it, if that is on loan. */
  | { do: 'send'; lane: number; message: Message; loan: Loan | undefined }
  /** `loan` is of the parcel's memory, if that is on loan. */
  | { do: 'deliver'; parcel: Message; loan: Loan | undefined }
  /** A lane is of no more use: abort it. */
  | { do: 'drop'; lane: number; reason: string }
  /** A lane that was asked to leave has nothing under way: end it. */
  | { do: 'end'; lane: number }
  /** The peer will say no more, and all it said has been delivered. */
  | { do: 'ended' }
  /** The session is over. Nothing comes after this. */
  | { do: 'failed'; error: PipeError }

/** What a stripe holds, and what it cost to keep it whole. */
export interface Totals {
  /** Bytes that were written and are not acknowledged. */
  readonly retainedBytes: number
  /** Bytes that were sent again, on another lane. */
  readonly copiedBytes: number
  /** Parcels that arrived again, and were dropped. */
  readonly duplicates: number
}
