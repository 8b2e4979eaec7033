// gather: the listening end of trunks. Reads who each lane is for, and gathers lanes into sessions.
//
//   byte pipe ─▶ greeting ─▶ layers ─▶ PROOF, where they give secrecy ─▶ HELLO ─▶ its session
//
// sessions.ts has the sessions. Whoever comes with nothing costs one connection for
// `helloTimeoutMs`, and `STRANGER_BYTES`.

import { abort, type ByteDuplex, type BytePipe, logger, type MessagePipe } from '@striper/core'
import { addressOf, isPipe, isPipeError, PipeError, type Secured, securedBy } from '@striper/core'
import { awaitHello, type StripePipe } from '@striper/stripe'
import { GreetedPipe } from './greeting.ts'
import { decodeProof, type Proof } from './proof.ts'
import { Admission, type EarlyDrop, sourceOf } from './pure/admission.ts'
import { type SessionStripe, Sessions, type Verdict } from './sessions.ts'

const log = logger('gather')

/** Ten times what OpenSSH has: a client of ours comes with 8 to 32 connections at once. */
const EARLY_DROP: EarlyDrop = { begin: 100, percent: 30, full: 1000 }

export interface GatherOptions {
  /** What stands between a lane's bytes and its messages: `bytes => stack(bytes, frame())`, or with
   *  secrecy `bytes => stack(bytes, tlsServer({ keys }), frame())`. */
  layers: (bytes: BytePipe) => MessagePipe
  /** A new session; whoever takes it owns it. `peer` is whom its lanes come from, where they have
   *  secrecy. */
  onSession: (session: StripePipe, peer: string | undefined) => void
  /** Refuses each lane for which `layers` give no secrecy; default false. A lane that has it must
   *  prove itself in any case. */
  requireProof?: boolean
  /** How long a connection may take to say which session it is for, in ms; 10 s. */
  helloTimeoutMs?: number
  /** Sessions at once, at most; 1,000. */
  maxSessions?: number
  /** Lanes of one session at once, at most; 32. */
  maxLanes?: number
  /** How many connections may be strangers; 100:30:1000. */
  earlyDrop?: EarlyDrop
  /** What each offence of a stranger adds to the time for which his address is refused, in ms; 5 s.
   *  It counts above 15 s, and ends at 600 s. 0 behind a load balancer, where all have its address,
   *  and where entries share one address with those whom they do not trust. */
  penaltyMs?: number
  /** A number from 0 to 1, for who is dropped; `Math.random`. */
  random?: () => number
  /** What each session's stripe is made with. A function is asked for each that is to begin, and
   *  refuses it with undefined; the session that is made is given to `onSession` at once. */
  stripe?: SessionStripe
}

/** Makes a Gatherer: give it each connection that comes. */
export function gather(options: GatherOptions): Gatherer {
  return new Gatherer(options)
}

/** The listening end of trunks. Made by `gather`. */
export class Gatherer {
  readonly #options: GatherOptions
  readonly #sessions: Sessions
  readonly #admission: Admission
  readonly #strangers = new Map<GreetedPipe, MessagePipe | undefined>() // with the lane, once made

  constructor(options: GatherOptions) {
    const { earlyDrop = EARLY_DROP, penaltyMs = 5000 } = options
    this.#options = options
    this.#admission = new Admission({ earlyDrop, penaltyMs })
    this.#sessions = new Sessions(options)
  }

  /** The sessions that are not over. */
  get sessions(): readonly StripePipe[] {
    return this.#sessions.all
  }

  /** Connections that have not said which session they are for. */
  get strangers(): number {
    return this.#strangers.size
  }

  /** Whom the lanes of a session come from; undefined where they have no secrecy. */
  peerOf(session: StripePipe): string | undefined {
    return this.#sessions.peerOf(session)
  }

