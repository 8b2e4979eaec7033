// Sockets as byte pipes: TCP over IPv4 and IPv6, and Unix sockets.
//
// Half-open always, no delay. An abort is a reset (RST), and a reset received is ERR_PIPE_RESET. A
// Unix socket cannot carry an abort: its peer sees an end, and only a write of its own fails.

import net, { type Socket } from 'node:net'
import {
  type Address,
  type Borrower,
  type Detachable,
  type Lender,
  type Loan,
  type LoanTaker,
  logger,
  type Message,
  numbered,
  PipeBase,
  PipeError,
  seesAlone,
  sizeOf,
  takeUnread,
  WrapPipe,
  writeAll,
} from '@striper/core'
import { formatAddress, type SocketAddress } from './address.ts'
import { endsOf, isUnix } from './ends.ts'
import { type SocketOptions, socketOptions } from './options.ts'
import { type Owner, readForOwner } from './reader.ts'
import { resetBehindEnd, resetBehindWrite } from './reset.ts'

const log = logger('tcp')

/** One for all: there may be ten thousand that connect nowhere, or have. */
const NO_ADDRESS: Address = {}

export type ConnectOptions = SocketAddress &
  SocketOptions & {
    /** The local address to connect from. For a host and port only, as is the next. */
    localAddress?: string
    /** The local port to connect from; 0, the default, is one that the system chooses. It may be
     *  one whose last connection has just ended; where one to the same host and port is open, or
     *  another program has it, that is ERR_PIPE_CONNECT, of EADDRNOTAVAIL or EADDRINUSE. */
    localPort?: number
    /** How long a connection may take, in ms; 15 s. Then ERR_PIPE_TIMEOUT. 0: as long as the system
     *  likes. */
    connectTimeoutMs?: number
  }

/**
 * Connects, and returns the pipe at once: what is written before `ready` waits. Where it cannot
 * connect, the pipe is destroyed with ERR_PIPE_CONNECT or ERR_PIPE_TIMEOUT, the system's error as
 * its cause. Throws a RangeError for a time or a port that is none.
 */
export function connect(options: ConnectOptions): TcpPipe {
  const { connectTimeoutMs = 15_000, localAddress, localPort = 0 } = options
  if (!(connectTimeoutMs >= 0)) {
    throw new RangeError(`connectTimeoutMs must be 0 or more, got ${connectTimeoutMs}`)
  }
  if (!(Number.isInteger(localPort) && localPort >= 0 && localPort <= 65_535)) {
    throw new RangeError(`localPort must be 0..65535, got ${localPort}`)
  }
  const made = socketOptions(options)
  const remote = formatAddress('path' in options ? options : { host: 'localhost', ...options })
  const socket =
    'path' in options
      ? net.connect({ ...made, path: options.path })
      : net.connect({
          ...made,
          host: options.host ?? 'localhost',
          port: options.port,
          ...(localPort === 0 ? {} : { localPort }),
          ...(localAddress === undefined ? {} : { localAddress, family: net.isIP(localAddress) }),
        })
  const local =
    localPort === 0 ? undefined : formatAddress({ host: localAddress ?? '', port: localPort })
  const pipe = new TcpPipe(socket, 'path' in options ? 'unix' : 'tcp', { local, remote })
  if (connectTimeoutMs > 0) {
    const timer = setTimeout(() => {
      const sentence = `no answer from ${remote} in ${connectTimeoutMs} ms`
      pipe.destroy(new PipeError('ERR_PIPE_TIMEOUT', sentence, { label: pipe.label }))
    }, connectTimeoutMs)
    const over = () => {
      clearTimeout(timer)
      socket.off('connect', over).off('close', over)
    }
    socket.on('connect', over).on('close', over)
  }
  return pipe
}

/** Makes a pipe of a socket that somebody else connected or accepted, and owns it from now on. Call
 *  it in the tick in which the socket came: until then nobody listens for its errors. */
export function fromSocket(socket: Socket): TcpPipe {
  return new TcpPipe(socket, !socket.connecting && isUnix(socket) ? 'unix' : 'tcp')
}

const getters = Object.getOwnPropertyDescriptors(
  Object.getPrototypeOf(PipeBase.prototype) as Pick<
    TcpPipe,
    'writableLength' | 'writableNeedDrain'
  >,
)
/** What waits in the buffer of a pipe itself, not of its socket, in bytes. */
const queuedIn = getters.writableLength.get!
const needsDrain = getters.writableNeedDrain.get!

/** A socket as a byte pipe. Made by `connect`, `listen` and `fromSocket`. Lends what it reads, and
 *  takes loans. */
export class TcpPipe extends WrapPipe<'bytes'> implements Detachable, Lender, LoanTaker, Owner {
  readonly #socket: Socket
  #wanted: Address // where we connect, until it has
  #local: string | undefined
  #remote: string | undefined
  #borrower: Borrower | undefined
  #abort: (() => void) | undefined // where the socket is somebody else's now
  #full = false // of what was written past the buffer here: 'drain' has to follow

