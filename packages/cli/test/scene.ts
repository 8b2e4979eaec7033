// What the tests of the running command stand on: a snapshot that is made up, and moves.

import type { ChannelSnapshot, LaneSnapshot, SessionSnapshot, Snapshot } from '../src/snapshot.ts'

/** A lane that works, with what is said of it instead. */
export function lane(number: number, changes: Partial<LaneSnapshot> = {}): LaneSnapshot {
  return {
    number,
    label: `frame(tls(tcp#${number}))`,
    from: `192.0.2.${10 + number}`,
    to: '203.0.113.9:7000',
    state: 'working',
    reason: null,
    weight: 1,
    backup: false,
    rate: 2_000_000,
    rttMs: 21,
    inFlight: 40_000,
    room: 80_000,
    bytesIn: 1_000_000 * (number + 1),
    bytesOut: 50_000,
    copies: 0,
    ...changes,
  }
}

/** A channel, the same way. */
export function channel(number: number, changes: Partial<ChannelSnapshot> = {}): ChannelSnapshot {
  const moved = { bytesIn: 1000, bytesOut: 2000 }
  return { number, target: '127.0.0.1:80', ...moved, forMs: 65_000, priority: 0, ...changes }
}

/** A session in which nothing waits, the same way. */
export function session(changes: Partial<SessionSnapshot> = {}): SessionSnapshot {
  const waits = { heldBytes: 0, queuedBytes: 0, retainedBytes: 0 }
  return {
    id: '3f2a9c1e',
    peer: null,
    forMs: 120_000,
    ...waits,
    lanes: [],
    channels: [],
    ...changes,
  }
}

/** A client with four lanes in all states, two that are missing, and two channels. */
export function snapshot(changes: Partial<Snapshot> = {}): Snapshot {
  const lanes = [
    lane(0),
    lane(1, { reason: 'waiting: a faster lane will be free sooner', rate: null, rttMs: null }),
    lane(2, { state: 'suspect', reason: 'suspect: nothing came back for too long' }),
    lane(3, { state: 'proving', reason: 'proving: one parcel at a time', inFlight: 0 }),
  ]
  const channels = [channel(0), channel(2, { target: '[fd00::7]:5432', priority: 1 })]
  return {
    format: 1,
    role: 'client',
    version: '0.1.0',
    pid: 4242,
    uptimeMs: 125_000,
    listening: ['127.0.0.1:8080'],
    security: 'key 12ab34cd56ef7890',
    sessions: [session({ peer: '12ab34cd56ef7890', lanes, channels })],
    wanted: [
      { key: '192.0.2.10 #1', state: 'up', why: 'up', forMs: 120_000, attempts: 1 },
      {
        key: '192.0.2.15 #1',
        state: 'waiting',
        why: 'waits 1.2 s: connection refused',
        forMs: 300,
        attempts: 4,
      },
      { key: 'wwan0', state: 'absent', why: 'no such interface now', forMs: 9000, attempts: 0 },
    ],
    open: { sessions: 1, lanes: 4, channels: 2 },
    totals: { sessions: 1, channels: 9, refused: 2, bytesIn: 10_000_000, bytesOut: 200_000 },
    limits: [
      { name: 'channels', used: 2, most: 4096 },
      { name: 'sessions', used: 0, most: 1000 },
    ],
    ...changes,
  }
}

/** The same after so many ms, in which each lane had so many bytes a second, times its number. */
export function later(before: Snapshot, ms: number, rate: number): Snapshot {
  const bytes = (number: number) => (rate * (number + 1) * ms) / 1000
  const sessions = before.sessions.map(session => ({
    ...session,
    lanes: session.lanes.map(each => ({ ...each, bytesIn: each.bytesIn + bytes(each.number) })),
    channels: session.channels.map(each => ({ ...each, bytesIn: each.bytesIn + bytes(0) })),
  }))
  const bytesIn = before.totals.bytesIn + bytes(9)
  return {
    ...before,
    uptimeMs: before.uptimeMs + ms,
    sessions,
    totals: { ...before.totals, bytesIn },
  }
}
