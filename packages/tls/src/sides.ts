// The two sides of a handshake, each with a secret or with certificates: how its TLSSocket is
// made, and who was there when it is done.

import { BYTES_HIGH_WATER, type BytePipe } from '@striper/core'
import type { Socket } from 'node:net'
import { connect, createSecureContext, TLSSocket } from 'node:tls'
import type { SecureContext, SecureContextOptions } from 'node:tls'
import { Keyring } from './keyring.ts'
import type { Secret } from './secret.ts'
import { faultOfClient, onServerFailure } from './socket.ts'
import {
  type Certificates,
  faultWithCertificate,
  faultWithKey,
  handshakeOf,
  keyFor,
  nameOf,
  NO_CERTIFICATES,
  refuseCertificate,
  withCertificates,
} from './terms.ts'

/** What holds for either side's TLSSocket. (The protocol versions are in the context.) */
const BOTH = { highWaterMark: BYTES_HIGH_WATER, rejectUnauthorized: true }
const SERVER = { ...BOTH, isServer: true }

interface TimeoutOptions {
  /** How long the handshake may take, in ms; 10 s. Then the pipe below is aborted. */
  handshakeTimeoutMs?: number
}

export type ClientOptions = TimeoutOptions &
  (
    | {
        key: Secret
        /** The name of the server, as it calls itself; '' unless given. */
        server?: string
      }
    | (Certificates & {
        /** The name that the server's certificate has to have. */
        servername: string
      })
  )

export type ServerOptions = TimeoutOptions &
  (
    | {
        /** A secret, several, or a Keyring, which may change while the server runs. */
        keys: Secret | readonly Secret[] | Keyring
        /** The name of this server; '' unless given. A node that dials with the same secret as it
         *  listens with needs one. */
        server?: string
      }
    | Certificates
  )

/** One side of every handshake that a layer makes. */
export interface Side {
  readonly handshakeTimeoutMs: number
  /** The event of a TLSSocket that says that the handshake is done. */
  readonly secured: 'secure' | 'secureConnect'
  /** Whether the peer judges us only after that. */
  readonly judgedLater: boolean
  /** Begins one, over a pipe or on a socket. `identify` says who was there; it throws where that
   *  is not right. `groups`: the only ones of which a server takes keys; any unless given. */
  handshake(
    on: BytePipe | Socket,
    failed: (error: Error) => void,
    groups?: readonly string[],
  ): Handshaking
}

/** A handshake that has begun. */
export interface Handshaking {
  readonly socket: TLSSocket
  readonly identify: () => string
}

/** The side that dials. */
export function asClient(options: ClientOptions): Side {
  const handshakeTimeoutMs = checkedTimeout(options)
  const common = { handshakeTimeoutMs, secured: 'secureConnect' } as const
  if ('cert' in options) {
    const { servername } = options
    if (!servername) throw new TypeError('certificates need servername: whose is expected')
    const secureContext = createSecureContext(withCertificates(options))
    return {
      ...common,
      judgedLater: true,
      handshake(socket) {
        const made = connect({ ...BOTH, socket, secureContext, servername })
        return { socket: made, identify: () => byCertificate(made) }
      },
    }
  }
  const { key, server = '' } = options
  const secureContext = createSecureContext(NO_CERTIFICATES)
  return {
    ...common,
    judgedLater: false,
    handshake(socket) {
      const made = connect({
        ...BOTH,
        socket,
        secureContext,
        checkServerIdentity: refuseCertificate,
        pskCallback: () => ({ psk: key.preSharedKey(server), identity: key.identity }),
      })
      const identify = () => {
        refuse(faultWithKey(handshakeOf(made)))
        return key.id
      }
      return { socket: made, identify }
    },
  }
}

/** The side that listens. */
export function asServer(options: ServerOptions): Side {
  const handshakeTimeoutMs = checkedTimeout(options)
  const common = { handshakeTimeoutMs, secured: 'secure', judgedLater: false } as const
  if ('cert' in options) {
    const contextFor = contexts(withCertificates(options))
    return {
      ...common,
      handshake(on, failed, groups) {
        const secureContext = contextFor(groups)
        const made = new TLSSocket(on, { ...SERVER, requestCert: true, secureContext })
        onServerFailure(made, failed)
        const identify = () => {
          refuse(faultOfClient(made))
          return byCertificate(made)
        }
        return { socket: made, identify }
      },
    }
  }
  const { server = '' } = options
  const keys = options.keys instanceof Keyring ? options.keys : new Keyring([options.keys].flat())
  const contextFor = contexts(NO_CERTIFICATES)
  return {
    ...common,
    handshake(on, failed, groups) {
      let secret: Secret | undefined
      const pskCallback = (_socket: TLSSocket, identity: string) => {
        const found = keyFor(keys, server, identity)
        secret = found?.secret
        return found?.psk ?? null
      }
      const asking = { ...SERVER, secureContext: contextFor(groups), pskCallback }
      const made = new TLSSocket(on, asking)
      onServerFailure(made, failed)
      const identify = () => {
        refuse(faultWithKey(handshakeOf(made)))
        // Deleted between the two: it does not count from now on.
        if (!secret || !keys.find(secret.identity)) throw new Error('its key is not known any more')
        return secret.id
      }
      return { socket: made, identify }
    },
  }
}

/** What a server asks, and the same with groups of which it takes keys. Throws for what cannot be
 *  read. */
function contexts(options: SecureContextOptions) {
  const any = createSecureContext(options)
  const made = new Map<string, SecureContext>()
  return (groups?: readonly string[]): SecureContext => {
    const ecdhCurve = groups?.join(':')
    if (ecdhCurve === undefined) return any
    const context = made.get(ecdhCurve) ?? createSecureContext({ ...options, ecdhCurve })
    made.set(ecdhCurve, context)
    return context
  }
}

function byCertificate(socket: TLSSocket): string {
  const handshake = handshakeOf(socket)
  refuse(faultWithCertificate(handshake))
  return nameOf(handshake.certificate!)
}

function refuse(fault: string | undefined): void {
  if (fault !== undefined) throw new Error(fault)
}

function checkedTimeout({ handshakeTimeoutMs = 10_000 }: TimeoutOptions): number {
  if (!(handshakeTimeoutMs > 0 && handshakeTimeoutMs < 2 ** 31)) {
    throw new RangeError(`handshakeTimeoutMs must be above 0, got ${handshakeTimeoutMs}`)
  }
  return handshakeTimeoutMs
}
