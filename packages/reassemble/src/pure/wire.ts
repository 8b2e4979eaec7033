// The messages of reassembly: four, all big-endian, each one message of the pipe below.
//
//   DATA    0x01  offset u64  bytes…     the bytes of the stream from `offset` on
//   CREDIT  0x02  limit  u64             the writer may send the bytes before offset `limit`
//   END     0x03  offset u64             the stream ends at `offset`
//   BLOCKED 0x04  limit  u64             the writer has more to send than `limit` lets it
//
// They may arrive in any order. An integer is at most 2^53 - 1.

import { behind, pieces, PipeError, readInteger, sizeOf, writeInteger } from '@striper/core'
import type { Message } from '@striper/core'

export const DATA = 1
export const CREDIT = 2
export const END = 3
export const BLOCKED = 4

export const HEADER_BYTES = 9

/** What a writer may send before it has heard of its reader, in bytes. Part of the wire format. */
export const INITIAL_CREDIT = 64 * 1024

export type ChannelMessage =
  | { type: typeof DATA; offset: number; bytes: Message }
  | { type: typeof CREDIT | typeof END | typeof BLOCKED; offset: number }

/** The header of a DATA, or all of another message. */
export function encodeHeader(type: number, offset: number): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES)
  header[0] = type
  writeInteger(header, offset, 1)
  return header
}

/** Reads a message; throws ERR_PIPE_PROTOCOL where it is none of the four. */
export function decode(message: Message): ChannelMessage {
  const head = pieces(message)[0]!
  if (head.length < HEADER_BYTES) throw malformed(`message of ${head.length} bytes`)
  const offset = readInteger(head, 1)
  const type = head[0]
  if (type === DATA) return { type, offset, bytes: behind(message, HEADER_BYTES) }
  if (type !== CREDIT && type !== END && type !== BLOCKED)
    throw malformed(`message of type ${type}`)
  if (sizeOf(message) > HEADER_BYTES) throw malformed(`message of type ${type} is too long`)
  return { type, offset }
}

function malformed(sentence: string): PipeError {
  return new PipeError('ERR_PIPE_PROTOCOL', sentence)
}
