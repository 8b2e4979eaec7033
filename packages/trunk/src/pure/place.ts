// A local place to dial lanes from, as people write it: ADDRESS[:PORT]|INTERFACE[*N][,weight=W]
// [,backup][,budget=BYTES].
//
//   192.0.2.7          one lane from this address      eth0*4             four from this interface
//   192.0.2.7:5000     one, from this port             [fd00::7]:5000     the same; :0 is any port
//   fd00::7*2,backup   two, while no other works       wwan0,budget=5G    one, and 5 GB in all
//   *8                 eight from wherever the system likes; 0.0.0.0*8 and ::*8, of one family
//
// Pure: whether the machine has such an address or interface is asked later, and again and again.

/** Lanes from one place, at most: what the far end takes of a session, unless told otherwise. */
export const MOST_LANES = 32

/** Where lanes are dialled from, how many, and what is said of them. */
export interface LanePlace {
  /** An IP address, or the name of an interface; '' is wherever the system likes, '0.0.0.0' and
   *  '::' the same for IPv4 and for IPv6 alone. */
  readonly from: string
  /** The local port of each of its lanes, 1..65535, where `from` is an address; the system chooses
   *  one for each unless given. */
  readonly port?: number
  /** Lanes, in all: 1 to 32. They are spread over the addresses that the servers have. */
  readonly count: number
  /** As of a lane: how much they are preferred; above 0, default 1. */
  readonly weight?: number
  /** As of a lane: used only while no other works; default false. */
  readonly backup?: boolean
  /** Bytes that may go by the place, both ways and all its lanes together; no limit. */
  readonly budgetBytes?: number
}

type Property = 'weight' | 'backup' | 'budget'

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12 }
const BINARY: Readonly<Record<string, number>> = {
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 },
}

/** Reads a place. Throws a RangeError that says what is wrong, and what would be right. */
export function parsePlace(text: string): LanePlace {
  const [where = '', ...properties] = text.split(',')
  const star = where.lastIndexOf('*')
  const { from, port } = parseFrom(star < 0 ? where : where.slice(0, star), text)
  const count = star < 0 ? 1 : parseCount(where.slice(star + 1), text)
  if (from === '' && star < 0) {
    throw wrong(text, 'names no address and no interface; for the default, write *N')
  }
  const place: { -readonly [K in keyof LanePlace]: LanePlace[K] } = { from, count }
  if (port > 0) place.port = port
  const seen = new Set<string>()
  for (const property of properties) {
    const [, name, value] = /^([^=]*)(?:=(.*))?$/s.exec(property)!
    if (seen.has(name!)) throw wrong(text, `says '${name}' twice`)
    seen.add(name!)
    switch (name as Property) {
      case 'weight':
        place.weight = parseWeight(value, text)
        break
      case 'backup':
        if (value !== undefined) throw wrong(text, "'backup' has no value")
        place.backup = true
        break
      case 'budget':
        place.budgetBytes = parseBytes(value, text)
        break
      default:
        throw wrong(text, `'${property}' is not weight=W, backup or budget=BYTES`)
    }
  }
  return place
}

/** The reverse: what `parsePlace` would read. */
export function formatPlace(place: LanePlace): string {
  const { from, count, weight, backup, budgetBytes } = place
  const lanes = count === 1 && from !== '' ? '' : `*${count}`
  const weighs = weight === undefined ? '' : `,weight=${weight}`
  const budget = budgetBytes === undefined ? '' : `,budget=${budgetBytes}`
  return `${placeName(place)}${lanes}${weighs}${backup ? ',backup' : ''}${budget}`
}

/** The places of a policy. Throws a RangeError where one is wrong, or is named twice. */
export function checkedPlaces(places: readonly LanePlace[]): readonly LanePlace[] {
  // What is right can be written, and read again.
  const checked = places.map(place => parsePlace(formatPlace(place)))
  const seen = new Set<string>()
  for (const place of checked) {
    const name = placeName(place)
    if (seen.has(name)) throw new RangeError(`'${name}' is named twice; write ${name}*2`)
    seen.add(name)
  }
  return checked
}

