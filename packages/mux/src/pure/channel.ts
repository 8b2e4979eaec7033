// ChannelCore: one channel, as the protocol sees it: its two halves, and what is due to the peer.
//
//   outgoing ── OPEN, DATA, END, BLOCKED ──▶
//   incoming ◀─ OPEN, DATA, END ────────────     ── CREDIT ──▶ as its reader reads
//
// Pure. MuxCore moves it; `pipe` is whatever the shell made of it.

import { PipeError } from '@striper/core'
import { Incoming, INITIAL_CREDIT, Outgoing } from '@striper/reassemble/pure'
import type { Turn } from './turns.ts'
import type { Opening, Priority } from './wire.ts'

export class ChannelCore<P> implements Turn {
  /** Whether this end opens it. */
  readonly own: boolean
  readonly outgoing = new Outgoing()
  readonly incoming: Incoming
  header: Buffer
  priority: Priority | undefined
  /** Its number on the wire; -1 while its OPEN has not gone. */
  number = -1
  pipe: P | undefined
  /** Whether its OPEN has gone, or come. */
  opened = false
  /** Whether this end or the other has reset it, or it has been closed. */
  gone = false
  /** Whether nobody has taken it into use yet. */
  waiting = false
  /** Whether its reader wants more than has come. */
  wanted = false
  /** Whether its writer has ended, and END is due or gone. */
  ending = false
  endSent = false
  /** Credit that the peer has not been told of yet. */
  creditDue: number | undefined
  /** The limit that a BLOCKED is due for. */
  blockedDue: number | undefined
  spent = 0
  round = 0

  constructor(own: boolean, windowBytes: number, opening: Opening) {
    this.own = own
    this.incoming = new Incoming(windowBytes, INITIAL_CREDIT)
    this.header = opening.header
    this.priority = opening.priority
  }

  /** Bytes that it has to send. */
  get queued(): number {
    return this.outgoing.queued
  }

  /** Whether everything has been said, both ways. */
  get done(): boolean {
    return this.endSent && this.incoming.arrived
  }

  /** What its window has grown by, in bytes. */
  get grown(): number {
    return this.incoming.window - INITIAL_CREDIT
  }

  /** What it would grow by if it grew once more, in bytes. */
  get growth(): number {
    return this.incoming.nextWindow - this.incoming.window
  }
}

/** A failure of the whole mux: the peer has broken the protocol. */
export function protocol(sentence: string): PipeError {
  return new PipeError('ERR_PIPE_PROTOCOL', sentence)
}

/** A failure of the whole mux: the peer has exceeded a limit. */
export function limit(sentence: string): PipeError {
  return new PipeError('ERR_PIPE_LIMIT', sentence)
}
