// connect(): a connection to a server, on the trunk that this process has to it.

import type { Channel, Priority } from '@striper/mux'
import type { Secret } from '@striper/tls'
import { parsePlace } from '@striper/trunk'
import { SharedTrunk } from './shared.ts'

/** A connection to a server: a byte pipe. Beside what every pipe emits, it emits `connect` with
 *  `ready`, for who knows it from `net`. */
export type Connection = Channel

/** How a server is reached, and who we are there. */
export type ConnectOptions = {
  /** The server's host: a name or an IP address; `localhost`. */
  host?: string
  port: number
  /** How many lanes, or from where: `8`, or `['eth0*2', '192.0.2.7,backup']`, as docs/lanes.md has
   *  it; 4. */
  lanes?: number | readonly string[]
  /** How long the trunk stays when its last connection has closed, in ms; 1 s. */
  idleMs?: number
  /** `interactive` goes before the others, `bulk` after them; without it, what it sends says. */
  priority?: Priority
} & (
  | {
      /** The secret that the server knows. */
      key: Secret
      /** The name that the server gives itself, if it does. */
      server?: string
    }
  | {
      /** No secrecy: for loopback, or inside a VPN. */
      plain: true
    }
)

/** The trunks of this process, by what their servers, keys and lanes are. */
const trunks = new Map<string, SharedTrunk>()

/**
 * Connects, and returns the pipe at once: what is written early waits. Connections to the same
 * server, with the same key, lanes and time, share one trunk. Where no lane reaches the server at
 * the first attempt, they fail with ERR_PIPE_CONNECT and why; later a trunk outlives the loss of
 * all its lanes for 60 s. Throws a TypeError for options that name neither a key nor `plain: true`,
 * and a RangeError for what is out of range.
 */
export function connect(options: ConnectOptions, onConnect?: () => void): Connection {
  const { host = 'localhost', port, lanes = 4, idleMs = 1000, priority } = options
  const key = 'plain' in options ? undefined : options.key
  if (key === undefined && !('plain' in options && (options.plain as boolean))) {
    throw new TypeError('a connection has a key, or is plain: true')
  }
  if (!(idleMs >= 0 && idleMs < 2 ** 31)) {
    throw new RangeError(`idleMs must be 0 or more, and under 2^31, got ${idleMs}`)
  }
  const places = typeof lanes === 'number' ? [`*${lanes}`] : lanes
  const server = 'server' in options ? options.server : undefined
  const name = JSON.stringify([host, port, key?.id, server, places, idleMs])
  const connection = trunkOf(name, () => {
    const from = places.map(place => parsePlace(place))
    const secrecy = key && { key, ...(server === undefined ? {} : { server }) }
    const over = (trunk: SharedTrunk) => {
      if (trunks.get(name) === trunk) trunks.delete(name)
    }
    return new SharedTrunk({ host, port, from, secrecy, idleMs, over })
  }).open(priority)
  connection.once('ready', () => connection.emit('connect'))
  if (onConnect) connection.once('connect', onConnect)
  return connection
}

/** The same. */
export const createConnection = connect

function trunkOf(name: string, make: () => SharedTrunk): SharedTrunk {
  const there = trunks.get(name)
  if (there?.usable) return there
  const trunk = make()
  trunks.set(name, trunk)
  return trunk
}
