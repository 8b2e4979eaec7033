// Addresses as people write them: HOST:PORT, [V6]:PORT, :PORT, or the path of a Unix socket.

import { isIPv6, type AddressInfo } from 'node:net'

/** Where to listen or connect: a host and port, or the path of a Unix socket. */
export type SocketAddress = { host?: string; port: number } | { path: string }

/**
 * Reads `host:port`, `[v6]:port`, `:port` (every address, or the local host when connecting), or a
 * path: whatever has a slash in it. Throws a RangeError that says what is wrong.
 */
export function parseAddress(text: string): SocketAddress {
  if (text.includes('/')) return { path: text }
  const match = /^(?:\[(?<v6>[^\]]*)\]|(?<host>[^:[\]]*)):(?<port>\d{1,5})$/.exec(text)
  const { v6, host, port } = match?.groups ?? {}
  if (port === undefined || (v6 !== undefined && !isIPv6(v6))) {
    throw new RangeError(`'${text}' is not an address: write HOST:PORT, [V6]:PORT or a path`)
  }
  if (Number(port) > 65535) throw new RangeError(`'${text}': a port is 0..65535`)
  const name = v6 ?? host
  return name ? { host: name, port: Number(port) } : { port: Number(port) }
}

/** The reverse: what `parseAddress` would read. */
export function formatAddress(address: SocketAddress): string {
  if ('path' in address) return address.path
  const { host = '', port } = address
  // Joined, it is one string; one that is put together by `+` keeps its parts as well.
  return [host.includes(':') ? `[${host}]` : host, port].join(':')
}

/** What Node says of a socket's or a server's own end. */
export function formatNodeAddress(address: AddressInfo | object | string | null): string {
  if (typeof address === 'string') return address
  if (address === null || !('port' in address)) return ''
  return formatAddress({ host: address.address, port: address.port })
}
