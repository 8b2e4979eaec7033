// A pipe: a Duplex of a stated kind. This file is the contract; docs/contract.md has its twelve
// rules.
//
//                     in → out             arity
//   endpoint             → bytes           0→1    tcp; memoryPair here
//   layer          bytes → bytes           1→1
//   layer          bytes → messages        1→1    frame
//   stripe    N×messages → parcels         N→1
//   reassembly   parcels → bytes           1→1
//   bridge     two of a kind → done        2→0
//
// What comes out is a pipe again, so any row stands on any other of the right kind, and the
// compiler refuses a wrong one.

import type { Duplex } from './stream.ts'

/**
 * What a pipe carries.
 * - `bytes`: a reliable ordered byte stream; the borders of chunks mean nothing.
 * - `messages`: reliable and ordered, borders kept, empty messages too.
 * - `parcels`: messages that each arrive exactly once, in any order.
 */
export type Kind = 'bytes' | 'messages' | 'parcels'

/** Counters that only rise. For a byte pipe the message counters stay 0. */
export interface PipeStats {
  /** Payload bytes given to this pipe's reader. */
  bytesIn: number
  /** Payload bytes taken from this pipe's writer. */
  bytesOut: number
  messagesIn: number
  messagesOut: number
}

/**
 * A Duplex with a kind. Everything else is Duplex's own: `write`, `drain`, `end`, `data`,
 * `destroy`. `ready` is emitted once, when the pipe is open; what was written before waits.
 */
export interface Pipe<K extends Kind = Kind> extends Duplex {
  readonly kind: K
  /** For logs and errors: `tcp#4`, `frame(tcp#4)`. */
  readonly label: string
  /** The pipes that this one stands on and owns; none for an endpoint. */
  readonly below: readonly Pipe[]
  readonly stats: Readonly<PipeStats>
  /** True until `ready`, as in `net.Socket`. */
  readonly pending: boolean
}

/** How large the messages of a pipe may be, and how large it would like them. It may change its
 *  mind about the latter: ask again for each message. */
export interface MessageSizes {
  readonly maxMessageBytes: number
  readonly preferredMessageBytes: number
}

/** A message: read as one Buffer; may be written as one, or in pieces, so that a header costs no
 *  copy. */
export type Message = Buffer | readonly Buffer[]

export type BytePipe = Pipe<'bytes'>
export type MessagePipe = Pipe<'messages'> & MessageSizes
/** Messages arrive exactly once and in order, so a message pipe is a parcel pipe as well. */
export type ParcelPipe = Pipe<'messages' | 'parcels'> & MessageSizes

/** A byte pipe, or any Duplex of Node's that carries bytes: a socket, a TLS socket, a child's
 *  stdio. A message pipe is not one. */
export interface ByteDuplex extends Duplex {
  readonly kind?: 'bytes'
}

/** A function from pipe to pipe. The pipe that comes out owns the one that went in. */
export type Layer<In extends Duplex = ByteDuplex, Out extends Pipe = BytePipe> = (below: In) => Out

/** Folds layers onto a pipe: `stack(tcp, tls(), frame())` is `frame()(tls()(tcp))`. */
export function stack<A extends Duplex>(base: A): A
export function stack<A extends Duplex, B extends Pipe>(base: A, first: Layer<A, B>): B
export function stack<A extends Duplex, B extends Pipe, C extends Pipe>(
  base: A,
  first: Layer<A, B>,
  second: Layer<B, C>,
): C
export function stack<A extends Duplex, B extends Pipe, C extends Pipe, D extends Pipe>(
  base: A,
  first: Layer<A, B>,
  second: Layer<B, C>,
  third: Layer<C, D>,
): D
export function stack<
  A extends Duplex,
  B extends Pipe,
  C extends Pipe,
  D extends Pipe,
  E extends Pipe,
>(base: A, first: Layer<A, B>, second: Layer<B, C>, third: Layer<C, D>, fourth: Layer<D, E>): E
export function stack(base: Duplex, ...layers: ((below: never) => Pipe)[]): Duplex {
  return layers.reduce<Duplex>((below, layer) => layer(below as never), base)
}

/** Whether a Duplex is a pipe, of this copy of the package or of another. */
export function isPipe(duplex: Duplex): duplex is Pipe {
  return 'kind' in duplex && 'label' in duplex
}

/** The label of a pipe, or a name for a Duplex that has none. */
export function labelOf(duplex: Duplex): string {
  return isPipe(duplex) ? duplex.label : duplex.constructor.name.toLowerCase()
}

/** The tree that a pipe stands on, one pipe a line, for a person to read. */
export function describe(pipe: Pipe): string {
  const lines: string[] = []
  const walk = (each: Pipe, indent: string) => {
    const { bytesIn, bytesOut } = each.stats
    lines.push(`${indent}${each.label}  ${each.kind}, ${bytesIn} bytes in, ${bytesOut} out`)
    for (const below of each.below) walk(below, indent + '  ')
  }
  walk(pipe, '')
  return lines.join('\n')
}

/** The two ends of a connection, as `host:port`, `[v6]:port` or the path of a Unix socket; each is
 *  absent while it is not known. */
export interface Address {
  readonly local?: string | undefined
  readonly remote?: string | undefined
}

/** The address of the first endpoint under a pipe, itself included; undefined where none has one */
export function addressOf(pipe: Pipe): Address | undefined {
  if ('address' in pipe) return pipe.address as Address
  for (const below of pipe.below) {
    const address = addressOf(below)
    if (address) return address
  }
  return undefined
}

/** What a pipe with secrecy offers to those above it, once it is ready. */
export interface Secured {
  /** Who is there: a name that nobody else can come by. */
  readonly peer: string
  /** Bytes that the two ends of this very connection can make, and nobody else. */
  exportKeyingMaterial(label: string, length: number): Buffer
}

/** The first pipe with secrecy under a pipe, itself included; undefined where there is none. Stops
 *  where several are below: what goes over many has no one peer. */
export function securedBy(pipe: Pipe): (Pipe & Secured) | undefined {
  if ('exportKeyingMaterial' in pipe && 'peer' in pipe) return pipe as Pipe & Secured
  const [below, ...others] = pipe.below
  return below === undefined || others.length > 0 ? undefined : securedBy(below)
}

/** Resolves when a pipe is open, with the pipe; rejects if it fails before. */
export async function ready<P extends Pipe>(pipe: P): Promise<P> {
  if (pipe.pending) {
    await new Promise<void>((resolve, reject) => {
      const closed = () =>
        reject(pipe.errored ?? new Error(`${pipe.label}: closed before it opened`))
      if (pipe.closed) return closed()
      pipe.once('close', closed)
      pipe.once('error', reject)
      pipe.once('ready', () => {
        pipe.off('close', closed)
        pipe.off('error', reject)
        resolve()
      })
    })
  }
  return pipe
}
