// A codec: what a layer does to the data, and nothing about streams.
//
// encode() goes down, decode() goes up. A codec keeps what it needs of an incomplete unit, says so
// at finish(), and throws a PipeError for what it cannot read; the pipe around it adds its label
// and destroys itself. Units given before the fault have been given.

import type { Message } from './pipe.ts'

export interface Codec {
  /** One unit from the writer, as chunks for the pipe below: at least one. */
  encode(unit: Message): readonly Buffer[]
  /** One chunk from the pipe below. Calls `give` for each unit that is complete with it: none, one
   *  or many. */
  decode(chunk: Buffer, give: (unit: Buffer) => void): void
  /** The pipe below has ended: throws ERR_PIPE_TRUNCATED where a unit is incomplete. */
  finish(): void
}
