// gather: the listening end of trunks. Reads who each lane is for, and gathers lanes into sessions.
//
//   byte pipe ──▶ greeting ──▶ layers ──▶ HELLO ──▶ the session of that id, a new one, a refusal
//
// Whoever comes with nothing costs one connection for `helloTimeoutMs`, and no more than one
// message.

import { type ByteDuplex, type BytePipe, logger, type MessagePipe, PipeError } from '@striper/core'
import { readHello, refusal, stripe, type StripeOptions, type StripePipe } from '@striper/stripe'
import { GreetedPipe } from './greeting.ts'

const log = logger('gather')

/** How long the id of a session that is over is remembered, in ms, so that a late lane does not
 *  open it again. */
const OVER_MS = 60_000
const MOST_OVER = 10_000

/** What is remembered of a session that is over. */
interface Memory {
  /** When it may be forgotten. */
  readonly until: number
  /** Whether all had arrived, both ways: its peer may not know yet. */
  readonly finished: boolean
}

export interface GatherOptions {
  /** What stands between a lane's bytes and its messages: `bytes => stack(bytes, frame())`. */
  layers: (bytes: BytePipe) => MessagePipe
  /** A new session; whoever takes it owns it. */
  onSession: (session: StripePipe) => void
  /** How long a connection may take to say which session it is for, in ms; 10 s. */
  helloTimeoutMs?: number
  /** Sessions at once, at most; 1,000. */
  maxSessions?: number
  /** Lanes of one session at once, at most; 32. */
  maxLanes?: number
  /** What each session's stripe is made with. */
  stripe?: Omit<StripeOptions, 'role' | 'session' | 'lanes'>
}

/** Makes a Gatherer: give it each connection that comes. */
export function gather(options: GatherOptions): Gatherer {
  return new Gatherer(options)
}

/** The listening end of trunks. Made by `gather`. */
export class Gatherer {
  readonly #options: GatherOptions
  readonly #sessions = new Map<string, StripePipe>()
  readonly #over = new Map<string, Memory>() // by id; the oldest first
  readonly #strangers = new Set<BytePipe>()

  constructor(options: GatherOptions) {
    this.#options = options
  }

  /** The sessions that are not over. */
  get sessions(): readonly StripePipe[] {
    return [...this.#sessions.values()]
  }

  /** Connections that have not said which session they are for. */
  get strangers(): number {
    return this.#strangers.size
  }

  /** Takes a connection, and owns it. One that is no lane is destroyed, with one line in the log */
  accept(connection: ByteDuplex): void {
    const { helloTimeoutMs = 10_000 } = this.#options
    const greeted = new GreetedPipe(connection)
    this.#strangers.add(greeted)
    const timer = setTimeout(() => {
      const sentence = `no lane of a session in ${helloTimeoutMs} ms`
      greeted.destroy(new PipeError('ERR_PIPE_TIMEOUT', sentence, { label: greeted.label }))
    }, helloTimeoutMs)
    const settled = () => {
      clearTimeout(timer)
      this.#strangers.delete(greeted)
    }
    greeted.once('close', settled)
    greeted.on('error', error => log('refused: %s', error.message))
    greeted.once('ready', () => {
      const lane = this.#options.layers(greeted)
      lane.on('error', error => log('%s', error.message))
      lane.once('data', (message: Buffer) => {
        // Whoever is refused stays a stranger, and has until the time is up to go.
        if (this.#admit(lane, greeted.session, message)) settled()
      })
    })
  }

  /** Aborts every session, and every connection that has none. */
  destroy(): void {
    for (const each of this.#strangers) each.destroy()
    for (const each of this.sessions) each.destroy()
  }

  /** Whether the lane is of a session now. */
  #admit(lane: MessagePipe, id: Buffer, message: Buffer): boolean {
    try {
      const hello = readHello(message)
      if (!hello.session.equals(id)) {
        throw new PipeError('ERR_PIPE_PROTOCOL', 'greeting and HELLO name two sessions')
      }
      const session = this.#sessions.get(key(id)) ?? (hello.mayOpen ? this.#open(id) : undefined)
      if (session) this.#join(session, lane, hello)
      else this.#refuse(lane, id, 'no such session')
      return session !== undefined
    } catch (error) {
      lane.destroy(PipeError.from(error, lane.label))
      return false
    }
  }

  #join(session: StripePipe, lane: MessagePipe, hello: ReturnType<typeof readHello>): void {
    const { maxLanes = 32 } = this.#options
    if (session.lanes.length < maxLanes) session.adoptLane(lane, hello)
    else lane.destroy(new PipeError('ERR_PIPE_LIMIT', `more than ${maxLanes} lanes`))
  }

  #open(id: Buffer): StripePipe | undefined {
    const { onSession, maxSessions = 1000 } = this.#options
    if (this.#sessions.size >= maxSessions || this.#wasOver(key(id))) return undefined
    const session = stripe({ ...this.#options.stripe, role: 'accept', session: id })
    session.on('error', error => log('%s', error.message))
    this.#sessions.set(key(id), session)
    session.once('close', () => {
      this.#sessions.delete(key(id))
      const finished = session.readableEnded && session.writableFinished
      this.#remember(key(id), finished)
    })
    onSession(session)
    return session
  }

  #refuse(lane: MessagePipe, id: Buffer, why: string): void {
    log('%s: refused, %s', lane.label, why)
    lane.resume() // to its end
    lane.end(refusal(this.#wasOver(key(id)) && this.#over.get(key(id))!.finished))
  }

  #remember(id: string, finished: boolean): void {
    this.#over.set(id, { until: performance.now() + OVER_MS, finished })
    for (const [each, { until }] of this.#over) {
      if (this.#over.size <= MOST_OVER && until > performance.now()) return
      this.#over.delete(each)
    }
  }

  #wasOver(id: string): boolean {
    return (this.#over.get(id)?.until ?? 0) > performance.now()
  }
}

function key(id: Buffer): string {
  return id.toString('hex')
}
