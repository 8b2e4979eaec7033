// Link: keeps a session up to the server, and has a new one when it is lost.
//
//   begin: trunk + mux ──▶ a lane is up ──▶ the session is there ──▶ it fails, or the server drains
//     ▲                                                                │
//     └───────────────── a pause, by chance between 0 and 250 ms · 2^n ┘
//
// A session outlives the loss of all its lanes for a while; what fails with it is reset.

import { connect, isPipeError, type LanePolicy, lanePolicy, mux, PipeError, trunk } from 'striper'
import type { Channel, MessagePipe, WantedLane } from 'striper'
import { roundRobin, soonest, untilCongested } from 'striper'
import { EXIT, Failure } from '../exit.ts'
import type { EventLog } from '../log.ts'
import { formatSecurity } from '../security.ts'
import type { ClientSettings } from '../settings.ts'
import { muxLimits, stripeLimits } from './budget.ts'
import { clientLayers } from './secrecy.ts'
import { type Session, sessionOf } from './session.ts'

const SCHEDULES = { soonest, 'round-robin': roundRobin, 'until-congested': untilCongested }
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 15_000
/** Connections that wait for a session, at most. */
const MOST_WAITING = 256
/** How long another way to the server has to let us in, when one has not; in ms. */
const GRACE_MS = 1000

/** What is to be done with a session. */
export interface LinkEvents {
  /** A session is there: a lane of it is up. */
  up(session: Session): void
  /** The server has opened a channel. */
  channel(session: Session, channel: Channel): void
}

interface Waiter {
  readonly proceed: (session: Session) => void
  readonly fail: (error: PipeError) => void
  readonly timer: ReturnType<typeof setTimeout>
}

