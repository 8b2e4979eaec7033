// Reverse: has the server listen for each -R, in each session anew.
//
//   channel: listen ──▶ server       its answer is the port; while the channel is open it listens
//
// Where it cannot (the port is taken, no rule allows it) it is asked again, less and less often.

import { type Channel, formatAddress, type PipeError } from 'striper'
import type { EventLog } from '../log.ts'
import { encodeRequest } from '../pure/request.ts'
import type { Forward } from '../values.ts'
import type { Session } from './session.ts'

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30_000

/** The -R of a client. */
export class Reverse {
  readonly #forwards: readonly Forward[]
  readonly #log: EventLog
  readonly #drained: (session: Session) => void
  readonly #channels = new Map<Channel, string | undefined>() // where the server listens
  readonly #timers = new Set<ReturnType<typeof setTimeout>>()
  #closed = false

  /** `drained` is told of a session on which the server listens no more, of its own accord. */
  constructor(forwards: readonly Forward[], log: EventLog, drained: (session: Session) => void) {
    this.#forwards = forwards
    this.#log = log
    this.#drained = drained
  }

  /** Where the server listens for us. */
  get listening(): string[] {
    return [...this.#channels.values()].flatMap(at => (at === undefined ? [] : [`server ${at}`]))
  }

  /** Asks for all of them, in a session that is there. */
  ask(session: Session): void {
    this.#forwards.forEach((forward, i) => this.#ask(session, forward, i, FIRST_PAUSE_MS))
  }

  /** Asks no more; the server listens no more. */
  close(): void {
    this.#closed = true
    for (const timer of this.#timers) clearTimeout(timer)
    for (const channel of this.#channels.keys()) channel.end()
  }

  #ask(session: Session, forward: Forward, number: number, pauseMs: number): void {
    if (this.#closed || session.mux.draining) return
    const { host, port } = forward.listen
    const header = encodeRequest({ what: 'listen', forward: number, host, port })
    const channel = session.mux.open({ header })
    this.#channels.set(channel, undefined)
    const wanted = formatAddress(forward.listen)
    const to = formatAddress(forward.target)
    let answer = Buffer.alloc(0)
    channel.on('data', (chunk: Buffer) => {
      if (answer.length >= 2) return
      answer = Buffer.concat([answer, chunk]).subarray(0, 2)
      if (answer.length < 2) return
      const at = formatAddress({ host, port: answer.readUInt16BE() })
      this.#channels.set(channel, at)
      this.#log.say('info', 'listening', `server ${at} to ${to}, made from here`, { at, to })
    })
    channel.once('end', () => {
      channel.end()
      if (!this.#closed) this.#drained(session)
    })
    channel.on('error', (error: PipeError) => {
      if (error.code !== 'ERR_PIPE_CONNECT' || this.#closed || session.mux.draining) return
      const sentence = `the server does not listen at ${wanted}: ${error.sentence}`
      this.#log.say('warning', 'not-listening', sentence, { at: wanted })
      const timer = setTimeout(() => {
        this.#timers.delete(timer)
        const nextMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
        this.#ask(session, forward, number, nextMs)
      }, Math.random() * pauseMs)
      this.#timers.add(timer)
    })
    channel.once('close', () => this.#channels.delete(channel))
  }
}
