// The messages of a mux, each one message of the pipe below; all integers big-endian, at most
// 2^53 - 1.
//
//   OPEN     0x20  channel u64, priority u8, header length u16, header, bytes…   from offset 0 on
//   DATA     0x21  channel u64, offset u64, bytes…
//   END      0x22  channel u64, offset u64
//   CREDIT   0x23  channel u64, limit u64
//   BLOCKED  0x24  channel u64, limit u64
//   RESET    0x25  channel u64, code u8, reason UTF-8
//   GOAWAY   0x26  opened u64
//
// They may arrive in any order. docs/wire.md says what each means.

import { PipeError, readInteger, writeInteger } from '@striper/core'

export const OPEN = 0x20
export const DATA = 0x21
export const END = 0x22
export const CREDIT = 0x23
export const BLOCKED = 0x24
export const RESET = 0x25
export const GOAWAY = 0x26

/** An OPEN without its header and its bytes. */
export const OPEN_BYTES = 12
/** The header of a DATA; all of an END, a CREDIT or a BLOCKED. */
export const DATA_BYTES = 17
const RESET_BYTES = 10
const GOAWAY_BYTES = 9

/** The longest header of a channel, in bytes. */
export const MAX_HEADER_BYTES = 1024
/** The longest reason of a RESET, in bytes. */
export const MAX_REASON_BYTES = 256

/** Which channels go first; without one it is what they send that says. */
export type Priority = 'interactive' | 'bulk'
const PRIORITIES: readonly (Priority | undefined)[] = [undefined, 'interactive', 'bulk']

/** Why a channel is reset, on the wire. */
export const ABORTED = 0
export const REFUSED = 1
export const TOO_MANY = 2
export const GOING_AWAY = 3

/** What a channel begins with. */
export interface Opening {
  readonly priority: Priority | undefined
  readonly header: Buffer
}

export type MuxMessage =
  | { type: typeof OPEN; channel: number; opening: Opening; bytes: Buffer }
  | { type: typeof DATA; channel: number; offset: number; bytes: Buffer }
  | { type: typeof END | typeof CREDIT | typeof BLOCKED; channel: number; offset: number }
  | { type: typeof RESET; channel: number; code: number; reason: string }
  | { type: typeof GOAWAY; opened: number }

/** An OPEN, up to its bytes. */
export function encodeOpen(channel: number, { priority, header }: Opening): Buffer {
  const message = Buffer.allocUnsafe(OPEN_BYTES + header.length)
  message[0] = OPEN
  writeInteger(message, channel, 1)
  message[9] = PRIORITIES.indexOf(priority)
  message.writeUInt16BE(header.length, 10)
  header.copy(message, OPEN_BYTES)
  return message
}

/** The header of a DATA, or all of an END, a CREDIT or a BLOCKED. */
export function encodeOffset(type: number, channel: number, offset: number): Buffer {
  const message = Buffer.allocUnsafe(DATA_BYTES)
  message[0] = type
  writeInteger(message, channel, 1)
  writeInteger(message, offset, 9)
  return message
}

/** A RESET; a long reason is cut. */
export function encodeReset(channel: number, code: number, reason: string): Buffer {
  const text = Buffer.from(reason).subarray(0, MAX_REASON_BYTES)
  const message = Buffer.allocUnsafe(RESET_BYTES + text.length)
  message[0] = RESET
  writeInteger(message, channel, 1)
  message[9] = code
  text.copy(message, RESET_BYTES)
  return message
}

/** A GOAWAY. */
export function encodeGoaway(opened: number): Buffer {
  const message = Buffer.allocUnsafe(GOAWAY_BYTES)
  message[0] = GOAWAY
  writeInteger(message, opened, 1)
  return message
}

/** Reads a message; throws ERR_PIPE_PROTOCOL where it is malformed. */
export function decode(message: Buffer): MuxMessage {
  const type = message[0]
  switch (type) {
    case OPEN:
      need(message, message.length >= OPEN_BYTES)
      return decodeOpen(message)
    case DATA:
      need(message, message.length > DATA_BYTES) // one without bytes would be work for nothing
      return {
        type,
        channel: readInteger(message, 1),
        offset: readInteger(message, 9),
        bytes: message.subarray(DATA_BYTES),
      }
    case END:
    case CREDIT:
    case BLOCKED:
      need(message, message.length === DATA_BYTES)
      return { type, channel: readInteger(message, 1), offset: readInteger(message, 9) }
    case RESET: {
      need(message, message.length >= RESET_BYTES)
      need(message, message.length <= RESET_BYTES + MAX_REASON_BYTES)
      const reason = message.toString('utf8', RESET_BYTES)
      return { type, channel: readInteger(message, 1), code: message[9]!, reason }
    }
    case GOAWAY:
      need(message, message.length === GOAWAY_BYTES)
      return { type, opened: readInteger(message, 1) }
    default:
      throw new PipeError('ERR_PIPE_PROTOCOL', `message of type ${type ?? 'none'}`)
  }
}

function decodeOpen(message: Buffer): MuxMessage {
  const channel = readInteger(message, 1)
  const end = OPEN_BYTES + message.readUInt16BE(10)
  need(message, end <= message.length && end <= OPEN_BYTES + MAX_HEADER_BYTES)
  const opening = {
    priority: PRIORITIES[message[9]!],
    header: kept(message.subarray(OPEN_BYTES, end)),
  }
  return { type: OPEN, channel, opening, bytes: message.subarray(end) }
}

/** A copy in memory of its own: a header lives as long as its channel, and must not keep alive the
 *  buffer that it came in, nor a pool's. */
export function kept(header: Buffer): Buffer {
  if (header.length === 0) return EMPTY
  const copy = Buffer.allocUnsafeSlow(header.length)
  header.copy(copy)
  return copy
}

const EMPTY = Buffer.alloc(0)

/** What a RESET means to the end that gets it. `own`: it had opened the channel itself. The reason
 *  is the peer's, and may end up on somebody's terminal: what is not printable is not kept. */
export function resetError(code: number, reason: string, own: boolean): PipeError {
  const refused = own && code in REFUSALS
  const what = refused ? REFUSALS[code]! : 'the peer aborted'
  const why = reason.replace(/\p{Cc}|\p{Cf}/gu, '?')
  const sentence = why ? `${what}: ${why}` : what
  return new PipeError(refused ? 'ERR_PIPE_CONNECT' : 'ERR_PIPE_RESET', sentence)
}

const REFUSALS: Readonly<Record<number, string>> = {
  [REFUSED]: 'the peer refused',
  [TOO_MANY]: 'the peer has too many channels',
  [GOING_AWAY]: 'the peer takes no more channels',
}

function need(message: Buffer, wellFormed: boolean): void {
  if (wellFormed) return
  const sentence = `message of type ${message[0]!} with ${message.length} bytes`
  throw new PipeError('ERR_PIPE_PROTOCOL', sentence)
}
