// A conversation: two legs, what listens to their pipes, and how it ends.
//
// There may be ten thousand that say nothing, so what most of them never need is made when it is
// needed: a promise, a watch, a listener of their own.

import {
  abort,
  isPipe,
  isPipeError,
  labelOf,
  Listeners,
  logger,
  PipeError,
  type PipeErrorCode,
} from '@striper/core'
import type { Duplex } from 'node:stream'
import type { Bridge, BridgeResult } from './bridge.ts'
import { Leg, type LegStats } from './leg.ts'
import { Watch } from './watch.ts'

const log = logger('bridge')

/** What ends a conversation before its time. */
export interface Limits {
  readonly idleTimeoutMs: number
  readonly halfOpenTimeoutMs: number
  readonly signal: AbortSignal | undefined
}

/** One for all that have none. */
export const UNLIMITED: Limits = { idleTimeoutMs: 0, halfOpenTimeoutMs: 0, signal: undefined }

export class Conversation implements Bridge {
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
    if (log.enabled) {
      const { left, right } = this
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

/** The labels of two pipes, for a sentence. */
export function namesOf(left: Duplex, right: Duplex): string {
  return `${labelOf(left)}, ${labelOf(right)}`
}

const ignore = () => undefined
