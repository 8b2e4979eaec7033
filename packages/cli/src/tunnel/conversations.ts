// Conversations: every connection that is forwarded, at either end: how many there may be, what
// becomes of each, and what has passed in all.
//
//   begin ──▶ the other side is being reached ──▶ talk: a bridge ──▶ over, with one line in the log
//                          └─ in vain: the channel is refused, with the reason
//
// A conversation counts from its channel's first to its last moment, so that limits hold.

import { bridge, type BytePipe, type Channel, type PipeError } from 'striper'
import type { EventLog } from '../log.ts'
import type { CommonSettings } from '../settings.ts'
import type { ChannelSnapshot } from '../snapshot.ts'
import { formatBytes, formatTime } from '../terminal.ts'
import type { Session } from './session.ts'

/** Between whom a conversation is: addresses, as people write them. */
export interface Parties {
  readonly from: string
  readonly to: string
}

interface Conversation extends Parties {
  readonly number: number
  readonly session: Session
  readonly since: number
}

/** Those of a process. */
export class Conversations {
  readonly #settings: CommonSettings
  readonly #log: EventLog
  readonly #open = new Map<Channel, Conversation>()
  readonly #over = { bytesIn: 0, bytesOut: 0 } // what passed in those that are over
  /** How many there may be at once. */
  readonly most: number
  /** How many there ever were. */
  begun = 0

  constructor(settings: CommonSettings, most: number, log: EventLog) {
    this.#settings = settings
    this.most = most
    this.#log = log
  }

  /** How many there are. */
  get size(): number {
    return this.#open.size
  }

  /** Whether there may be no more. */
  get full(): boolean {
    return this.#open.size >= this.most
  }

  /** What has passed in all. */
  get bytes(): { readonly bytesIn: number; readonly bytesOut: number } {
    const sum = { ...this.#over }
    for (const { stats } of this.#open.keys()) add(sum, stats)
    return sum
  }

  /** Those of one session. */
  of(session: Session): ChannelSnapshot[] {
    const now = performance.now()
    return [...this.#open]
      .filter(([, each]) => each.session === session)
      .map(([{ stats }, { number, to: target, since }]) => {
        const { bytesIn, bytesOut } = stats
        return { number, target, bytesIn, bytesOut, forMs: now - since, priority: 0 }
      })
  }

  /** A channel is for a conversation from now on; it counts until it has closed. */
  begin(session: Session, channel: Channel, { from, to }: Parties): void {
    const number = ++this.begun
    this.#open.set(channel, { from, to, number, session, since: performance.now() })
    channel.once('close', () => {
      this.#open.delete(channel)
      add(this.#over, channel.stats)
    })
    this.#log.say('debug', 'opened', `${from} to ${to}`, { from, to })
  }

  /** Joins a channel that has begun with what it is for; both are the bridge's from now on, which
   *  says in the log what came of it. */
  talk(channel: Channel, other: BytePipe, { from, to }: Parties): void {
    const { idleTimeoutMs, halfOpenTimeoutMs } = this.#settings
    const since = performance.now()
    const over = (failure?: PipeError) => {
      const { bytesIn, bytesOut } = channel.stats
      const ms = Math.round(performance.now() - since)
      const passed = `${formatBytes(bytesIn)} in, ${formatBytes(bytesOut)} out in ${formatTime(ms)}`
      const { level, event, how } = outcome(failure, channel)
      const reason = failure === undefined ? {} : { reason: failure.sentence }
      const fields = { from, to, bytesIn, bytesOut, ms, ...reason }
      this.#log.say(level, event, `${from} to ${to} ${how}; ${passed}`, fields)
    }
    const conversation = bridge(channel, other, { idleTimeoutMs, halfOpenTimeoutMs })
    conversation.done.then(() => over(), over)
  }
}

/** What came of a conversation: a refusal is for somebody to mend, a reset is daily life. */
function outcome(failure: PipeError | undefined, channel: Channel) {
  if (failure === undefined) return { level: 'info', event: 'ended', how: 'ended' } as const
  const { code, label, sentence } = failure
  if (code === 'ERR_PIPE_CONNECT' && label === channel.label) {
    return { level: 'warning', event: 'refused', how: `was refused: ${sentence}` } as const
  }
  const where = label === channel.label ? 'in the tunnel' : 'at this end'
  return { level: 'info', event: 'reset', how: `was reset ${where}: ${sentence}` } as const
}

function add(sum: { bytesIn: number; bytesOut: number }, more: Channel['stats']): void {
  sum.bytesIn += more.bytesIn
  sum.bytesOut += more.bytesOut
}
