// One relay of a chain, a process of its own: it listens on loopback, and says { port }.
//
//   relay KIND TO [LANES]      TO: the port it relays to
//
//   naive                             a.pipe(b), as everybody writes it
//   naive-tls-near, naive-tls-far     the same, with TLS between the two of them
//   entry, exit                       the striping pair: bridge, reassemble, stripe, frame, tcp
//   entry-tls, exit-tls               the same, with TLS on each lane; the secret is in SECRET
//
// Asked anything on stdin, it says { counts }: what JavaScript has copied, and what came in
// parcels.

import net from 'node:net'
import tls from 'node:tls'
import { bridge, type BytePipe, connect, frame, gather, type Layer, listen } from 'striper'
import {
  parseSecret,
  reassemble,
  stack,
  type StripePipe,
  tlsClient,
  tlsServer,
  trunk,
} from 'striper'
import { copiedBytes, countCopies } from './copied.ts'
import { say } from './say.ts'

/** What a relay counts, from its start. */
export interface Counts {
  /** Bytes that JavaScript has copied. */
  copied: number
  parcels: number
  parcelBytes: number
}

const HOST = '127.0.0.1'
const SOCKET = { allowHalfOpen: true, noDelay: true } as const
const { SECRET: secret = '' } = process.env

process.on('SIGTERM', () => process.exit())
process.stdin.once('end', () => process.exit())
process.stdin.on('data', () => {
  const { messagesIn: parcels = 0, bytesIn: parcelBytes = 0 } = stripe?.stats ?? {}
  say({ counts: { copied: copiedBytes(), parcels, parcelBytes } satisfies Counts })
})
countCopies()
const [kind = '', to = '', lanes = '0'] = process.argv.slice(2)
const target = { host: HOST, port: Number(to) }
let stripe: StripePipe | undefined // there is one at a time
void start().then(port => say({ port }))

async function start(): Promise<number> {
  if (kind === 'entry') return entry(lane => lane)
  if (kind === 'entry-tls') return entry(tlsClient({ key: parseSecret(secret) }))
  if (kind === 'exit') return exit(lane => lane)
  if (kind === 'exit-tls') return exit(tlsServer({ keys: parseSecret(secret) }))
  return naive()
}

async function entry(secrecy: (lane: BytePipe) => BytePipe): Promise<number> {
  const lane = (greet: Layer) => stack(connect(target), greet, secrecy, frame())
  const { port } = await listen({ host: HOST, port: 0 }, client => {
    const session = trunk({ lanes: Array.from({ length: Number(lanes) }, () => lane) })
    stripe = session
    bridge(client, stack(session, reassemble()))
  })
  return port
}

async function exit(secrecy: (lane: BytePipe) => BytePipe): Promise<number> {
  const gatherer = gather({
    layers: bytes => stack(bytes, secrecy, frame()),
    onSession: session => bridge(stack(session, reassemble()), connect(target)),
  })
  const { port } = await listen({ host: HOST, port: 0 }, lane => gatherer.accept(lane))
  return port
}

/** What the pair's TLS has, for the naive: no certificates, and the same cipher. */
const TERMS = { minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256:PSK' } as const
const PSK = Buffer.alloc(32, 1)

async function naive(): Promise<number> {
  const relay = (near: net.Socket) => {
    const far = kind === 'naive-tls-near' ? dialTls() : net.connect({ ...SOCKET, ...target })
    near.pipe(far).pipe(near)
    near.on('error', () => far.destroy())
    far.on('error', () => near.destroy())
  }
  const server =
    kind === 'naive-tls-far'
      ? tls.createServer({ ...SOCKET, ...TERMS, pskCallback: () => PSK }, relay)
      : net.createServer(SOCKET, relay)
  await new Promise<void>(resolve => server.listen(0, HOST, resolve))
  return (server.address() as net.AddressInfo).port
}

function dialTls(): tls.TLSSocket {
  return tls.connect({
    ...target,
    ...TERMS,
    pskCallback: () => ({ psk: PSK, identity: 'bench' }),
    checkServerIdentity: () => undefined,
  })
}