  /** Takes a connection, and owns it. One that is no lane is destroyed, with one line in the log */
  accept(connection: ByteDuplex): void {
    const { helloTimeoutMs = 10_000, random = Math.random } = this.#options
    const source = sourceOf(remoteOf(connection))
    const now = performance.now()
    const refusal = this.#admission.refusal(source, this.strangers, now, random())
    if (refusal !== undefined) {
      log('%s refused: %s', source, refusal)
      connection.on('error', () => undefined) // of what is over already
      abort(connection)
      return
    }
    const greeted = new GreetedPipe(connection)
    this.#strangers.set(greeted, undefined)
    const timer = setTimeout(() => {
      const sentence = `no lane of a session in ${helloTimeoutMs} ms`
      greeted.destroy(new PipeError('ERR_PIPE_TIMEOUT', sentence, { label: greeted.label }))
    }, helloTimeoutMs)
    const settled = () => {
      clearTimeout(timer)
      this.#strangers.delete(greeted)
    }
    let joined = false // a lane says why it failed when what is below it has closed, and so is gone
    let offended = false // a failure may be told twice: by the lane, and by what is below it
    const offence = () => {
      if (!offended) this.#admission.offence(source, performance.now())
      offended = true
    }
    const failed = (error: Error) => {
      log('%s', error.message)
      if (!joined && isOffence(error)) offence()
    }
    greeted.once('close', settled)
    greeted.on('error', failed)
    greeted.once('ready', () => {
      const lane = this.#options.layers(greeted)
      this.#strangers.set(greeted, lane)
      // Its failure takes what is below with it, and tells nobody there why.
      lane.on('error', failed)
      this.#hear(lane, greeted, verdict => {
        if (verdict === 'liar') offence()
        if (verdict !== 'joined') return
        joined = true
        settled()
        greeted.admit()
      })
    })
  }

  /** Aborts every session, and every stranger, whose lanes come from that peer, and says how many
   *  sessions. To be called when a key has been deleted: what is open has been let in. */
  revoke(peer: string): number {
    for (const [greeted, lane] of this.#strangers) {
      const secured = lane && securedBy(lane)
      if (secured && !secured.pending && secured.peer === peer) greeted.destroy()
    }
    return this.#sessions.revoke(peer)
  }

  /** Aborts every session, and every connection that has none. */
  destroy(): void {
    for (const each of [...this.#strangers.keys()]) each.destroy()
    for (const each of this.sessions) each.destroy()
  }

  /** Waits for a lane's PROOF, where it has secrecy, and its HELLO. Whoever is refused stays a
   *  stranger, and has until the time is up to go. */
  #hear(lane: MessagePipe, { session: id }: GreetedPipe, judged: (verdict: Verdict) => void) {
    const secured = securedBy(lane)
    const hello = (proof?: { proof: Proof; lane: Secured }) => {
      awaitHello(lane, hello => {
        if (!hello.session.equals(id)) {
          throw new PipeError('ERR_PIPE_PROTOCOL', 'greeting and HELLO name two sessions')
        }
        judged(this.#sessions.admit(lane, hello, proof))
      })
    }
    if (secured) {
      lane.once('data', (message: Buffer) => {
        try {
          hello({ proof: decodeProof(message), lane: secured })
        } catch (error) {
          lane.destroy(PipeError.from(error, lane.label))
        }
      })
    } else if (this.#options.requireProof) {
      lane.destroy(new PipeError('ERR_PIPE_AUTH', 'a lane without secrecy', { label: lane.label }))
    } else {
      hello()
    }
  }
}

/** Whether a failure is a stranger's doing: a reset, an end or a silence may be the network's. */
function isOffence(error: Error): boolean {
  if (!isPipeError(error)) return false
  return error.code === 'ERR_PIPE_AUTH' || error.code === 'ERR_PIPE_PROTOCOL'
}

function remoteOf(connection: ByteDuplex): string | undefined {
  if (isPipe(connection)) return addressOf(connection)?.remote
  const { remoteAddress: host, remotePort: port } = connection as {
    remoteAddress?: unknown
    remotePort?: unknown
  }
  if (typeof host !== 'string' || typeof port !== 'number') return undefined
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
