// The messages of a stripe, each one message of a lane; all integers big-endian, at most 2^53 - 1.
//
//   HELLO    0x10  flags u8, lane u32, session 16 bytes, limit u64   first on a lane, each way
//   PARCEL   0x11  number u64, bytes…                                numbered from 0,
//   END      0x12  number u64                                        END as well
//   ACK      0x13  floor u64, limit u64, then for each lane named:
//                  lane u32, received u64, delay u32                 delay in µs
//   PING     0x14  token u32
//   PONG     0x15  token u32                                         the answer, on that lane
//   ABORT    0x16  code u8, reason UTF-8                             the session has failed
//   LEAVE    0x17                                                    this lane gets nothing new
//
// docs/wire.md says what each means.

import { behind, type Message, pieces, PipeError, readInteger } from '@striper/core'
import { whole, writeInteger } from '@striper/core'

export const HELLO = 0x10
export const PARCEL = 0x11
export const END = 0x12
export const ACK = 0x13
export const PING = 0x14
export const PONG = 0x15
export const ABORT = 0x16
export const LEAVE = 0x17

/** Bit of HELLO's flags: this lane may open the session, where the listening end has none of that
 *  id. */
export const MAY_OPEN = 1

export const SESSION_ID_BYTES = 16
export const PARCEL_HEADER_BYTES = 9

/** What a writer may send before it has heard of its reader: bytes of parcels. So no reader has
 *  less room, and no parcel more. */
export const INITIAL_CREDIT = 512 * 1024
/** A writer never has a parcel this far, in numbers, beyond the first unacknowledged one. */
export const MAX_PARCELS_UNDER_WAY = 8192
/** The longest reason of an ABORT, in bytes. */
const MAX_REASON_BYTES = 256

export interface Hello {
  readonly mayOpen: boolean
  readonly lane: number
  readonly session: Buffer
  readonly limit: number
}

/** What an ACK says of one lane. */
export interface LaneAck {
  readonly lane: number
  /** Parcels and ENDs that have arrived on this lane, copies counted. */
  readonly received: number
  /** How long ago the last of them arrived, in ms. */
  readonly delayMs: number
}

export interface Ack {
  /** Every number below this has arrived. */
  readonly floor: number
  /** Bytes of parcels that may be sent in all, each counted once. */
  readonly limit: number
  readonly lanes: readonly LaneAck[]
}

/** Why a session is over, on the wire. */
export const ABORTED = 0
export const NO_SESSION = 1
export const PROTOCOL = 2
export const LIMIT = 3
/** No error: the session is over at the far end, which had received everything, and been
 *  received. */
export const FINISHED = 5

export type StripeMessage =
  | { type: typeof HELLO; hello: Hello }
  | { type: typeof PARCEL; number: number; bytes: Message }
  | { type: typeof END; number: number }
  | { type: typeof ACK; ack: Ack }
  | { type: typeof PING | typeof PONG; token: number }
  | { type: typeof ABORT; code: number; reason: string }
  | { type: typeof LEAVE }

const HELLO_BYTES = 30
const ACK_BYTES = 17
const LANE_ACK_BYTES = 16

/** A HELLO. */
export function encodeHello(hello: Hello): Buffer {
  const message = Buffer.alloc(HELLO_BYTES)
  message[0] = HELLO
  message[1] = hello.mayOpen ? MAY_OPEN : 0
  message.writeUInt32BE(hello.lane, 2)
  hello.session.copy(message, 6)
  writeInteger(message, hello.limit, 22)
  return message
}

/** The header of a PARCEL, or a whole END. */
export function encodeNumbered(type: typeof PARCEL | typeof END, number: number): Buffer {
  const message = Buffer.allocUnsafe(PARCEL_HEADER_BYTES)
  message[0] = type
  writeInteger(message, number, 1)
  return message
}

