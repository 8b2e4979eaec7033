// Ports: where a server listens for its clients. A listener lives as long as the channel that asked
// for it, and so no longer than its session.
//
//   somebody ──▶ listener ──▶ a channel of its own: accepted, from somebody ──▶ the client's target

import { type Channel, formatAddress, isPipeError, listen, type TcpServer } from 'striper'
import { addressOf, type BytePipe } from 'striper'
import { setTimeout as pause } from 'node:timers/promises'
import type { EventLog } from '../log.ts'
import { mayListen } from '../pure/allow.ts'
import { encodeRequest, type Request } from '../pure/request.ts'
import type { ServerSettings } from '../settings.ts'
import type { Conversations } from './conversations.ts'
import { whyNot } from './reach.ts'
import type { Session } from './session.ts'

/** A port may be taken for a moment yet, by a listener that is just closing. */
const TRIES = 5
const EACH_MS = 200

interface Port {
  readonly session: Session
  readonly channel: Channel
  readonly server: TcpServer
}

/** Those of a server. */
export class Ports {
  readonly #settings: ServerSettings
  readonly #log: EventLog
  readonly #conversations: Conversations
  readonly #open = new Set<Port>()
  #closed = false

  constructor(settings: ServerSettings, log: EventLog, conversations: Conversations) {
    this.#settings = settings
    this.#log = log
    this.#conversations = conversations
  }

  /** Where it listens. */
  get addresses(): string[] {
    return [...this.#open].map(({ server }) => server.address)
  }

  /** Listens as a channel asks, and answers with the port; or says why not. */
  async open(session: Session, channel: Channel, request: Request): Promise<string | undefined> {
    const verdict = mayListen(this.#settings.allowListen, request)
    if (!verdict.allowed) return verdict.why
    if (this.#closed) return 'the server is stopping'
    if (this.#conversations.full || this.#open.size >= this.#conversations.most) {
      return 'the server has as many channels open as it may'
    }
    channel.read(0) // it is in use, and no longer in the backlog
    let server: TcpServer
    try {
      server = await this.#listen(session, channel, request)
    } catch (error) {
      return whyNot(error)
    }
    if (channel.destroyed || this.#hasClosed()) {
      void server.destroy()
      return 'the server is stopping' // and where the channel is gone nobody hears it
    }
    const port: Port = { session, channel, server }
    this.#open.add(port)
    const { address } = server
    const fields = { session: session.name, at: address }
    this.#log.say('info', 'listening', `${address} for session ${session.name}`, fields)
    const over = () => this.#close(port)
    channel.once('end', over).once('close', over).resume()
    const answer = Buffer.alloc(2)
    answer.writeUInt16BE(server.port)
    channel.write(answer)
    return undefined
  }

  /** Listens no more, and lets every channel that asked for it end. */
  close(): void {
    this.#closed = true
    for (const port of [...this.#open]) this.#close(port)
  }

  #hasClosed(): boolean {
    return this.#closed
  }

  async #listen(session: Session, channel: Channel, request: Request): Promise<TcpServer> {
    const accept = (client: BytePipe) => this.#accepted(session, request, client)
    const where = { ...whereOf(request), keepAliveMs: this.#settings.keepAliveMs }
    for (let left = TRIES; ; left--) {
      try {
        return await listen(where, accept)
      } catch (error) {
        if (left === 0 || channel.destroyed || !isTaken(error)) throw error
        // What was his before is his again at once: a moment later somebody else may have it.
        if (!this.#takeOver(session, request.port)) await pause(EACH_MS)
      }
    }
  }

  /** A client that comes back may have the ports of its own session of before, which has no lane
   *  any more and does not know yet that it is over. Whether there was one. */
  #takeOver({ peer }: Session, port: number): boolean {
    let taken = false
    for (const each of [...this.#open]) {
      const { session, server } = each
      const left = session.pipe.lanes.length === 0
      if (server.port === port && left && peer !== null && session.peer === peer) {
        this.#close(each)
        taken = true
      }
    }
    return taken
  }

  #accepted(session: Session, { forward, host, port }: Request, client: BytePipe): void {
    const from = addressOf(client)?.remote ?? 'somebody'
    const { full } = this.#conversations
    if (full || session.mux.draining) {
      const why = full ? 'as many channels as there may be' : 'the session ends'
      this.#log.say('warning', 'refused', `${from} refused: ${why}`, { from })
      client.destroy()
      return
    }
    const origin = splitOrigin(from)
    const header = encodeRequest({ what: 'accepted', forward, ...origin })
    const channel = session.mux.open({ header })
    const parties = { from, to: `session ${session.name}, for ${formatAddress({ host, port })}` }
    this.#conversations.begin(session, channel, parties)
    this.#conversations.talk(channel, client, parties)
  }

  #close(port: Port): void {
    if (!this.#open.delete(port)) return
    const { channel, server, session } = port
    const at = server.address
    void server.close() // its connections go on, for they have channels of their own
    this.#log.say('info', 'closed', `${at} listens no more`, { session: session.name, at })
    if (!channel.destroyed) channel.end()
  }
}

/** What was judged: `localhost` is 127.0.0.1, and never looked up. */
function whereOf({ host, port }: Request) {
  if (host === '' || host === '*') return { port }
  return { host: /^localhost\.?$/i.test(host) ? '127.0.0.1' : host, port }
}

function isTaken(error: unknown): boolean {
  const { code } = ((isPipeError(error) && error.cause) || {}) as NodeJS.ErrnoException
  return code === 'EADDRINUSE'
}

/** An address as host and port; nothing where it is none. */
function splitOrigin(address: string): { host: string; port: number } {
  const [, v6, host, port] = /^(?:\[(.*)\]|([^:]*)):(\d+)$/.exec(address) ?? []
  return port === undefined
    ? { host: '', port: 0 }
    : { host: (v6 ?? host)!.replaceAll(' ', ''), port: Number(port) }
}
