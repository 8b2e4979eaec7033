// Snapshot: all there is to know of a running server or client, at one moment, as JSON. What
// `striper status` shows is made of this and of nothing else.
//
// Bytes are totals since the lane, channel or process began, and only rise, so that a reader gets
// rates from two snapshots. Times are in ms, rates in bytes a second; null is "not known".

/** The version of this form. It rises when a field changes its meaning, or goes. */
export const SNAPSHOT_FORMAT = 1

/** How many of each are listed, at most; `open` counts them all. */
export const MOST_LISTED = {
  sessions: 64,
  lanes: 32,
  wanted: 64,
  channels: 64,
  limits: 32,
} as const

export interface Snapshot {
  readonly format: typeof SNAPSHOT_FORMAT
  readonly role: 'server' | 'client'
  readonly version: string
  readonly pid: number
  readonly uptimeMs: number
  /** Where it listens: for lanes, or for what it forwards. */
  readonly listening: readonly string[]
  /** How lanes are secured: `key 12ab…`, `certificate`, `nothing`. No secret. */
  readonly security: string
  readonly sessions: readonly SessionSnapshot[]
  /** The lanes that a client keeps up, there or not; none at a server. */
  readonly wanted: readonly WantedSnapshot[]
  /** How many there are just now, listed or not. */
  readonly open: { readonly sessions: number; readonly lanes: number; readonly channels: number }
  readonly totals: Totals
  readonly limits: readonly LimitSnapshot[]
}

/** One session, with its lanes and channels. */
export interface SessionSnapshot {
  /** Some digits of its id, which is no secret. */
  readonly id: string
  /** Who is at the other end: a key's id, or a certificate's fingerprint; null where nobody
   *  proved who it is. */
  readonly peer: string | null
  readonly forMs: number
  /** Bytes here that wait for readers, or for bytes before them. */
  readonly heldBytes: number
  /** Bytes here that wait to be cut into parcels, beside what each connection buffers. */
  readonly queuedBytes: number
  /** Bytes of parcels that are not acknowledged, sent or not. */
  readonly retainedBytes: number
  readonly lanes: readonly LaneSnapshot[]
  readonly channels: readonly ChannelSnapshot[]
}

/** One lane that is up. */
export interface LaneSnapshot {
  readonly number: number
  readonly label: string
  readonly from: string
  readonly to: string
  readonly state: 'proving' | 'working' | 'suspect' | 'leaving'
  /** Why it takes nothing just now, in words; null where it does. */
  readonly reason: string | null
  readonly weight: number
  readonly backup: boolean
  /** What it is believed to deliver. */
  readonly rate: number | null
  readonly rttMs: number | null
  /** Bytes given to it that are not acknowledged, and how many there may be. */
  readonly inFlight: number
  readonly room: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** Parcels that went by it though they had gone by another before. */
  readonly copies: number
}

/** One lane that is to be kept up, there or not. */
export interface WantedSnapshot {
  /** Which lane it is: from where, to where, and the how-manieth. */
  readonly key: string
  readonly state: 'dialling' | 'up' | 'waiting' | 'absent' | 'spent'
  /** The state in words: `waits 1.2 s: connection refused`. */
  readonly why: string
  readonly forMs: number
  readonly attempts: number
}

/** One channel: a connection that is forwarded. */
export interface ChannelSnapshot {
  readonly number: number
  /** Whom it is to, HOST:PORT. */
  readonly target: string
  readonly bytesIn: number
  readonly bytesOut: number
  readonly forMs: number
  readonly priority: number
}

/** Of the whole process, since it began. */
export interface Totals {
  readonly sessions: number
  readonly channels: number
  /** Connections, lanes and channels that were not let in. */
  readonly refused: number
  readonly bytesIn: number
  readonly bytesOut: number
}

/** A limit, and how much of it is in use just now. */
export interface LimitSnapshot {
  readonly name: string
  readonly used: number
  readonly most: number
}

/** The snapshot with no list longer than `MOST_LISTED`, so that it has a size that is known. Of
 *  channels the busiest are kept, of all else the first. */
export function bounded(snapshot: Snapshot): Snapshot {
  const { sessions, wanted, limits } = snapshot
  return {
    ...snapshot,
    sessions: sessions.slice(0, MOST_LISTED.sessions).map(session => ({
      ...session,
      lanes: session.lanes.slice(0, MOST_LISTED.lanes),
      channels: busiest(session.channels),
    })),
    wanted: wanted.slice(0, MOST_LISTED.wanted),
    limits: limits.slice(0, MOST_LISTED.limits),
  }
}

function busiest(channels: readonly ChannelSnapshot[]): readonly ChannelSnapshot[] {
  if (channels.length <= MOST_LISTED.channels) return channels
  const bytes = ({ bytesIn, bytesOut }: ChannelSnapshot) => bytesIn + bytesOut
  return [...channels].sort((a, b) => bytes(b) - bytes(a)).slice(0, MOST_LISTED.channels)
}
