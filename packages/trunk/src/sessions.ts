// Sessions: those of a gatherer, whom each belongs to, and which lane may join it.
//
// A session that a lane with secrecy opened belongs to the secret that this lane proved, and to the
// peer it came from; one that a plain lane opened, to nobody. Only the like may join.

import { logger, type MessagePipe, PipeError, type Secured } from '@striper/core'
import { type Opening, refusal, stripe, type StripeOptions, type StripePipe } from '@striper/stripe'
import { type Owner, ownerBy, type Proof } from './proof.ts'

const log = logger('gather')

/** How long the id of a session that is over is remembered, in ms, so that a late lane does not
 *  open it again. */
const OVER_MS = 60_000
const MOST_OVER = 10_000

/** A lane that has said PROOF. */
interface Proving {
  readonly proof: Proof
  readonly lane: Secured
}

/** What became of a lane: it is of a session, or there is none for it, or it claimed one that is
 *  not its own. */
export type Verdict = 'joined' | 'none' | 'liar'

/** What is remembered of a session. */
interface Known {
  /** Whom it belongs to; undefined where its lanes have no secrecy. */
  readonly owner: Owner | undefined
}

interface Live extends Known {
  readonly pipe: StripePipe
}

interface Over extends Known {
  /** When it may be forgotten. */
  readonly until: number
  /** Whether all had arrived, both ways: its peer may not know yet. */
  readonly finished: boolean
}

type StripeLimits = Omit<StripeOptions, 'role' | 'session' | 'lanes'>

/** What the stripes of sessions are made with: each of them, or one by one. */
export type SessionStripe = StripeLimits | (() => StripeLimits | undefined)

export interface SessionsOptions {
  onSession: (session: StripePipe, peer: string | undefined) => void
  maxSessions?: number
  maxLanes?: number
  stripe?: SessionStripe
}

export class Sessions {
  readonly #options: SessionsOptions
  readonly #live = new Map<string, Live>()
  readonly #over = new Map<string, Over>() // by id; the oldest first

  constructor(options: SessionsOptions) {
    this.#options = options
  }

  /** Those that are not over. */
  get all(): readonly StripePipe[] {
    return [...this.#live.values()].map(({ pipe }) => pipe)
  }

  /** Whom a session belongs to, where its lanes have secrecy. */
  peerOf(session: StripePipe): string | undefined {
    return this.#live.get(key(session.session))?.owner?.peer
  }

  /** Aborts those of one peer, and says how many. */
  revoke(peer: string): number {
    const theirs = [...this.#live.values()].filter(({ owner }) => owner?.peer === peer)
    for (const { pipe } of theirs) pipe.destroy()
    return theirs.length
  }

  /** Puts a lane where its HELLO says. One that proves nothing is answered like one whose session
   *  was never there. */
  admit(lane: MessagePipe, hello: Opening, proving: Proving | undefined): Verdict {
    const { session: id } = hello
    const live = this.#live.get(key(id))
    const over = this.#overAs(id)
    const known = live ?? over
    const owner = proving && ownerBy(proving.proof, id, proving.lane, known?.owner)
    const theirs = (owner !== undefined) === (proving !== undefined)
    const sameKind = known === undefined || (known.owner !== undefined) === (proving !== undefined)
    const fits = theirs && sameKind
    if (fits && live) return this.#join(live, lane, hello)
    const opened = fits && !over && hello.mayOpen ? this.#open(id, owner) : undefined
    if (opened) return this.#join(opened, lane, hello)
    log('%s: refused, no such session', lane.label)
    lane.resume() // to its end
    lane.end(refusal(fits && over !== undefined && over.finished))
    return known && !fits ? 'liar' : 'none'
  }

  #join({ pipe }: Live, lane: MessagePipe, hello: Opening): Verdict {
    const { maxLanes = 32 } = this.#options
    if (pipe.lanes.length >= maxLanes) {
      throw new PipeError('ERR_PIPE_LIMIT', `more than ${maxLanes} lanes`)
    }
    pipe.adoptLane(lane, hello)
    return 'joined'
  }

  #open(id: Buffer, owner: Owner | undefined): Live | undefined {
    const { onSession, maxSessions = 1000 } = this.#options
    if (this.#live.size >= maxSessions) return undefined
    const { stripe: limits = {} } = this.#options
    const made = typeof limits === 'function' ? limits() : limits
    if (made === undefined) return undefined
    const pipe = stripe({ ...made, role: 'accept', session: id })
    const live = { pipe, owner }
    pipe.on('error', error => log('%s', error.message))
    this.#live.set(key(id), live)
    pipe.once('close', () => {
      this.#live.delete(key(id))
      this.#remember(id, owner, pipe.readableEnded && pipe.writableFinished)
    })
    onSession(pipe, owner?.peer)
    return live
  }

  #remember(id: Buffer, owner: Owner | undefined, finished: boolean): void {
    this.#over.set(key(id), { until: performance.now() + OVER_MS, owner, finished })
    for (const [each, { until }] of this.#over) {
      if (this.#over.size <= MOST_OVER && until > performance.now()) return
      this.#over.delete(each)
    }
  }

  #overAs(id: Buffer): Over | undefined {
    const over = this.#over.get(key(id))
    return over && over.until > performance.now() ? over : undefined
  }
}

function key(id: Buffer): string {
  return id.toString('hex')
}
