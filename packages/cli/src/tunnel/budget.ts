// What a server, or a client, may take of the system, reckoned once at its start.
//
//   files it may open ─┬─ half, at most: connections that come in, of lanes and strangers
//                      └─ the rest, but for a few: channels, each with a connection of its own
//   memory ─── memory.ts

import { LEAST_WINDOW_BYTES } from 'striper'
import { maxOpenFiles } from '../limits.ts'
import type { ClientSettings, CommonSettings, ServerSettings } from '../settings.ts'
import { formatBytes } from '../terminal.ts'
import { CHANNEL_BYTES, divided } from './memory.ts'

/** Files for all else: the program's own, its listeners, the control socket, names looked up. */
const RESERVE = 64
/** What the windows of all channels of a session may grow by, in windows. */
const WINDOWS = 4

/** Channels that are no conversation: of -R, and such as are just being refused. */
const SPARE_CHANNELS = 256

/** How many there may be at once. */
export interface Budget {
  readonly connections: number
  readonly channels: number
  readonly sessions: number
  /** What the windows of all channels may grow by, in bytes. */
  readonly windowBytes: number
  /** What all sessions may have sent that is not acknowledged, in bytes. */
  readonly sessionBytes: number
  /** The whole in a sentence, for the log. */
  readonly sentence: string
}

/** The limits of a session's mux. It takes a few channels more than there may be conversations:
 *  those that are one too many are refused by whoever counts them, with a reason. */
export function muxLimits({ windowBytes, maxChannels }: CommonSettings) {
  const totalWindowBytes = WINDOWS * windowBytes
  const most = maxChannels + SPARE_CHANNELS
  // Each channel is taken into use, or refused, as it comes: there is no backlog to bound.
  return { windowBytes, totalWindowBytes, maxChannels: most, backlog: most }
}

/** The limits of a session's stripe, whose window is that of the settings unless it has to be
 *  smaller. */
export function stripeLimits(settings: CommonSettings, windowBytes = settings.windowBytes) {
  const { noLaneTimeoutMs, maxParcelBytes } = settings
  return {
    windowBytes,
    noLaneTimeoutMs: noLaneTimeoutMs || Infinity,
    ...(maxParcelBytes === undefined ? {} : { maxParcelBytes }),
  }
}

/** The budget of a server, with no more than its settings say, and than the system has. */
export function budgetOf(settings: ServerSettings, files = maxOpenFiles()): Budget {
  const { maxConnections, maxChannels, maxSessions, memoryBytes } = settings
  const memory = divided(memoryBytes)
  const connections = Math.min(maxConnections, Math.max(files >> 1, 1))
  const channels = Math.min(
    maxChannels,
    Math.max(files - connections - RESERVE, 1),
    Math.max(Math.floor(memory.channels / CHANNEL_BYTES), 1),
  )
  const sessions = Math.min(maxSessions, Math.floor(memory.sessions / LEAST_WINDOW_BYTES))
  const open = files === Number.MAX_SAFE_INTEGER ? 'as many files as it likes' : `${files} files`
  return {
    connections,
    channels,
    sessions,
    windowBytes: memory.windows,
    sessionBytes: memory.sessions,
    sentence:
      `at most ${connections} connections in, ${channels} channels and ${sessions} sessions, ` +
      `with ${open} to open and ${formatBytes(memoryBytes)} of memory for what clients make it hold`,
  }
}

/** Channels of a client: each has a connection here, and so have its lanes. */
export function channelsOf(settings: ClientSettings, files = maxOpenFiles()): number {
  const lanes = settings.places.reduce((sum, { count }) => sum + count, 0)
  return Math.min(settings.maxChannels, Math.max(files - RESERVE - lanes, 1))
}
