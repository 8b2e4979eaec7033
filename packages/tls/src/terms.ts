// Terms: what each end asks of a handshake, and whether the peer has met it.
//
// TLS 1.3 only, two suites: the pre-shared keys are for SHA-256 (with the suite of SHA-384, Node
// finds no key). What OpenSSL does by itself is checked again when the handshake is done: a client
// with a pre-shared key that checks nothing takes any server with a certificate that anybody
// trusts.

import { constants, X509Certificate } from 'node:crypto'
import type { SecureContextOptions, TLSSocket } from 'node:tls'
import { type Keyring } from './keyring.ts'
import type { Secret } from './secret.ts'

/** A certificate of one's own, with its private key, and those who may sign the peer's: as PEM. */
export interface Certificates {
  cert: string | Buffer
  key: string | Buffer
  ca: string | Buffer | readonly (string | Buffer)[]
}

/** How every connection is made, whoever is there. */
export const SETTINGS = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:PSK',
  // A ticket would let a peer in whose key has been revoked, without asking for the key.
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const satisfies SecureContextOptions

/** What is trusted where there is a pre-shared key: no certificate whatever. */
export const NO_CERTIFICATES: SecureContextOptions = { ...SETTINGS, ca: [] }

/** SETTINGS with certificates. */
export function withCertificates({ cert, key, ca }: Certificates): SecureContextOptions {
  return { ...SETTINGS, cert, key, ca: Array.isArray(ca) ? [...(ca as string[])] : (ca as string) }
}

/** For Node, which asks this of a server whose certificate is in order. There is to be none. */
export function refuseCertificate(
  _host: string,
  certificate: object | undefined,
): Error | undefined {
  if (certificate === undefined || Object.keys(certificate).length === 0) return undefined
  return new Error('it has a certificate and was to have the key')
}

/** What is known of a handshake when it is done. */
export interface Handshake {
  readonly protocol: string | null
  /** Whether it was made from a key that both had. */
  readonly fromKey: boolean
  /** The SHA-256 of the peer's certificate, as Node writes it; undefined: it has shown none. */
  readonly certificate: string | undefined
}

/** A handshake as one of these. (Not by getPeerX509Certificate: a client of Node.js 20 that asks
 *  for it a second time is told that there is none.) */
export function handshakeOf(socket: TLSSocket): Handshake {
  const certificate = socket.getPeerCertificate() as { fingerprint256?: string } | null
  return {
    protocol: socket.getProtocol(),
    fromKey: socket.isSessionReused(),
    certificate: certificate?.fingerprint256,
  }
}

/** What is wrong with a handshake that was to be made from a key; undefined: nothing. */
export function faultWithKey({ protocol, fromKey, certificate }: Handshake): string | undefined {
  if (protocol !== 'TLSv1.3') return `it speaks ${protocol ?? 'nothing known'}`
  if (certificate !== undefined) return 'it has a certificate and was to have the key'
  if (!fromKey) return 'it has not proved that it has the key'
  return undefined
}

/** What is wrong with one that was to be made with certificates. */
export function faultWithCertificate({ protocol, fromKey, certificate }: Handshake) {
  if (protocol !== 'TLSv1.3') return `it speaks ${protocol ?? 'nothing known'}`
  if (certificate === undefined) return 'it has no certificate'
  if (fromKey) return 'it came by an earlier session and not by its certificate'
  return undefined
}

/** The name of a certificate, given as PEM, that a pipe has as its `peer`: `sha256:`, and the hash
 *  in hex. */
export function fingerprintOf(certificate: string | Buffer): string {
  return nameOf(new X509Certificate(certificate).fingerprint256)
}

/** The same, of a hash as Node writes it. */
export function nameOf(fingerprint256: string): string {
  return `sha256:${fingerprint256.replaceAll(':', '').toLowerCase()}`
}

/** The key of whom a client says it is, or undefined: whatever it says, and it never throws. */
export function keyFor(
  keys: Keyring,
  server: string,
  identity: unknown,
): { secret: Secret; psk: Buffer } | undefined {
  if (typeof identity !== 'string' || identity.length > 128) return undefined
  const secret = keys.find(identity)
  return secret && { secret, psk: secret.preSharedKey(server) }
}
