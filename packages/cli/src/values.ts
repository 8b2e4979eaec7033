// What the user writes, as values: addresses, forwards, times, sizes, counts. Each throws a
// RangeError that says what it got and what is allowed.

import { isIP, isIPv6 } from 'node:net'
import { type LaneServer, parseAddress, type SocketAddress } from 'striper'
import { isHost } from './pure/request.ts'

/** Connections that come in at one end and go out at the other. */
export interface Forward {
  /** Where connections come in; host '' is every address. */
  readonly listen: { readonly host: string; readonly port: number }
  /** Whom the other end connects to. */
  readonly target: { readonly host: string; readonly port: number }
}

/** Lanes of a session, at most: what a place, and a server, take. */
export const MOST_LANES = 32

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const
const LONGEST_MS = 2 ** 31 - 1 // what a timer can count
const FACTOR = { '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 }

/** HOST:PORT, [V6]:PORT, :PORT or the path of a Unix socket. */
export const address = (text: string): SocketAddress => parseAddress(text)

/** An address to connect to: as `address`, with a port that is not 0. */
export function destination(text: string): SocketAddress {
  const address = parseAddress(text)
  if ('port' in address && address.port === 0) {
    throw new RangeError(`'${text}': nobody can be reached at port 0`)
  }
  return address
}

/** A server to dial lanes to: HOST:PORT or [V6]:PORT; without a host, this machine. */
export function server(text: string): LaneServer {
  const address = destination(text)
  if ('port' in address) return { host: 'localhost', ...address }
  throw new RangeError(`'${text}' is a path, and lanes are dialled to HOST:PORT`)
}

/** A name of a server. */
export function name(text: string): string {
  if (/^[\x21-\x7e]{1,253}$/.test(text)) return text
  throw new RangeError(`'${text}' is not a name: 1 to 253 characters of ASCII, and no blanks`)
}

/** [BIND:]PORT:HOST:PORT, as ssh has it. Without BIND it is 127.0.0.1; `*`, or nothing before the
 *  colon, is every address. */
export function forward(text: string): Forward {
  const bind = String.raw`(?:(?:\[(?<bind6>[^\]]*)\]|(?<bind>[^:[\]]*)):)?(?<from>\d{1,5})`
  const to = String.raw`(?:\[(?<host6>[^\]]*)\]|(?<host>[^:[\]]+)):(?<to>\d{1,5})`
  const groups = new RegExp(`^${bind}:${to}$`).exec(text)?.groups
  if (!groups) throw new RangeError(`'${text}' is no forward: write [BIND:]PORT:HOST:PORT`)
  const local = groups.bind6 ?? groups.bind ?? '127.0.0.1'
  const host = groups.host6 ?? groups.host!
  for (const v6 of [groups.bind6, groups.host6]) {
    if (v6 !== undefined && !isIPv6(v6)) {
      throw new RangeError(`'${text}': '${v6}' is not an IPv6 address`)
    }
  }
  if (!['', '*', 'localhost'].includes(local) && isIP(local) === 0) {
    throw new RangeError(`'${text}': '${local}' is not an address to listen at`)
  }
  if (!isHost(host)) throw new RangeError(`'${text}': '${host}' is neither a name nor an address`)
  const [from, port] = [Number(groups.from), Number(groups.to)]
  if (from > 65535 || port > 65535) throw new RangeError(`'${text}': a port is at most 65535`)
  if (port === 0) throw new RangeError(`'${text}': nobody can be reached at port 0`)
  return { listen: { host: local === '*' ? '' : local, port: from }, target: { host, port } }
}

/** A time in ms: a number with ms, s, m or h; `off` is 0. */
export function time(text: string): number {
  if (text === 'off') return 0
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? []
  if (number === undefined) {
    throw new RangeError(`'${text}' is not a time: write 250ms, 30s, 5m, 1h, or off`)
  }
  const ms = Number(number) * MS[unit as keyof typeof MS]
  if (ms >= 1 && ms <= LONGEST_MS) return ms
  throw new RangeError(`'${text}': a time is 1ms to 596h, or off`)
}

/** A time that cannot be switched off. */
export function someTime(text: string): number {
  const ms = time(text)
  if (ms === 0) throw new RangeError(`'${text}': this time cannot be off`)
  return ms
}

/** A time within bounds, or off. */
export function timeFrom(least: string, most: string): (text: string) => number {
  return text => {
    const ms = time(text)
    if (ms === 0 || (ms >= time(least) && ms <= time(most))) return ms
    throw new RangeError(`'${text}' is not from ${least} to ${most}, or off`)
  }
}

/** How long a connection may be silent before the system asks: whole seconds, so many at most. */
export function keepAlive(text: string): number {
  const ms = timeFrom('1s', '9h')(text)
  if (ms % 1000 === 0) return ms
  throw new RangeError(`'${text}': this time is in whole seconds`)
}

/** A size in bytes: a number, perhaps with k, M, G, T (powers of 1000) or Ki, Mi, Gi (of 1024). */
export function size(text: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(k|M|G|T|Ki|Mi|Gi)?B?$/.exec(text) ?? []
  if (number === undefined) throw new RangeError(`'${text}' is not a size: write 64Ki, 16Mi or 2G`)
  return Math.round(Number(number) * FACTOR[unit as keyof typeof FACTOR])
}

/** A size within bounds. */
export function sizeFrom(least: string, most: string): (text: string) => number {
  return text => {
    const bytes = size(text)
    if (bytes >= size(least) && bytes <= size(most)) return bytes
    throw new RangeError(`'${text}' is not from ${least} to ${most}`)
  }
}

/** A whole number within bounds. */
export function count(from: number, to: number): (text: string) => number {
  return text => {
    const number = /^\d{1,15}$/.test(text) ? Number(text) : NaN
    if (number >= from && number <= to) return number
    throw new RangeError(`'${text}' is not a whole number from ${from} to ${to}`)
  }
}

/** One of a few words. */
export function oneOf<W extends string>(...words: readonly W[]): (text: string) => W {
  return text => {
    const word = words.find(each => each === text)
    if (word !== undefined) return word
    throw new RangeError(`'${text}' is not one of ${words.join(', ')}`)
  }
}

/** A path, or any text that is not empty. */
export function path(text: string): string {
  if (text === '') throw new RangeError('an empty path')
  return text
}
