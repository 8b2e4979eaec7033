// The integers of every wire format here: u64, big-endian, and never more than 2^53 - 1, so that
// each is exactly a number.

import { PipeError } from './errors.ts'

/** Writes an integer, 0 to 2^53 - 1, into the 8 bytes at `at`. */
export function writeInteger(message: Buffer, value: number, at: number): void {
  message.writeUInt32BE(Math.floor(value / 2 ** 32), at)
  message.writeUInt32BE(value % 2 ** 32, at + 4)
}

/** Reads the integer in the 8 bytes at `at`. Throws ERR_PIPE_PROTOCOL for one beyond 2^53 - 1, and
 *  a RangeError where the message has not as many bytes. */
export function readInteger(message: Buffer, at: number): number {
  const value = message.readUInt32BE(at) * 2 ** 32 + message.readUInt32BE(at + 4)
  if (Number.isSafeInteger(value)) return value
  throw new PipeError('ERR_PIPE_PROTOCOL', 'integer beyond 2^53 - 1')
}
