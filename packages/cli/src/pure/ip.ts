// IP addresses and networks as numbers, so that one can be inside another.
//
// An IPv4 address inside IPv6 (::ffff:a.b.c.d) is that IPv4 address. Only the canonical forms are
// addresses: `127.1`, `0177.0.0.1` and `2130706433` are names to us, as they are to Node, and are
// judged by what they resolve to.

/** An address: its family, and its bits as a number. */
export interface Ip {
  readonly family: 4 | 6
  readonly value: bigint
}

/** A network: the addresses that begin with the first `bits` bits of `value`. */
export interface Network extends Ip {
  readonly bits: number
}

const WIDTH = { 4: 32, 6: 128 } as const

/** Reads an address (a zone, `%eth0`, is left out of account); undefined where it is none. */
export function parseIp(text: string): Ip | undefined {
  const v4 = parseV4(text)
  if (v4 !== undefined) return { family: 4, value: v4 }
  const v6 = parseV6(text.replace(/%.+$/, ''))
  if (v6 === undefined) return undefined
  if (v6 >> 32n === 0xffffn) return { family: 4, value: v6 & 0xffffffffn }
  return { family: 6, value: v6 }
}

/** Reads ADDRESS/BITS, or an address as the network of itself. Undefined where it is neither;
 *  throws a RangeError where there are bits that the network does not have. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', length, ...more] = text.split('/')
  const ip = parseIp(address)
  if (!ip || more.length > 0) return undefined
  const width = WIDTH[ip.family]
  const mapped = ip.family === 4 && address.includes(':') ? 96 : 0
  if (length === undefined) return { ...ip, bits: width }
  const bits = /^\d{1,3}$/.test(length) ? Number(length) - mapped : -1
  if (bits < 0 || bits > width) {
    throw new RangeError(`'${text}': a network of this family is /${mapped} to /${width + mapped}`)
  }
  const rest = BigInt(width - bits)
  if ((ip.value >> rest) << rest !== ip.value) {
    throw new RangeError(`'${text}' has bits set beyond its first ${bits}`)
  }
  return { ...ip, bits }
}

/** Whether an address, or the whole of another network, is in a network. */
export function within(inner: Ip | Network, outer: Network): boolean {
  if (inner.family !== outer.family) return false
  if ('bits' in inner && inner.bits < outer.bits) return false
  const rest = BigInt(WIDTH[outer.family] - outer.bits)
  return inner.value >> rest === outer.value >> rest
}

function parseV4(text: string): bigint | undefined {
  if (!/^(?:(?:0|[1-9]\d{0,2})(?:\.(?!$)|$)){4}$/.test(text)) return undefined
  const parts = text.split('.').map(Number)
  if (parts.some(part => part > 255)) return undefined
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n)
}

function parseV6(text: string): bigint | undefined {
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  if (tail) {
    const v4 = parseV4(tail[2]!)
    if (v4 === undefined) return undefined
    text = `${tail[1]}${(v4 >> 16n).toString(16)}:${(v4 & 0xffffn).toString(16)}`
  }
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head = [], rest = []] = halves.map(half => (half === '' ? [] : half.split(':')))
  const missing = 8 - head.length - rest.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const groups = [...head, ...Array<string>(missing).fill('0'), ...rest]
  if (!groups.every(group => /^[0-9a-f]{1,4}$/i.test(group))) return undefined
  return groups.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n)
}

/** Addresses that are not somewhere on the internet: this machine, private networks, links,
 *  multicast, reserved, and IPv4 addresses in an IPv6 disguise (RFC 6890 and its registry). */
export const SPECIAL: readonly Network[] = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16'],
  ...['172.16.0.0/12', '192.0.0.0/24', '192.168.0.0/16', '198.18.0.0/15'],
  ...['224.0.0.0/4', '240.0.0.0/4'],
  ...['::/96', '64:ff9b::/96', '64:ff9b:1::/48', '2002::/16', 'fc00::/7', 'fe80::/10', 'ff00::/8'],
].map(text => parseNetwork(text)!)

/** This machine, in both families. */
export const LOOPBACK: readonly Network[] = ['127.0.0.0/8', '::1'].map(text => parseNetwork(text)!)
