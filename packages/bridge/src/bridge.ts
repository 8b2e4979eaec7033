// bridge(): two pipes of one kind become one conversation.
//
//            ┌───────────── left leg ─────────────▶┐
//   left pipe                                       right pipe
//            └◀──────────── right leg ─────────────┘
//
// Two equal legs that share nothing but the end of the story. It is a good end when both pipes have
// ended both ways and closed. Anything else, on either side, is an abort of both, so that no far
// end takes half of a conversation for the whole of it.

import {
  abort,
  isPipe,
  isPipeError,
  labelOf,
  Listeners,
  logger,
  PipeError,
  throwIfOwned,
} from '@striper/core'
import type { ByteDuplex, Kind, Pipe, PipeErrorCode } from '@striper/core'
import type { Duplex } from 'node:stream'
import { Leg, type LegStats } from './leg.ts'
import { MAX_TIMEOUT_MS, Watch } from './watch.ts'

const log = logger('bridge')

export interface BridgeOptions {
  /** How long nothing may move, either way, in ms; then both pipes are aborted with
   *  ERR_PIPE_TIMEOUT, at most a quarter of the time late. Default 0: for ever. */
  idleTimeoutMs?: number
  /** The same, once one direction has ended: how long the other may then go without progress. It is
   *  a bound on silence, not on the length of an answer. Where both limits are set, the shorter
   *  counts. Default 0: for ever, or as `idleTimeoutMs` says. */
  halfOpenTimeoutMs?: number
  /** Aborts both pipes with ERR_PIPE_ABORTED. The bridge stops listening to it when it is done.
   *  (Node 20 warns of a leak where more than ten listen to one signal: `events.setMaxListeners(0,
   *  signal)`.) */
  signal?: AbortSignal
}

/** The figures of a conversation that is over. */
export interface BridgeResult {
  readonly left: LegStats
  readonly right: LegStats
}

export interface Bridge {
  /** The leg that reads from the left pipe and writes to the right one. */
  readonly left: LegStats
  /** The leg that reads from the right pipe and writes to the left one. */
  readonly right: LegStats
  /** The same promise each time. Settles when both pipes have closed. Resolves where both directions ended; rejects with a
   *  PipeError otherwise: what failed first, not what failed in consequence, and by then each far
   *  end has seen an abort. Whoever does not care may leave it alone: it is never an unhandled
   *  rejection. */
  readonly done: Promise<BridgeResult>
  /** Aborts both pipes: with ERR_PIPE_ABORTED and `error` as its cause, or with `error` itself if
   *  it is a PipeError. Does nothing once the conversation has failed or is over. */
  destroy(error?: Error): void
}

/**
 * Relays between two pipes of one kind until both have closed, and owns both from now on: nobody
 * else reads, writes, ends or destroys them. Where byte pipes are taken, so is any Duplex of Node's
 * that carries bytes: a socket, a TLS socket, a child's stdio.
 *
 * A pipe may still be opening. One that has ended is taken for what it is, and the other is ended;
 * one that has failed, closed or been ended at this side makes `done` reject. A plain socket is
 * better made a pipe first (`fromSocket` of @striper/tcp): where data and a reset wait together,
 * Node itself takes the reset for an end.
 *
 * Throws a TypeError for pipes of different kinds, one pipe given twice, a pipe that something else
 * stands on, or a Duplex of objects or strings, and a RangeError for a time-out that is none.
 */
export function bridge(left: ByteDuplex, right: ByteDuplex, options?: BridgeOptions): Bridge
export function bridge<K extends Kind>(
  left: Pipe<K>,
  right: Pipe<NoInfer<K>>,
  options?: BridgeOptions,
): Bridge
export function bridge(left: Duplex, right: Duplex, options: BridgeOptions = {}): Bridge {
  const kind = kindOf(left)
  if (kind !== kindOf(right)) {
    throw new TypeError(`cannot bridge ${namesOf(left, right)}: ${kind} to ${kindOf(right)}`)
  }
  if (left === right) throw new TypeError(`cannot bridge ${labelOf(left)} to itself`)
  for (const pipe of [left, right]) throwIfOwned(pipe)
  const { idleTimeoutMs = 0, halfOpenTimeoutMs = 0, signal } = options
  for (const [name, ms] of Object.entries({ idleTimeoutMs, halfOpenTimeoutMs })) {
    if (ms >= 0 && ms <= MAX_TIMEOUT_MS) continue
    throw new RangeError(`${name} must be 0..${MAX_TIMEOUT_MS}, got ${ms}`)
  }
  const limited = idleTimeoutMs > 0 || halfOpenTimeoutMs > 0 || signal !== undefined
  return new Conversation(
    left,
    right,
    limited ? { idleTimeoutMs, halfOpenTimeoutMs, signal } : UNLIMITED,
  )
}

