// Which lanes are wanted just now: a function of the policy, the machine's interfaces and the
// addresses that the servers have.
//
//   places   eth0*2, 10.0.0.5 ─┐
//   machine  eth0: 192.0.2.7  ─┼─▶  eth0#1  by 192.0.2.7 → 198.51.100.1:7000, or → 198.51.100.2
//   servers  198.51.100.1, .2 ─┘    eth0#2  by 192.0.2.7 → 198.51.100.2:7000, or → 198.51.100.1
//                                   10.0.0.5#1  absent: no such address now
//
// Pure: it neither looks nor resolves.

import { canonicalAddress, isLinkLocal, type LanePlace, placeName } from './place.ts'

/** Where one lane is dialled from and to. What is not said of the local end the system chooses. */
export interface LaneWay {
  readonly localAddress?: string
  readonly localPort?: number
  readonly host: string
  readonly port: number
}

/** An address of an interface, as `os.networkInterfaces()` has it. */
export interface LocalAddress {
  readonly address: string
}

/** The machine's interfaces by name, each with its addresses. */
export type Interfaces = Readonly<Record<string, readonly LocalAddress[] | undefined>>

/** A server, and what is known of its addresses. */
export interface ServerNow {
  readonly host: string
  readonly port: number
  /** Its IP addresses, best first; the last that are known. */
  readonly addresses: readonly string[]
  /** Why there are none, in words, where there are none. */
  readonly why: string
}

/** A lane to keep up. `key` says which one it is, as long as its place is wanted. */
export interface PlannedLane {
  readonly key: string
  readonly place: LanePlace
  /** How it may be dialled, what to try first in front; none where it cannot be. */
  readonly ways: readonly LaneWay[]
  /** Why it cannot be dialled now, where it cannot. */
  readonly absent: string | undefined
}

/** Wildcard addresses: dialled from wherever the system likes, in one family. */
const WILD = ['0.0.0.0', '::']

/**
 * The lanes that a policy wants now: from each place as many as it says, in turn over all pairs of
 * one of its addresses and an address of a server that can reach each other. A place that is not
 * there, or reaches no server, keeps its lanes in the list, absent.
 */
export function wantedLanes(
  places: readonly LanePlace[],
  interfaces: Interfaces,
  servers: readonly ServerNow[],
): PlannedLane[] {
  return places.flatMap((place, nth) => {
    const locals = localsOf(place, interfaces)
    const ways = Array.isArray(locals) ? waysFrom(locals, place.port, servers) : []
    const absent = Array.isArray(locals) ? whyNone(ways, servers) : locals
    return Array.from({ length: place.count }, (_, i) => {
      // Each lane begins elsewhere; places with one lane each do as well.
      const first = (nth + i) % Math.max(1, ways.length)
      const key = `${placeName(place) || 'default'}#${i + 1}`
      return { key, place, ways: [...ways.slice(first), ...ways.slice(0, first)], absent }
    })
  })
}

/** Whether what a lane was dialled from is still there. */
export function stillThere(place: LanePlace, way: LaneWay, interfaces: Interfaces): boolean {
  if (way.localAddress === undefined) return true
  if (isAddress(place.from)) return isHere(way.localAddress, interfaces)
  return named(place.from, interfaces)?.some(({ address }) => address === way.localAddress) ?? false
}

/** The local addresses of a place, '' for the system's choice; or why there are none. */
function localsOf({ from }: LanePlace, interfaces: Interfaces): string[] | string {
  if (from === '') return ['']
  if (WILD.includes(from)) return [from]
  if (isAddress(from)) {
    return isHere(from, interfaces) ? [from] : 'no such address now'
  }
  const addresses = named(from, interfaces)
  if (addresses === undefined) return 'no such interface now'
  const usable = addresses.map(each => each.address).filter(address => !isLinkLocal(address))
  // The first of each family: an interface may have a dozen of IPv6, all over the same network.
  const firsts = ['v4', 'v6'].flatMap(
    family => usable.find(each => familyOf(each) === family) ?? [],
  )
  return firsts.length > 0 ? firsts : 'no usable address on it now'
}

function waysFrom(
  locals: readonly string[],
  port: number | undefined,
  servers: readonly ServerNow[],
): LaneWay[] {
  // The first address of each server, then the second of each, so that few lanes reach all servers.
  const most = Math.max(0, ...servers.map(server => server.addresses.length))
  const targets = Array.from({ length: most }, (_, i) =>
    servers.flatMap(({ addresses, port }) => {
      const host = addresses[i]
      return host === undefined || isLinkLocal(host) ? [] : [{ host, port }]
    }),
  ).flat()
  const fixed = port === undefined ? {} : { localPort: port }
  return targets.flatMap(target =>
    locals
      .filter(local => local === '' || familyOf(local) === familyOf(target.host))
      .map(local => ({
        ...(local === '' || WILD.includes(local) ? {} : { localAddress: local }),
        ...fixed,
        ...target,
      })),
  )
}

function whyNone(ways: readonly LaneWay[], servers: readonly ServerNow[]): string | undefined {
  if (ways.length > 0) return undefined
  const unknown = servers.find(server => server.addresses.length === 0)
  return unknown?.why ?? 'no server has an address of its family'
}

/** The addresses of the interface of a name, which somebody typed. */
function named(name: string, interfaces: Interfaces): readonly LocalAddress[] | undefined {
  return Object.hasOwn(interfaces, name) ? interfaces[name] : undefined
}

/** Whether the machine has an address. All of 127/8 is its own, and only one of it is listed. */
function isHere(address: string, interfaces: Interfaces): boolean {
  const listed = Object.values(interfaces).flatMap(addresses => addresses ?? [])
  return address.startsWith('127.') || listed.some(each => each.address === address)
}

function isAddress(from: string): boolean {
  return canonicalAddress(from) !== undefined
}

function familyOf(address: string): 'v4' | 'v6' {
  return address.includes(':') ? 'v6' : 'v4'
}
