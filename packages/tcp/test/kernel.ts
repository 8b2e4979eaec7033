// What the system and this Node.js have to offer, and what Linux says of a connection over IPv4, in
// /proc/net/tcp.

import { readFileSync } from 'node:fs'

const [major, minor] = process.versions.node.split('.').map(Number) as [number, number]
/** Whether this Node.js has `reusePort`: 22.12 and 23.1 have it, of Linux it is known here. */
export const SHARES_PORTS =
  process.platform === 'linux' &&
  (major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12))

/** In how many seconds the system will ask whether the other end of a connection is there, Infinity
 *  for never; undefined while it waits for something else, such as an acknowledgement. The sixth
 *  column is the timer that runs: 00 is none, 02 keep-alive's. */
export function asksIn(localPort: number, remotePort: number): number | undefined {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0')
  const ends = new RegExp(`:${hex(localPort)} [0-9A-F]+:${hex(remotePort)} `)
  const row = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .find(each => ends.test(each))
  if (row === undefined) throw new Error(`no connection from ${localPort} to ${remotePort}`)
  const [timer, ticks] = row.trim().split(/\s+/)[5]!.split(':')
  if (timer === '00') return Infinity
  return timer === '02' ? parseInt(ticks!, 16) / 100 : undefined
}
