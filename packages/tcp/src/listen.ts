// listen(): a server whose connections are pipes from the tick in which they come.

import net, { type Server } from 'node:net'
import { logger, PipeError } from '@striper/core'
import { formatAddress, formatNodeAddress, type SocketAddress } from './address.ts'
import { type SocketOptions, socketOptions } from './options.ts'
import { fromSocket, type TcpPipe } from './tcp.ts'

const log = logger('tcp')

/** Node.js has `reusePort` since 22.12 and 23.1; one that has not takes no notice of it. */
const [major, minor] = process.versions.node.split('.').map(Number) as [number, number]
const HAS_REUSE_PORT = major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12)

export type ListenOptions = SocketAddress &
  SocketOptions & {
    /** Connections at once, at most; one more is closed as it comes. Default: no limit. */
    maxConnections?: number
    /** Shares a host and port with others that say the same (SO_REUSEPORT): the system gives each
     *  connection to one of them. Default false. Where it is not to be had, ERR_PIPE_CONNECT. */
    reusePort?: boolean
  }

/**
 * Listens, and calls `onConnection` with a pipe for each connection, which that function then owns.
 * A connection that fails before anybody stacks on it is closed, and nothing else happens. Rejects
 * with ERR_PIPE_CONNECT where it cannot listen, with a RangeError for a time that is none.
 */
export async function listen(
  options: ListenOptions,
  onConnection: (pipe: TcpPipe) => void,
): Promise<TcpServer> {
  const server = net.createServer(socketOptions(options))
  const listener = new TcpServer(server, onConnection)
  if (options.maxConnections !== undefined) server.maxConnections = options.maxConnections
  const failure = (why: string, cause?: Error) => {
    const sentence = `cannot listen at ${formatAddress(options)}: ${why}`
    return new PipeError('ERR_PIPE_CONNECT', sentence, { cause })
  }
  if (options.reusePort && !HAS_REUSE_PORT) {
    throw failure(`no reusePort in Node.js ${process.version}, it came with 22.12`)
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(failure(error.code ?? error.message, error))
    })
    server.listen('path' in options ? { path: options.path } : options, resolve)
  })
  server.removeAllListeners('error')
  // Such as EMFILE: it goes on listening.
  server.on('error', error => log('%s: %s', listener.address, error.message))
  return listener
}

const logged = (error: Error) => log('%s', error.message)

/** A listening server. */
export class TcpServer {
  readonly #server: Server
  readonly #pipes = new Set<TcpPipe>()

  constructor(server: Server, onConnection: (pipe: TcpPipe) => void) {
    this.#server = server
    const pipes = this.#pipes
    // One for all pipes: there may be tens of thousands that say nothing.
    function forget(this: TcpPipe): void {
      pipes.delete(this)
    }
    server.on('connection', socket => {
      const pipe = fromSocket(socket)
      pipes.add(pipe)
      pipe.on('error', logged).on('close', forget) // whoever stacks on it listens as well
      onConnection(pipe)
    })
    server.on('drop', () => log('%s: too many connections, one dropped', this.address))
  }

  /** Where it listens, with the port that the system chose for port 0. */
  get address(): string {
    return formatNodeAddress(this.#server.address())
  }

  /** The port it listens on; 0 for a Unix socket. */
  get port(): number {
    const address = this.#server.address()
    return address !== null && typeof address === 'object' ? address.port : 0
  }

  /** Its connections that have not closed. */
  get connections(): ReadonlySet<TcpPipe> {
    return this.#pipes
  }

  /** Listens no more, and resolves when the last connection has closed by itself. */
  async close(): Promise<void> {
    await new Promise<void>(resolve => this.#server.close(() => resolve()))
  }

  /** Listens no more, aborts every connection, and resolves when the last has closed. */
  async destroy(): Promise<void> {
    const closed = this.close()
    for (const pipe of this.#pipes) pipe.destroy()
    await closed
  }
}
