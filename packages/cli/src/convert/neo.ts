// The configuration of NEO-181, which both its ends read: with -c, with -s, and with -S at both
// where the server listens for applications.
//
//   app ──▶ client at EConnBindingAddr ══ a PConn from each PConnBindingAddress ══▶ ServerAddr
//                                                                 ──▶ DestAddr

import { isIP } from 'node:net'
import { formatAddress, parseAddress, parsePlace } from 'striper'
import { UsageError } from '../exit.ts'
import { ConfigDocument } from './document.ts'
import { Source } from './source.ts'

/** What `max-parcel` and `keep-alive` take. */
const LEAST_PIECE_BYTES = 1024
const MOST_PIECE_BYTES = 65_536
const MOST_KEEP_ALIVE_S = 32_400

/** What has no counterpart, and why not. */
const GONE: Readonly<Record<string, string>> = {
  EConnWriteConfig: 'a reader gives its writer credit, so that no buffer has to be set',
  PConnReusePort: 'a port may be dialled from again at once as it is',
}

/** The same as a configuration of ours, for one of the two ends; `swapped` is NEO-181's -S. Throws
 *  a UsageError. */
export function fromNeo(
  name: string,
  value: unknown,
  role: 'server' | 'client',
  swapped: boolean,
): string {
  const source = new Source(name, value, { ignoreCase: true }) // as Go reads JSON
  const document = new ConfigDocument()
  const server = tcp(name, 'ServerAddr', source.text('ServerAddr'))
  const binding = tcp(name, 'EConnBindingAddr', source.text('EConnBindingAddr'))
  const target = tcp(name, 'DestAddr', source.text('DestAddr'))
  const lanes = source.texts('PConnBindingAddresses')
  if (target.host === '') target.host = '127.0.0.1' // as Go dials it
  const forward = `${formatAddress(binding)}:${formatAddress(target)}`

  document.note(`From ${name} of NEO-181${swapped ? ', with -S' : ''}.`)
  if (source.has('PConnAuthToken')) {
    document.note('PConnAuthToken is a password. Here both ends need one key: striper key new.')
  }
  if (role === 'server') {
    document.list('listen', [formatAddress(server)])
    if (swapped) document.list('allow-listen', [formatAddress(binding)])
    else document.list('allow', [formatAddress(target)])
  } else {
    if (server.host === '') throw new UsageError(`${name}: 'ServerAddr' has no host to connect to`)
    document.list('server', [formatAddress(server)])
    document.list(swapped ? 'reverse' : 'forward', [forward])
    document.list('bind', places(name, lanes))
  }
  pieces(document, source.count('MaxPacketBodyLength'))
  keepAlive(document, source.integer('PConnKeepAlive'))
  for (const [key, why] of Object.entries(GONE)) {
    if (source.has(key)) document.note(`${key} has no counterpart: ${why}.`)
  }
  for (const key of source.rest) document.note(`${key}: not a key of NEO-181; left out.`)
  return document.toString()
}

/** The most bytes of a piece, within our limits. */
function pieces(document: ConfigDocument, bytes: number | undefined): void {
  if (bytes === undefined) return
  const within = Math.min(Math.max(bytes, LEAST_PIECE_BYTES), MOST_PIECE_BYTES)
  document.note('Without max-parcel pieces are what a lane takes in 20 ms, which costs less.')
  if (within !== bytes) {
    const limits = `${LEAST_PIECE_BYTES} to ${MOST_PIECE_BYTES}`
    document.note(`MaxPacketBodyLength was ${bytes}; here it is ${limits}.`)
  }
  document.set('max-parcel', within)
}

/** Nanoseconds; 0 and less were none. */
function keepAlive(document: ConfigDocument, ns: number | undefined): void {
  if (ns === undefined) return
  if (ns <= 0) return document.set('keep-alive', 'off')
  const seconds = ns / 1e9
  const within = Math.min(Math.max(Math.round(seconds), 1), MOST_KEEP_ALIVE_S)
  if (within !== seconds) {
    const limits = `whole seconds, 1 to ${MOST_KEEP_ALIVE_S}`
    document.note(`PConnKeepAlive was ${seconds} s; here it is ${limits}.`)
  }
  document.set('keep-alive', `${within}s`)
}

/** One place for each address, and port; one that is there n times is `*n`. */
function places(name: string, addresses: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const address of addresses) {
    const none = { host: address, port: 0 }
    const local = hasPort(address) ? tcp(name, 'PConnBindingAddresses', address) : none
    if (isIP(local.host) === 0) {
      throw new UsageError(`${name}: 'PConnBindingAddresses': '${address}' is not an address`)
    }
    const place = local.port === 0 ? local.host : formatAddress(local)
    counts.set(place, (counts.get(place) ?? 0) + 1)
  }
  const all = [...counts].map(([place, count]) => (count === 1 ? place : `${place}*${count}`))
  for (const each of all) check(name, each)
  return all
}

function check(name: string, place: string): void {
  try {
    parsePlace(place)
  } catch (error) {
    const message = (error as Error).message
    throw new UsageError(`${name}: 'PConnBindingAddresses': ${message}`, { cause: error })
  }
}

function hasPort(address: string): boolean {
  return /^(\[.*\]|[\d.]+):\d+$/.test(address)
}

function tcp(name: string, key: string, text: string): { host: string; port: number } {
  try {
    const address = parseAddress(text)
    if ('path' in address) throw new RangeError(`'${text}' is not HOST:PORT`)
    return { host: address.host ?? '', port: address.port }
  } catch (error) {
    throw new UsageError(`${name}: '${key}': ${(error as Error).message}`, { cause: error })
  }
}
