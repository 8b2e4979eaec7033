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

/** What has no counterpart, and why not. */
const GONE: Readonly<Record<string, string>> = {
  MaxPacketBodyLength: 'pieces are cut to what the lanes deliver in some milliseconds',
  EConnWriteConfig: 'a reader gives its writer credit, so that no buffer has to be set',
  PConnKeepAlive: 'lanes that are silent are probed, and dialled again',
  PConnReusePort: 'the system chooses the local ports',
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
    if (lanes.some(hasPort)) document.note('The system chooses the local ports of lanes.')
    document.list('bind', places(name, lanes))
  }
  for (const [key, why] of Object.entries(GONE)) {
    if (source.has(key)) document.note(`${key} has no counterpart: ${why}.`)
  }
  for (const key of source.rest) document.note(`${key}: not a key of NEO-181; left out.`)
  return document.toString()
}

/** One place for each address; one that is there n times is `*n`. */
function places(name: string, addresses: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const address of addresses) {
    const host = hasPort(address) ? tcp(name, 'PConnBindingAddresses', address).host : address
    if (isIP(host) === 0) {
      throw new UsageError(`${name}: 'PConnBindingAddresses': '${address}' is not an address`)
    }
    counts.set(host, (counts.get(host) ?? 0) + 1)
  }
  const all = [...counts].map(([host, count]) => (count === 1 ? host : `${host}*${count}`))
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