interface Limits {
  readonly idleTimeoutMs: number
  readonly halfOpenTimeoutMs: number
  readonly signal: AbortSignal | undefined
}

/** One for all that have none. */
const UNLIMITED: Limits = { idleTimeoutMs: 0, halfOpenTimeoutMs: 0, signal: undefined }

class Conversation implements Bridge {
  readonly #leftLeg: Leg
  readonly #rightLeg: Leg
  readonly #limits: Limits
  #watch: Watch | undefined // where there is a limit
  #signalled: (() => void) | undefined // where there is a signal
  #done: Promise<BridgeResult> | undefined // not before anybody asks
  #settle: (() => void) | undefined // settles that, once it is over
  #failure: PipeError | undefined // the first

  static readonly #listeners = new Listeners<Conversation>({
    error: (conversation, pipe, error) => {
      conversation.#fail(PipeError.from(error, labelOf(pipe)))
    },
    close: (conversation, pipe) => conversation.#closed(conversation.#legFrom(pipe)),
    data: (conversation, pipe, chunk) => conversation.#legFrom(pipe).pass(chunk),
    end: (conversation, pipe) => conversation.#ended(conversation.#legFrom(pipe)),
    finish: (_, foreign) => closeIfDone(foreign),
  })

  constructor(left: Duplex, right: Duplex, limits: Limits) {
    this.#leftLeg = new Leg(left, right)
    this.#rightLeg = new Leg(right, left)
    this.#limits = limits
    const { idleTimeoutMs, halfOpenTimeoutMs, signal } = limits
    if (idleTimeoutMs > 0 || halfOpenTimeoutMs > 0) {
      const progress = () => this.#leftLeg.progress + this.#rightLeg.progress
      this.#watch = new Watch(progress, () => this.#silent())
    }
    if (signal) this.#signalled = () => this.#abortedBy(signal.reason)
    this.#start()
  }

  get #label(): string {
    return `bridge(${namesOf(this.#leftLeg.source, this.#rightLeg.source)})`
  }

  get done(): Promise<BridgeResult> {
    if (this.#done) return this.#done
    this.#done = new Promise((resolve, reject) => {
      this.#settle = () => {
        if (this.#failure) reject(this.#failure)
        else resolve({ left: this.left, right: this.right })
      }
    })
    this.#done.catch(ignore)
    if (this.#over) this.#settle!()
    return this.#done
  }

  get #over(): boolean {
    return this.#leftLeg.closed && this.#rightLeg.closed
  }

  get #legs(): readonly [Leg, Leg] {
    return [this.#leftLeg, this.#rightLeg]
  }

  #legFrom(pipe: Duplex): Leg {
    return pipe === this.#leftLeg.source ? this.#leftLeg : this.#rightLeg
  }

  get left(): LegStats {
    return this.#leftLeg.stats
  }

  get right(): LegStats {
    return this.#rightLeg.stats
  }

  destroy(error?: Error): void {
    if (isPipeError(error)) this.#fail(error)
    else this.#fail(this.#error('ERR_PIPE_ABORTED', error?.message ?? 'destroyed', error))
  }

  #start(): void {
    // Listen to both before either is used: one may take the other down.
    for (const { source } of this.#legs) this.#listen(source)
    for (const leg of this.#legs) this.#examine(leg)
    const { signal } = this.#limits
    if (signal?.aborted) this.#abortedBy(signal.reason)
    if (this.#failure) return
    if (this.#signalled) signal?.addEventListener('abort', this.#signalled)
    if (log.enabled) log('%s open', this.#label)
    this.#startWatch()
    for (const leg of this.#legs) this.#startLeg(leg)
  }

  #listen(pipe: Duplex): void {
    pipe.allowHalfOpen = true // a foreign socket may say otherwise, and would lose late answers
    Conversation.#listeners.listen(pipe, this, 'error', 'close')
    if (!isPipe(pipe)) Conversation.#listeners.listen(pipe, this, 'finish')
  }

  /** Sees in what state a pipe comes: an event that has been will not come again. */
  #examine(leg: Leg): void {
    const pipe = leg.source
    if (pipe.errored) this.#fail(PipeError.from(pipe.errored, labelOf(pipe)))
    else if (pipe.writableEnded) this.#failClosed(pipe)
    if (pipe.closed) this.#closed(leg)
  }

  #startLeg(leg: Leg): void {
    if (leg.source.readableEnded) return this.#ended(leg) // its 'end' will not come again
    Conversation.#listeners.listen(leg.source, this, 'data', 'end')
    leg.start()
  }

  #ended(leg: Leg): void {
    leg.end()
    if (log.enabled) {
      log('%s one direction ended, left %o, right %o', this.#label, this.left, this.right)
    }
    this.#startWatch()
    if (!isPipe(leg.source)) closeIfDone(leg.source)
  }

  #startWatch(): void {
    if (this.#limitMs > 0) this.#watch?.start(this.#limitMs)
  }

  get #halfOpen(): boolean {
    return this.#leftLeg.ended || this.#rightLeg.ended
  }

  /** How long nothing may move, as things are; 0: for ever. */
  get #limitMs(): number {
    const idle = this.#limits.idleTimeoutMs
    const halfOpen = this.#halfOpen ? this.#limits.halfOpenTimeoutMs : 0
    return idle > 0 && halfOpen > 0 ? Math.min(idle, halfOpen) : Math.max(idle, halfOpen)
  }

  #silent(): void {
    const state = this.#halfOpen ? 'half-open and idle' : 'idle'
    this.#fail(this.#error('ERR_PIPE_TIMEOUT', `${state} for ${this.#limitMs} ms`))
  }

  #abortedBy(reason: unknown): void {
    this.#fail(this.#error('ERR_PIPE_ABORTED', 'aborted by its signal', reason))
  }

  #failClosed(pipe: Duplex): void {
    const label = labelOf(pipe)
    this.#fail(new PipeError('ERR_PIPE_CLOSED', 'closed before its end', { label }))
  }

  #fail(failure: PipeError): void {
    if (this.#failure) return
    this.#failure = failure
    this.#watch?.stop()
    for (const { source } of this.#legs) abort(source, failure)
  }

  #closed(leg: Leg): void {
    if (!isDone(leg.source)) this.#failClosed(leg.source)
    if (leg.closed) return
    leg.closed = true
    if (this.#over) this.#finish()
  }

  #finish(): void {
    this.#watch?.stop()
    if (this.#signalled) this.#limits.signal?.removeEventListener('abort', this.#signalled)
    for (const leg of this.#legs) {
      leg.stop()
      leg.source.on('error', ignore) // never without a listener
      Conversation.#listeners.release(leg.source)
    }
    const { left, right } = this
    if (log.enabled) {
      log('%s %s, left %o, right %o', this.#label, this.#failure?.message ?? 'done', left, right)
    }
    this.#settle?.()
  }

  #error(code: PipeErrorCode, sentence: string, cause?: unknown): PipeError {
    return new PipeError(code, sentence, { label: this.#label, cause })
  }
}

/** Whether both directions of a pipe are done, so that its closing loses nothing. */
function isDone(pipe: Duplex): boolean {
  return pipe.readableEnded && pipe.writableFinished
}

/** For what is no pipe: a pipe closes by itself when it is done. */
function closeIfDone(foreign: Duplex): void {
  if (isDone(foreign)) foreign.destroy()
}

function kindOf(duplex: Duplex): Kind {
  if (isPipe(duplex)) return duplex.kind
  const { readableObjectMode, writableObjectMode, readableEncoding } = duplex
  if (!readableObjectMode && !writableObjectMode && readableEncoding === null) return 'bytes'
  throw new TypeError(`${labelOf(duplex)} carries objects or strings, and a bridge carries bytes`)
}

function namesOf(left: Duplex, right: Duplex): string {
  return `${labelOf(left)}, ${labelOf(right)}`
}

const ignore = () => undefined
