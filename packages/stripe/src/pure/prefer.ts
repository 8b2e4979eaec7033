// PREFER: what the dialling end says of a lane, for the end that did not choose it.
//
//   ┌──────┬───────┬──────────┐
//   │ 0x19 │ flags │ weight   │   bit 0 of flags: backup; the weight in thousandths
//   └──────┴───────┴──────────┘
//   0      1       2          6
//
// It comes before HELLO where something is to be said from the start, so that not one parcel goes
// by a backup; and again whenever it changes. (MPTCP's MP_PRIO does the same: RFC 8684, 3.3.8.)

import { PipeError } from '@striper/core'

export const PREFER = 0x19
const BACKUP = 1
const PREFER_BYTES = 6
const ONE = 1000
const MOST = 0xffff_ffff

/** How a lane is to be preferred: see LaneProperties. */
export interface Preference {
  readonly weight: number
  readonly backup: boolean
}

/** A PREFER. A weight is rounded to thousandths, from 0.001 to 4,294,967.295. */
export function encodePrefer({ weight, backup }: Preference): Buffer {
  const message = Buffer.alloc(PREFER_BYTES)
  message[0] = PREFER
  message[1] = backup ? BACKUP : 0
  message.writeUInt32BE(Math.min(Math.max(Math.round(weight * ONE), 1), MOST), 2)
  return message
}

/** Reads one; throws ERR_PIPE_PROTOCOL where it is malformed, or the weight is 0. */
export function decodePrefer(message: Buffer): Preference {
  const weight = message.length === PREFER_BYTES ? message.readUInt32BE(2) / ONE : 0
  if (weight > 0) return { weight, backup: (message[1]! & BACKUP) !== 0 }
  throw new PipeError('ERR_PIPE_PROTOCOL', `PREFER with ${message.length} bytes, weight ${weight}`)
}

/** Whether two are the same on the wire. */
export function samePreference(one: Preference, other: Preference): boolean {
  return encodePrefer(one).equals(encodePrefer(other))
}
