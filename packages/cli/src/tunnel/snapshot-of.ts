// The snapshot of a running server or client, put together when somebody asks.

import { addressOf, type TrunkPipe } from 'striper'
import { formatSecurity } from '../security.ts'
import type { ClientSettings, ServerSettings } from '../settings.ts'
import { type LaneSnapshot, type LimitSnapshot, SNAPSHOT_FORMAT } from '../snapshot.ts'
import type { SessionSnapshot, Snapshot, WantedSnapshot } from '../snapshot.ts'
import { VERSION } from '../version.ts'
import type { Conversations } from './conversations.ts'
import type { Session } from './session.ts'

/** What there is to show. */
export interface Shown {
  readonly settings: ServerSettings | ClientSettings
  readonly startedAt: number
  readonly listening: readonly string[]
  readonly sessions: readonly Session[]
  /** How many there ever were. */
  readonly sessionsBegun: number
  readonly refused: number
  readonly conversations: Conversations
  readonly limits: readonly LimitSnapshot[]
}

/** All of it, at this moment. */
export function snapshotOf(shown: Shown): Snapshot {
  const { settings, startedAt, listening, conversations, limits } = shown
  const sessions = shown.sessions.map(session => sessionSnapshot(session, conversations))
  const lanes = sessions.reduce((sum, session) => sum + session.lanes.length, 0)
  const { size: channels, most, begun, bytes } = conversations
  return {
    format: SNAPSHOT_FORMAT,
    role: settings.role,
    version: VERSION,
    pid: process.pid,
    uptimeMs: performance.now() - startedAt,
    listening,
    security: formatSecurity(settings.security),
    sessions,
    wanted: shown.sessions.flatMap(wantedOf),
    open: { sessions: sessions.length, lanes, channels },
    totals: { sessions: shown.sessionsBegun, channels: begun, refused: shown.refused, ...bytes },
    limits: [{ name: 'channels', used: channels, most }, ...limits],
  }
}

function sessionSnapshot(session: Session, conversations: Conversations): SessionSnapshot {
  const { name: id, peer, since, mux, pipe } = session
  const { heldBytes, queuedBytes } = mux.muxStats
  const { retainedBytes } = pipe.stripeStats
  return {
    ...{ id, peer, forMs: performance.now() - since, heldBytes, queuedBytes, retainedBytes },
    lanes: lanesOf(session),
    channels: conversations.of(session),
  }
}

function lanesOf({ pipe }: Session): LaneSnapshot[] {
  const pipes = new Map(pipe.below.map(lane => [lane.label, lane]))
  return pipe.lanes.map(lane => {
    const { number, label, state, weight, backup, inFlight, room, bytesIn, bytesOut } = lane
    const below = pipes.get(label)
    const { local = '', remote = '' } = (below && addressOf(below)) ?? {}
    return {
      ...{ number, label, from: local, to: remote, state, weight, backup },
      ...{ inFlight, room, bytesIn, bytesOut, copies: lane.copiesOut },
      reason: lane.reason ?? null,
      rate: lane.rate ?? null,
      rttMs: lane.rttMs ?? null,
    }
  })
}

function wantedOf({ pipe }: Session): WantedSnapshot[] {
  if (!isTrunk(pipe)) return []
  return pipe.wanted.map(({ key, state, why, forMs, attempts }) => {
    return { key, state, why, forMs, attempts }
  })
}

function isTrunk(pipe: Session['pipe']): pipe is TrunkPipe {
  return 'wanted' in pipe
}
