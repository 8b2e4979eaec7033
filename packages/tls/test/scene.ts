// What the tests of tls stand on: certificates, a pair over memory or a socket, a tap on the wire.

import {
  type ByteDuplex,
  type BytePipe,
  type Done,
  type Layer,
  memoryPair,
  type Pipe,
  ready,
  WrapPipe,
} from '@striper/core'
import { connect, listen } from '@striper/tcp'
import { newSecret, tlsClient, type TlsClientOptions, tlsServer } from '@striper/tls'
import type { TlsPipe, TlsServerOptions } from '@striper/tls'
import { readFileSync } from 'node:fs'

const file = (name: string) => readFileSync(new URL(`certificates/${name}`, import.meta.url))

/** The certificate and key of one of them, and whom it trusts. See certificates/make.sh. */
export function certificates(who: string, trusts = 'ours') {
  return { cert: file(`${who}.pem`), key: file(`${who}.key`), ca: file(`${trusts}-ca.pem`) }
}

/** Both sides' options, with one secret and no name unless told otherwise. */
export function withSecret() {
  const key = newSecret()
  return { key, client: { key }, server: { keys: key } }
}

/** Both sides' options, with certificates that fit. */
export function withCertificates() {
  const client = { ...certificates('ours-client'), servername: 'exit.test' }
  return { client, server: certificates('ours-server') }
}

export interface Sides {
  client: TlsClientOptions
  server: TlsServerOptions
}

/** A client and a server over memory; `between` is a layer below the client. */
export function overMemory({ client, server }: Sides, between?: Layer): [TlsPipe, TlsPipe] {
  const [left, right] = memoryPair()
  return over(between ? between(left) : left, right, { client, server })
}

/** A client and a server over two ends of a connection. */
export function over(left: ByteDuplex, right: ByteDuplex, sides: Sides): [TlsPipe, TlsPipe] {
  return [tlsClient(sides.client)(left), tlsServer(sides.server)(right)]
}

/** Two ends of a TCP connection; the listener goes with the first. */
export async function tcpPair(): Promise<[BytePipe, BytePipe]> {
  let accepted: (pipe: BytePipe) => void
  const far = new Promise<BytePipe>(resolve => (accepted = resolve))
  const server = await listen({ host: '127.0.0.1', port: 0 }, pipe => accepted(pipe))
  const near = connect({ host: '127.0.0.1', port: server.port })
  near.once('close', () => void server.close())
  const pair: [BytePipe, BytePipe] = [near, await far]
  await ready(near) // until then destroy() has no connection that it could reset
  return pair
}

/** Resolves with the failure of a pipe, or undefined where it closed without one. */
export function failureOf(pipe: Pipe): Promise<Error | undefined> {
  return new Promise(resolve => {
    let failure: Error | undefined = pipe.errored ?? undefined
    if (pipe.closed) return resolve(failure)
    pipe.on('error', error => (failure = error))
    pipe.once('close', () => resolve(failure))
  })
}

/** All that is read to the end of a pipe; rejects where it fails. */
export function read(pipe: Pipe): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    pipe.on('data', (chunk: Buffer) => chunks.push(chunk))
    pipe.once('end', () => resolve(Buffer.concat(chunks))).once('error', reject)
  })
}

/** A layer that ends what is below after so many bytes, and tells nobody above. */
export function cutShort(afterBytes: number): Layer {
  return below => new ShortPipe(below, afterBytes)
}

class ShortPipe extends WrapPipe<'bytes'> {
  #left: number

  constructor(below: ByteDuplex, afterBytes: number) {
    super(below, { kind: 'bytes', label: 'short' })
    this.#left = afterBytes
    if (afterBytes === 0) this.lower.end()
  }

  protected override send(chunks: readonly Buffer[], done: Done): void {
    for (const chunk of chunks) {
      const part = chunk.subarray(0, this.#left)
      this.#left -= part.length
      if (part.length === 0) continue
      this.lower.write(part)
      if (this.#left === 0) this.lower.end()
    }
    done()
  }

  override _final(done: Done): void {
    done()
  }
}
