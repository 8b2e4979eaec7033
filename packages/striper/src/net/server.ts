// Server: the listening end. Its connections are the channels of all sessions that come.
//
//   TCP ─▶ gather ─▶ a session for each client ─▶ mux ─▶ 'connection', once for each channel

import { EventEmitter } from 'node:events'
import { isIPv6 } from 'node:net'
import { type BytePipe, logger, stack } from '@striper/core'
import { frame } from '@striper/frame'
import { type Channel, type Mux, mux } from '@striper/mux'
import type { StripePipe } from '@striper/stripe'
import { listen, parseAddress, type SocketAddress } from '@striper/tcp'
import type { TcpServer } from '@striper/tcp'
import { type Keyring, type Secret, tlsServer } from '@striper/tls'
import { gather, type Gatherer } from '@striper/trunk'

const log = logger('net')

/** Whom a server lets in. */
export type ServerOptions =
  | {
      /** The secrets of those whom it lets in: one, several, or a Keyring. */
      keys: Secret | readonly Secret[] | Keyring
      /** The name of this server, if its clients say one. */
      server?: string
    }
  | {
      /** No secrecy, and everybody who reaches the port is in: for loopback, or inside a VPN. */
      plain: true
    }

/** Where to listen: port 0 is any that is free; without a host, every address. */
export type ListenAddress = SocketAddress | number

/**
 * Makes a server; `onConnection` listens for its event `connection`. Each connection is a byte pipe
 * and belongs to whom it is given. Throws a TypeError for options that name neither keys nor
 * `plain: true`.
 */
export function createServer(
  options: ServerOptions,
  onConnection?: (connection: Channel) => void,
): Server {
  const server = new Server(options)
  if (onConnection) server.on('connection', onConnection)
  return server
}

/** What a server emits. */
interface ServerEvents {
  connection: [connection: Channel]
  listening: []
  error: [error: Error]
  close: []
}

/**
 * A server of connections that are striped. It emits `listening`; `connection`, with a byte pipe;
 * `error` where it cannot listen; and `close` at the end. Made by `createServer`.
 */
export class Server extends EventEmitter<ServerEvents> {
  readonly #gatherer: Gatherer
  readonly #muxes = new Set<Mux>()
  #tcp: TcpServer | undefined
  #asked = false
  #closing = false

  constructor(options: ServerOptions) {
    super()
    const layers = layersFor(options)
    this.#gatherer = gather({
      layers,
      requireProof: !('plain' in options),
      onSession: session => this.#serve(session),
    })
  }

  /** Listens; once. Where that fails, `error` is emitted. Throws a TypeError the second time. */
  listen(where: ListenAddress, onListening?: () => void): this {
    if (this.#asked) throw new TypeError('a server listens once')
    this.#asked = true
    if (onListening) this.once('listening', onListening)
    const address = typeof where === 'number' ? { port: where } : where
    listen(address, lane => this.#gatherer.accept(lane)).then(
      tcp => this.#listening(tcp),
      (error: unknown) => this.emit('error', error as Error),
    )
    return this
  }

  /** Whether it listens. */
  get listening(): boolean {
    return this.#tcp !== undefined && !this.#closing
  }

  /** Where it listens, as `net.Server` says it: with the port that the system chose, or a path;
   *  null while it does not. */
  address(): { address: string; family: 'IPv4' | 'IPv6'; port: number } | string | null {
    if (this.#tcp === undefined || !this.listening) return null
    const at = parseAddress(this.#tcp.address)
    if ('path' in at) return at.path
    const { host = '', port } = at
    return { address: host, family: isIPv6(host) ? 'IPv6' : 'IPv4', port }
  }

  /** Its connections that are open. */
  get connections(): readonly Channel[] {
    return [...this.#muxes].flatMap(each => each.channels)
  }

  /** The lanes that are up, of all clients. */
  get lanes(): number {
    return this.#gatherer.sessions.reduce((sum, session) => sum + session.lanes.length, 0)
  }

  /** Listens no more, for lanes neither; connections that are open go on. `close` is emitted when
   *  the last has closed. A client's next connection is refused. */
  close(onClose?: () => void): this {
    if (onClose) this.once('close', onClose)
    if (this.#closing) return this
    this.#closing = true
    const tcp = this.#tcp
    const lanes = tcp?.close()
    void Promise.allSettled([...this.#muxes].map(each => each.drain())).then(async () => {
      this.#gatherer.destroy() // who has not said who he is will not be let in any more
      await lanes
      this.emit('close')
    })
    return this
  }

  /** Closes, and aborts what is open. */
  destroy(): this {
    this.close()
    for (const each of this.#muxes) each.destroy()
    this.#gatherer.destroy()
    return this
  }

  #listening(tcp: TcpServer): void {
    if (this.#closing) return void tcp.destroy()
    this.#tcp = tcp
    this.emit('listening')
  }

  #serve(session: StripePipe): void {
    const each = mux(session, { role: 'accept', onChannel: channel => this.#take(channel) })
    this.#muxes.add(each)
    const over = () => this.#muxes.delete(each)
    each.done.then(over, over)
    if (this.#closing) void each.drain()
  }

  #take(channel: Channel): void {
    log('%s opened', channel.label)
    if (!this.emit('connection', channel)) channel.refuse('nobody takes connections here')
  }
}

function layersFor(options: ServerOptions) {
  if ('plain' in options && (options.plain as boolean))
    return (bytes: BytePipe) => stack(bytes, frame())
  if (!('keys' in options)) throw new TypeError('a server has keys, or is plain: true')
  const secrecy = tlsServer(options)
  return (bytes: BytePipe) => stack(bytes, secrecy, frame())
}