  static {
    // They tell of both ways in. (Getters of readable-stream; Node's types call them properties.)
    Object.defineProperties(this.prototype, {
      writableLength: {
        get(this: TcpPipe) {
          return queuedIn.call(this) + (this.#full ? this.lower.writableLength : 0)
        },
      },
      writableNeedDrain: {
        get(this: TcpPipe) {
          return this.#full || needsDrain.call(this)
        },
      },
    })
  }

  /** `wanted` is from where and to where it connects, where we do that. */
  constructor(socket: Socket, name: 'tcp' | 'unix', wanted = NO_ADDRESS) {
    super(socket, { kind: 'bytes', label: numbered(name) })
    this.#socket = socket
    this.#wanted = wanted
    if (socket.connecting) socket.once('connect', () => this.#connected(socket))
    else this.#connected(socket)
    if (log.enabled) this.on('close', () => log('%s closed, %o', this.label, this.stats))
  }

  /** Its two ends; kept after it has closed. */
  get address(): Address {
    return { local: this.#local, remote: this.#remote }
  }

  lendTo(borrower: Borrower | undefined): void {
    this.#borrower = borrower
    if (borrower && !this.#socket.connecting) readForOwner(this.#socket)
  }

  /** For the reader of the socket: nobody but the borrower would see the next chunk. */
  get lends(): boolean {
    const wanted = this.#borrower !== undefined && !this.destroyed
    return wanted && seesAlone(this) && seesAlone(this.lower)
  }

  /** For the reader of the socket. */
  lend(chunk: Buffer, loan: Loan | undefined): void {
    this.stats.bytesIn += chunk.length
    this.#borrower!.borrow(chunk, loan)
  }

  get detachable(): boolean {
    const socket = this.#socket
    const open = !this.pending && !this.destroyed && !socket.destroyed && !this.#abort
    if (!open || 'encrypted' in socket) return false
    const ended = this.writableEnded || this.readableEnded || socket.readableEnded
    return !ended && this.writableLength === 0 && this.#borrower === undefined
  }

  detachSocket(unread: Buffer, abort: () => void): Socket {
    const socket = this.#socket
    this.#abort = abort
    this.standAside()
    const all = Buffer.concat([unread, takeUnread(this)])
    if (all.length > 0) socket.unshift(all)
    socket.pause() // what was taken made it ask for more
    Object.defineProperties(this.stats, {
      bytesIn: { enumerable: true, get: () => socket.bytesRead },
      bytesOut: { enumerable: true, get: () => socket.bytesWritten },
    })
    return socket
  }

  writeLent(unit: Message, loan: Loan | undefined): boolean {
    if (this.pending || queuedIn.call(this) > 0 || !this.writable || this.writableCorked > 0) {
      loan?.keep() // it waits its turn with others, and nobody tells when it has gone
      return writeAll(this, unit)
    }
    const { lower } = this
    this.stats.bytesOut += sizeOf(unit)
    const over = loan && ((error?: Error | null) => (error ? loan.keep() : loan.release()))
    writeAll(lower, unit, over)
    const written = lower.writableLength === 0
    if (written) loan?.release() // the system has it: so the next read may have the memory
    this.#full = !written && lower.writableNeedDrain
    return !this.#full
  }

  protected override get readsAhead(): boolean {
    return this.#borrower === undefined // what is read while nobody wants it cannot be lent
  }

  protected override drained(): void {
    super.drained()
    if (!this.#full) return
    this.#full = false
    if (queuedIn.call(this) === 0 && this.writable) this.emit('drain')
  }

  protected override explain(error: Error): PipeError {
    const { local, remote } = this.#wanted
    if (!this.pending || remote === undefined) return super.explain(error)
    const reason = (error as NodeJS.ErrnoException).code ?? error.message
    const from = local === undefined ? '' : ` from ${local}`
    const sentence = `cannot connect to ${remote}${from}: ${reason}`
    return new PipeError('ERR_PIPE_CONNECT', sentence, { label: this.label, cause: error })
  }

  resetBehindEnd(writes: boolean): Error | undefined {
    return resetBehindEnd(this.#socket) ?? (writes ? resetBehindWrite(this.#socket) : undefined)
  }

  protected override finish(): void {
    const reset = resetBehindEnd(this.lower)
    if (reset) this.destroy(this.explain(reset))
    else super.finish()
  }

  protected override abortLower(): void {
    if (this.#abort) return this.#abort()
    const socket = this.lower as typeof this.lower & { connecting?: boolean }
    if (!socket.connecting) return super.abortLower()
    // It may be connected and only Node not know it yet; closed now it would be, to the peer, an
    // end. So Node is given one turn to find out.
    socket.once('connect', () => super.abortLower())
    setImmediate(() => socket.destroy())
  }

  #connected(socket: Socket): void {
    const wanted = this.#wanted.remote
    this.#wanted = NO_ADDRESS // it need not be kept
    const { local, remote = wanted } = endsOf(socket)
    this.#local = local
    // Often the same text, which need not be kept twice.
    this.#remote = remote === wanted ? wanted : remote
    if (this.#borrower) readForOwner(socket)
    if (log.enabled) log('%s open, %o', this.label, this.address)
  }
}
