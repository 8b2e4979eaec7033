// bridge(): two pipes of one kind become one conversation.
//
//            ┌───────────── left leg ─────────────▶┐
//   left pipe                                       right pipe
//            └◀──────────── right leg ─────────────┘
//
// Two equal legs that share nothing but the end of the story. It is a good end when both pipes have
// ended both ways and closed. Anything else, on either side, is an abort of both, so that no far
// end takes half of a conversation for the whole of it.

import { isPipe, labelOf, throwIfOwned } from '@striper/core'
import type { ByteDuplex, Kind, Pipe } from '@striper/core'
import type { Duplex } from 'node:stream'
import { Conversation, namesOf, UNLIMITED } from './conversation.ts'
import type { LegStats } from './leg.ts'
import { MAX_TIMEOUT_MS } from './watch.ts'

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
  /** Settles when both pipes have closed. Resolves where both directions ended; rejects with a
   *  PipeError otherwise: what failed first, not what failed in consequence, and by then each far
   *  end has seen an abort. It is made when somebody asks, which may be late, and is the same each
   *  time. Whoever does not care may leave it alone: it is never an unhandled rejection. */
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

function kindOf(duplex: Duplex): Kind {
  if (isPipe(duplex)) return duplex.kind
  const { readableObjectMode, writableObjectMode, readableEncoding } = duplex
  if (!readableObjectMode && !writableObjectMode && readableEncoding === null) return 'bytes'
  throw new TypeError(`${labelOf(duplex)} carries objects or strings, and a bridge carries bytes`)
}
