// @striper/tls: secrecy, and who is there. Read tls.ts first, then native.ts and carrier.ts.

export { tlsClient, tlsServer, type TlsPipe } from './tls.ts'
export type {
  ClientOptions as TlsClientOptions,
  ServerOptions as TlsServerOptions,
} from './sides.ts'
export { newSecret, parseSecret, type Secret } from './secret.ts'
export { Keyring } from './keyring.ts'
export { type Certificates, fingerprintOf } from './terms.ts'
