// What a server may take of the system, reckoned once at its start.
//
//   files it may open ─┬─ half, at most: connections that come in, of lanes and strangers
//                      └─ the rest, but for a few: channels, each with a connection of its own

import { totalmem } from 'node:os'
import { maxOpenFiles } from '../limits.ts'
import type { CommonSettings, ServerSettings } from '../settings.ts'
import { formatBytes } from '../terminal.ts'

/** Files for all else: the program's own, its listeners, the control socket, names looked up. */
const RESERVE = 64
/** What the windows of all channels of a session may grow by, in windows. */
const WINDOWS = 4

/** How many there may be at once. */
export interface Budget {
  readonly connections: number
  readonly channels: number
  /** The whole in a sentence, for the log. */
  readonly sentence: string
}

/** The windows of a session, as its stripe and its mux take them. */
export function windowsOf({ windowBytes, maxChannels }: CommonSettings) {
  return {
    stripe: windowBytes,
    mux: { windowBytes, totalWindowBytes: WINDOWS * windowBytes, maxChannels },
  }
}

/** The budget of a server, with no more than its settings say, and than the system has. */
export function budgetOf(settings: ServerSettings, files = maxOpenFiles()): Budget {
  const connections = Math.min(settings.maxConnections, Math.max(files >> 1, 1))
  const channels = Math.min(settings.maxChannels, Math.max(files - connections - RESERVE, 1))
  const session = (1 + WINDOWS) * settings.windowBytes
  const open = files === Number.MAX_SAFE_INTEGER ? 'as many files as it likes' : `${files} files`
  return {
    connections,
    channels,
    sentence:
      `at most ${connections} connections in, ${channels} channels and ${settings.maxSessions} ` +
      `sessions, with ${open} to open; a session may hold ${formatBytes(session)} ` +
      `of ${formatBytes(totalmem())} for slow readers`,
  }
}
