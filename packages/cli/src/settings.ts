// What `striper server` and `striper client` run with: checked, complete, and of the types that the
// running parts take. Times are in ms, sizes in bytes; a time of 0 is none.

import type { LanePlace, LaneServer, SocketAddress } from 'striper'
import type { AllowRule, ListenRule } from './pure/allow.ts'
import type { Secret } from './secret.ts'
import type { Forward } from './values.ts'

/** How lanes are made secret, and how each end knows the other. */
export type Security =
  /** TLS with a secret that both ends have. A server takes whoever has one of its keys; a client
   *  has exactly one. */
  | { readonly by: 'key'; readonly keys: readonly Secret[] }
  /** TLS with certificates at both ends, each signed by `ca`. All are PEM. */
  | {
      readonly by: 'certificate'
      readonly cert: string
      readonly certKey: string
      readonly ca: string
    }
  /** Neither. Every address of these settings is of this machine, unless the user insisted. */
  | { readonly by: 'nothing' }

/** What both ends have. */
export interface CommonSettings {
  readonly security: Security
  /** What the server calls itself, at both ends: with a key it is part of the key, so that a node's
   *  own server is not taken for its client's peer; in certificates it is the name of the server's.
   *  '' at both ends where nobody said. */
  readonly serverName: string
  /** Where `striper status` asks: the path of a Unix socket, or the name of a pipe on Windows. */
  readonly socket: string
  /** What may wait at this end of a session for its reader; 512 KiB to 1 GiB. */
  readonly windowBytes: number
  /** The most bytes of a parcel, 1 to 64 KiB; undefined where the lanes alone say. */
  readonly maxParcelBytes: number | undefined
  /** How long a TCP connection may be silent before the system asks for its other end. */
  readonly keepAliveMs: number
  /** How long a connection may take to come about. */
  readonly connectTimeoutMs: number
  /** How long a session outlives its last lane. */
  readonly noLaneTimeoutMs: number
  /** How long a channel may idle, and how long once one direction has ended. */
  readonly idleTimeoutMs: number
  readonly halfOpenTimeoutMs: number
  /** Channels at once, of all sessions. */
  readonly maxChannels: number
}

/** What `striper server` runs with. */
export interface ServerSettings extends CommonSettings {
  readonly role: 'server'
  /** Where lanes come in; one or more. */
  readonly listen: readonly SocketAddress[]
  /** Whom clients may have it connect to, see `mayConnect`; none: nobody. */
  readonly allow: readonly AllowRule[]
  /** Where clients may have it listen, see `mayListen`; none: nowhere. */
  readonly allowListen: readonly ListenRule[]
  /** From the first byte of a lane to its proof. */
  readonly handshakeTimeoutMs: number
  /** What each offence of a stranger adds to the time for which his address is refused; 10 min at
   *  most. */
  readonly penaltyMs: number
  readonly maxSessions: number
  /** Lanes of one session; 1 to 32. */
  readonly maxLanes: number
  /** Connections that come in, of lanes and strangers. */
  readonly maxConnections: number
  /** What all clients together may have it hold for readers that are slow; 16 MiB or more. */
  readonly memoryBytes: number
}

/** What `striper client` runs with. */
export interface ClientSettings extends CommonSettings {
  readonly role: 'client'
  /** The server's addresses; one or more, all of one server. */
  readonly servers: readonly LaneServer[]
  /** Where lanes are dialled from; one or more. */
  readonly places: readonly LanePlace[]
  /** Connections taken here, and made by the server. */
  readonly forwards: readonly Forward[]
  /** Connections taken by the server, and made here. */
  readonly reverses: readonly Forward[]
  /** Which lane gets the next parcel. */
  readonly schedule: 'soonest' | 'round-robin' | 'until-congested'
}
