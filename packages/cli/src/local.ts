// Whether an address keeps what goes over it on this machine.

import type { SocketAddress } from 'striper'
import { LOOPBACK, parseIp, within } from './pure/ip.ts'

/** Whether nobody else can see what goes over an address. No host is every address where one
 *  listens, and this machine where one connects. A name may be anybody's, except `localhost`. */
export function isPrivate(way: 'listen' | 'connect'): (address: SocketAddress) => boolean {
  return address => {
    if ('path' in address) return true
    const { host } = address
    if (host === undefined) return way === 'connect'
    if (host.toLowerCase() === 'localhost') return true
    const ip = parseIp(host)
    return ip !== undefined && LOOPBACK.some(network => within(ip, network))
  }
}