/** An ACK. */
export function encodeAck(ack: Ack): Buffer {
  const message = Buffer.allocUnsafe(ACK_BYTES + ack.lanes.length * LANE_ACK_BYTES)
  message[0] = ACK
  writeInteger(message, ack.floor, 1)
  writeInteger(message, ack.limit, 9)
  let at = ACK_BYTES
  for (const { lane, received, delayMs } of ack.lanes) {
    message.writeUInt32BE(lane, at)
    writeInteger(message, received, at + 4)
    message.writeUInt32BE(Math.min(Math.round(delayMs * 1000), 0xffff_ffff), at + 12)
    at += LANE_ACK_BYTES
  }
  return message
}

/** A PING, or the PONG that answers it. */
export function encodeToken(type: typeof PING | typeof PONG, token: number): Buffer {
  const message = Buffer.allocUnsafe(5)
  message[0] = type
  message.writeUInt32BE(token, 1)
  return message
}

/** An ABORT; a long reason is cut. */
export function encodeAbort(code: number, reason: string): Buffer {
  const text = Buffer.from(reason).subarray(0, MAX_REASON_BYTES)
  return Buffer.concat([Buffer.of(ABORT, code), text])
}

/** A LEAVE. */
export function encodeLeave(): Buffer {
  return Buffer.of(LEAVE)
}

/** Reads a message; throws ERR_PIPE_PROTOCOL where it is malformed. */
export function decode(message: Message): StripeMessage {
  const [first] = pieces(message)
  if (first?.[0] !== PARCEL) return decodeShort(whole(message))
  need(first, first.length >= PARCEL_HEADER_BYTES)
  const number = readInteger(first, 1)
  return { type: PARCEL, number, bytes: behind(message, PARCEL_HEADER_BYTES) }
}

function decodeShort(message: Buffer): StripeMessage {
  const type = message[0]
  switch (type) {
    case HELLO:
      need(message, message.length === HELLO_BYTES)
      return { type, hello: decodeHello(message) }
    case END:
      need(message, message.length === PARCEL_HEADER_BYTES)
      return { type, number: readInteger(message, 1) }
    case ACK:
      need(message, message.length >= ACK_BYTES)
      need(message, (message.length - ACK_BYTES) % LANE_ACK_BYTES === 0)
      return { type, ack: decodeAck(message) }
    case PING:
    case PONG:
      need(message, message.length === 5)
      return { type, token: message.readUInt32BE(1) }
    case ABORT:
      need(message, message.length >= 2 && message.length <= 2 + MAX_REASON_BYTES)
      return { type, code: message[1]!, reason: message.toString('utf8', 2) }
    case LEAVE:
      need(message, message.length === 1)
      return { type }
    default:
      throw new PipeError('ERR_PIPE_PROTOCOL', `message of type ${type ?? 'none'}`)
  }
}

function decodeHello(message: Buffer): Hello {
  return {
    mayOpen: (message[1]! & MAY_OPEN) !== 0,
    lane: message.readUInt32BE(2),
    session: Buffer.from(message.subarray(6, 6 + SESSION_ID_BYTES)), // kept: not a view
    limit: readInteger(message, 22),
  }
}

function decodeAck(message: Buffer): Ack {
  const lanes: LaneAck[] = []
  for (let at = ACK_BYTES; at < message.length; at += LANE_ACK_BYTES) {
    lanes.push({
      lane: message.readUInt32BE(at),
      received: readInteger(message, at + 4),
      delayMs: message.readUInt32BE(at + 12) / 1000,
    })
  }
  return { floor: readInteger(message, 1), limit: readInteger(message, 9), lanes }
}

function need(message: Buffer, wellFormed: boolean): void {
  if (wellFormed) return
  const sentence = `message of type ${message[0]!} with ${message.length} bytes`
  throw new PipeError('ERR_PIPE_PROTOCOL', sentence)
}

/** What an ABORT means for the end that gets it. */
export function aborted(code: number, reason: string): PipeError {
  const what = code === NO_SESSION ? 'no such session' : 'the peer aborted'
  return new PipeError('ERR_PIPE_RESET', reason ? `${what}: ${reason}` : what)
}

/** Throws ERR_PIPE_PROTOCOL where a HELLO is not of the lane that it came on. */
export function checkLane(hello: Hello, lane: number): void {
  if (hello.lane === lane) return
  throw new PipeError('ERR_PIPE_PROTOCOL', `lane ${lane} says that it is lane ${hello.lane}`)
}