export class Link {
  readonly #settings: ClientSettings
  readonly #log: EventLog
  readonly #events: LinkEvents
  readonly #policy: LanePolicy
  readonly #sessions = new Map<Session, Promise<void>>() // with its end
  readonly #waiters = new Set<Waiter>()
  readonly #reasons = new Map<string, string>() // by lane: the last that was said
  #current: Session | undefined
  #isUp = false // the current one
  #failures = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #stopped = false
  #everUp = false
  #resetSince: number | undefined // when a lane was reset first, as one is that was judged
  #refuse!: (failure: Failure) => void
  /** Rejects with a Failure where the server does not let us in at the start. */
  readonly notLetIn = new Promise<never>((_, reject) => (this.#refuse = reject))
  /** Sessions that there were. */
  begun = 0

  constructor(settings: ClientSettings, log: EventLog, events: LinkEvents) {
    this.#settings = settings
    this.#log = log
    this.#events = events
    this.notLetIn.catch(() => undefined)
    const layers = clientLayers(settings)
    const { servers, places, connectTimeoutMs, keepAliveMs } = settings
    this.#policy = lanePolicy({
      from: places,
      to: servers,
      dial: (greeting, way) => {
        const lane = layers(connect({ ...way, connectTimeoutMs, keepAliveMs }), greeting)
        lane.once('error', error => this.#laneFailed(lane, error))
        return lane
      },
    })
  }

  /** Those that are not over: the current one, and such as only let their channels end. */
  get sessions(): readonly Session[] {
    return [...this.#sessions.keys()]
  }

  /** How many wait for a session. */
  get waiting(): number {
    return this.#waiters.size
  }

  /** Begins, for the first time. */
  begin(): void {
    if (this.#stopped) return
    this.#isUp = false
    const schedule = SCHEDULES[this.#settings.schedule]
    const pipe = trunk({
      lanes: this.#policy,
      stripe: { ...stripeLimits(this.#settings), schedule },
    })
    pipe.on('wanted', wanted => this.#wanted(session, wanted as WantedLane))
    const session = sessionOf(
      pipe,
      mux(pipe, {
        role: 'dial',
        ...muxLimits(this.#settings),
        onChannel: channel => this.#events.channel(session, channel),
      }),
      this.#settings.security.by === 'key' ? this.#settings.security.keys[0]!.id : null,
    )
    this.#current = session
    const over = (failure?: PipeError) => this.#over(session, failure)
    this.#sessions.set(
      session,
      session.mux.done.then(() => over(), over),
    )
  }

  /** A session that is there, at once or in a while. Rejects with a PipeError where there is none
   *  in time, or too many wait. */
  async session(): Promise<Session> {
    const current = this.#current
    if (current && this.#isUp && !current.mux.draining) return current
    if (current?.mux.draining) this.#replace(current)
    if (this.#stopped) throw new PipeError('ERR_PIPE_ABORTED', 'the client is stopping')
    if (this.#waiters.size >= MOST_WAITING) {
      throw new PipeError('ERR_PIPE_LIMIT', `${MOST_WAITING} wait for a session already`)
    }
    const { connectTimeoutMs } = this.#settings
    return new Promise((proceed, fail) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter)
        fail(new PipeError('ERR_PIPE_TIMEOUT', `no session in ${connectTimeoutMs} ms`))
      }, connectTimeoutMs)
      const waiter: Waiter = { proceed, fail, timer }
      this.#waiters.add(waiter)
    })
  }

  /** The server takes no more on this session: the next is begun, while its channels end. */
  replace(session: Session): void {
    if (this.#current === session) this.#replace(session)
  }

  /** Has no new session, and resolves when those that are have ended. */
  async drain(): Promise<void> {
    this.#stop()
    for (const { pipe, mux } of this.#sessions.keys()) {
      if (pipe.pending)
        mux.destroy() // nothing is on it
      else void mux.drain().catch(() => undefined) // #over says so
    }
    await Promise.all(this.#sessions.values())
  }

  /** Aborts all. */
  async destroy(): Promise<void> {
    this.#stop()
    for (const { mux } of this.#sessions.keys()) mux.destroy(new Error('the client was stopped'))
    await Promise.all(this.#sessions.values())
  }

  #stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    for (const { fail, timer } of this.#waiters) {
      clearTimeout(timer)
      fail(new PipeError('ERR_PIPE_ABORTED', 'the client is stopping'))
    }
    this.#waiters.clear()
  }

  #replace(session: Session): void {
    this.#current = undefined
    this.#log.say('info', 'drains', `session ${session.name}: the server takes nothing new on it`)
    void session.mux.drain().catch(() => undefined) // #over says so
    this.#again()
  }

  #again(): void {
    if (this.#stopped) return
    const most = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures++, LONGEST_PAUSE_MS)
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.begin(), Math.random() * most)
  }

  #over(session: Session, failure: PipeError | undefined): void {
    this.#sessions.delete(session)
    const { name } = session
    if (failure && !this.#stopped) {
      const sentence = `session ${name} failed, its connections are reset: ${failure.sentence}`
      this.#log.say('warning', 'session-over', sentence, { session: name })
    } else this.#log.say('info', 'session-over', `session ${name} is over`, { session: name })
    if (this.#current !== session) return
    this.#current = undefined
    this.#again()
  }

  #wanted(session: Session, { key, state, why }: WantedLane): void {
    // While the session is up, a lane that comes and goes costs nothing; else it is why all waits.
    // And the same reason, again and again, is said once.
    const reason = why.replace(/^waits [\d.]+ s: /, '')
    const again = state === 'waiting' && this.#reasons.get(key) === reason
    if (state !== 'dialling') this.#reasons.set(key, reason)
    const quiet = state === 'dialling' || again || (state === 'waiting' && this.#isUp)
    this.#log.say(quiet ? 'debug' : 'info', 'lane', `lane ${key}: ${why}`, { key, state })
    if (state !== 'up' || session !== this.#current || this.#isUp) return
    this.#isUp = true
    this.#everUp = true
    this.#failures = 0
    this.begun++
    const { name } = session
    this.#log.say('info', 'session', `session ${name} is up`, { session: name })
    this.#events.up(session)
    for (const { proceed, timer } of this.#waiters) {
      clearTimeout(timer)
      proceed(session)
    }
    this.#waiters.clear()
  }

  /** At the start, whoever is not let in is told so and has done; later it may be mended. */
  #laneFailed(lane: MessagePipe, error: Error): void {
    const { security } = this.#settings
    if (!isPipeError(error) || lane.stats.messagesIn > 0) return
    if (error.code !== 'ERR_PIPE_AUTH' && !this.#judged(lane, error)) return
    const what = formatSecurity(security)
    const sentence =
      `the server does not let us in with ${what}: it has another, or another --server-name, ` +
      'or it is not the server you mean'
    if (this.#everUp) this.#log.say('debug', 'not-let-in', sentence)
    else setTimeout(() => this.#give(sentence), GRACE_MS).unref()
  }

  /** With certificates the server judges when the client is open, and resets what it refuses. A
   *  network may do the same, once: so it counts when it has gone on for a while. */
  #judged(lane: MessagePipe, error: PipeError): boolean {
    const { security } = this.#settings
    if (security.by !== 'certificate' || lane.pending) return false
    if (error.code !== 'ERR_PIPE_RESET') return false
    this.#resetSince ??= performance.now()
    return performance.now() - this.#resetSince > GRACE_MS
  }

  #give(sentence: string): void {
    if (!this.#everUp) this.#refuse(new Failure(EXIT.notLetIn, sentence))
  }
}