/** Which place it is, of those of a policy: `eth0`, `192.0.2.7:5000`, `[fd00::7]:5000`, or ''. */
export function placeName({ from, port }: LanePlace): string {
  if (port === undefined) return from
  return `${from.includes(':') ? `[${from}]` : from}:${port}`
}

/** An address as the system writes it, or undefined for what is none. An IPv4 address has one
 *  spelling; of IPv6 this is the shortest. */
export function canonicalAddress(text: string): string | undefined {
  if (/^(\d{1,3}\.){3}\d{1,3}$/.test(text)) {
    const parts = text.split('.')
    return parts.every(part => Number(part) <= 255 && String(Number(part)) === part)
      ? text
      : undefined
  }
  if (!/^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text)) return undefined
  try {
    return new URL(`http://[${text}]`).hostname.slice(1, -1)
  } catch {
    return undefined // it is for the caller to say so
  }
}

/** Whether an address is of its network alone, and no use to reach anything beyond. */
export function isLinkLocal(address: string): boolean {
  return /^(?:169\.254\.|fe[89ab][0-9a-f]:)/i.test(address)
}

/** What is written of where, before the star; port 0 is any. */
function parseFrom(written: string, text: string): { from: string; port: number } {
  // Of an address alone: an interface may be called eth0:1.
  const [, host = written, digits = '0'] = /^([\d.]*|\[.*\]):(\d+)$/.exec(written) ?? []
  const port = Number(digits)
  if (host === '' && written !== '') {
    throw wrong(text, `a port is of an address: 0.0.0.0:${digits}, or [::]:${digits}`)
  }
  if (port > 65_535) throw wrong(text, `a port is 0..65535, not ${digits}`)
  const bracketed = /^\[(.*)\]$/.exec(host)?.[1]
  const from = bracketed ?? host
  const address = canonicalAddress(from)
  if (address !== undefined) {
    if (isLinkLocal(address)) throw wrong(text, 'a link-local address reaches no server')
    return { from: address, port }
  }
  if (/^fe[89ab][0-9a-f]:.*%/i.test(from))
    throw wrong(text, 'a link-local address reaches no server')
  // An interface may be called eth0.100 or eth0:1, but hardly 10.0.0 or fd00::x.
  if (bracketed !== undefined || /^[\d.]+$|:.*:/.test(from)) {
    throw wrong(text, `'${from}' is not an IP address`)
  }
  if (from.trim() !== from || /[*/=\p{Cc}]/u.test(from)) {
    throw wrong(text, `'${from}' is neither an address nor the name of an interface`)
  }
  return { from, port: 0 }
}

function parseCount(written: string, text: string): number {
  const count = Number(written)
  if (/^\d+$/.test(written) && count >= 1 && count <= MOST_LANES) return count
  throw wrong(text, `after * comes a number of lanes, 1..${MOST_LANES}, not '${written}'`)
}

function parseWeight(written: string | undefined, text: string): number {
  const weight = Number(written)
  if (/^[\d.]+$/.test(written ?? '') && weight > 0 && weight < Infinity) return weight
  throw wrong(text, `weight= is a number above 0, such as 0.5, not '${written ?? ''}'`)
}

function parseBytes(written: string | undefined, text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)([kMGT]?|[KMGT]i)$/.exec(written ?? '') ?? []
  const bytes = Math.floor(Number(digits) * (UNITS[unit!] ?? BINARY[unit!] ?? NaN))
  if (bytes <= Number.MAX_SAFE_INTEGER) return bytes
  const units = 'k M G T (of 1000) or Ki Mi Gi Ti (of 1024)'
  throw wrong(text, `budget= is a number of bytes, with ${units} or none, not '${written ?? ''}'`)
}

function wrong(text: string, what: string): RangeError {
  return new RangeError(`'${text}': ${what}`)
}
