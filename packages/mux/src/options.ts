// What may be said of a mux and of a channel, and what is checked of it at the door.

import type { ParcelPipe } from '@striper/core'
import { INITIAL_CREDIT } from '@striper/reassemble/pure'
import type { Channel } from './channel.ts'
import type { MuxLimits } from './pure/core.ts'
import type { WindowPool } from './pure/pool.ts'
import { kept, MAX_HEADER_BYTES, type Priority } from './pure/wire.ts'

const MiB = 1024 * 1024
/** The pipe below must take messages of this size, in bytes: an OPEN, and a little more. */
export const LEAST_MESSAGE_BYTES = 2048
const MOST_CHANNELS = 65_536

export interface MuxOptions {
  /** The two ends have to differ: each numbers the channels that it opens. */
  role: 'dial' | 'accept'
  /** Gets each channel that the peer opens. Without it they are refused. A channel waits in the
   *  backlog until it is read, written or ended. */
  onChannel?: (channel: Channel) => void
  /** What may wait at this end for the reader of one channel, or for bytes before it, in bytes:
   *  64 KiB to 1 GiB, default 16 MiB. Each window begins with 64 KiB, and grows as it needs. A
   *  channel is no faster than its window for each round trip. */
  windowBytes?: number
  /** What the windows of all channels may have grown by, in bytes, default 64 MiB: each may grow by
   *  half of what is left. The first 64 KiB of each channel are its own and not counted. */
  totalWindowBytes?: number
  /** The same for several muxes together, such as all sessions of a server; each keeps to its own
   *  `totalWindowBytes` as well. */
  pool?: WindowPool
  /** How many channels may be open, whoever opened them: 1 to 65,536, default 16,384. */
  maxChannels?: number
  /** How many of these the peer may have opened that nobody has taken into use, default 256. One
   *  more is refused. */
  backlog?: number
}

export interface OpenOptions {
  /** What the peer is told of the channel: at most 1,024 bytes. */
  header?: Buffer
  /** `interactive` goes before the others, `bulk` after them, at both ends. Without it the channel
   *  goes first while it sends little (pure/turns.ts). */
  priority?: Priority | undefined
}

/** The options with their defaults. Throws a TypeError or a RangeError for what is none. */
export function checked(
  { label, maxMessageBytes }: ParcelPipe,
  options: MuxOptions,
): MuxLimits & Pick<MuxOptions, 'onChannel'> {
  const { role, onChannel, windowBytes = 16 * MiB, totalWindowBytes = 64 * MiB } = options
  const { maxChannels = 16_384, backlog = 256, pool } = options
  if (!['dial', 'accept'].includes(role)) {
    throw new TypeError(`role must be 'dial' or 'accept', got ${role}`)
  }
  if (maxMessageBytes < LEAST_MESSAGE_BYTES) {
    const sentence = `a mux needs messages of ${LEAST_MESSAGE_BYTES} bytes`
    throw new RangeError(`${label}: ${sentence}, and it takes ${maxMessageBytes}`)
  }
  within('windowBytes', windowBytes, INITIAL_CREDIT, 1024 * MiB)
  within('totalWindowBytes', totalWindowBytes, 0, Number.MAX_SAFE_INTEGER)
  within('maxChannels', maxChannels, 1, MOST_CHANNELS)
  within('backlog', backlog, 1, MOST_CHANNELS)
  const limits = { windowBytes, totalWindowBytes, maxChannels, backlog }
  return {
    dials: role === 'dial',
    ...limits,
    ...(pool && { pool }),
    ...(onChannel && { onChannel }),
  }
}

function within(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw new RangeError(`${name} must be a whole number, ${least}..${most}, got ${value}`)
}

/** A copy of a channel's header. */
export function checkedHeader(header: Buffer = Buffer.alloc(0)): Buffer {
  if (!(header instanceof Uint8Array)) throw new TypeError('a header is a Buffer')
  if (header.length > MAX_HEADER_BYTES) {
    throw new RangeError(`a header has at most ${MAX_HEADER_BYTES} bytes, got ${header.length}`)
  }
  return kept(header)
}
