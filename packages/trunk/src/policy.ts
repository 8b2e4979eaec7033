// lanePolicy: says which lanes a trunk is to keep up, from local places and servers, and follows
// interfaces that come and go, and names whose addresses change.
//
//   every 2 s: os.networkInterfaces() ─┐
//   every 60 s, or when all lanes to   ├─▶ wantedLanes ─▶ setLanes of each trunk
//   a name fail: its addresses        ─┘
//
// One policy may serve many trunks; it looks and asks only while there are any. What is wanted of
// what is there is decided in pure/wanted.ts.

import { lookup } from 'node:dns/promises'
import { networkInterfaces } from 'node:os'
import { logger } from '@striper/core'
import { LaneBudget } from './budget.ts'
import { type DialWay, RoutedLane } from './routed.ts'
import { canonicalAddress, checkedPlaces, type LanePlace, placeName } from './pure/place.ts'
import { type Interfaces, type ServerNow, wantedLanes } from './pure/wanted.ts'
import type { LaneSource, TrunkPipe } from './trunk.ts'
import { wordsFor } from './words.ts'

const log = logger('policy')

const DEFAULT_PLACES: readonly LanePlace[] = [{ from: '', count: 4 }]
/** A name that no lane reaches, or that has no address, is asked for again no sooner; in ms. */
const RETRY_MS = 5000

/** A server to dial: a name or an IP address, and a port. */
export interface LaneServer {
  readonly host: string
  readonly port: number
}

/** What a policy asks of the machine. */
export interface PolicySource {
  interfaces(): Interfaces
  /** The IP addresses of a name, best first. */
  resolve(host: string): Promise<readonly string[]>
}

export interface LanePolicyOptions {
  /** Where to dial from: `['eth0*2', '192.0.2.7,backup'].map(text => parsePlace(text))`. With none,
   *  4 lanes from wherever the system likes. */
  from?: readonly LanePlace[]
  /** Where to dial to; with several, they have to be ways to the same far end. */
  to: readonly LaneServer[]
  /** Dials one lane: `(greet, way) => stack(connect(way), greet, frame())`. */
  dial: DialWay
  /** How often to look for interfaces that came or went, in ms; 2 s. */
  pollMs?: number
  /** How often to ask for the addresses of names, in ms; 60 s. */
  resolveMs?: number
  /** What the machine is asked, where it is not Node's `os` and `dns`. */
  source?: PolicySource
}

/** What a policy may change while it is followed. */
export type LanePolicyChange = Partial<Pick<LanePolicyOptions, 'from' | 'to'>>

/** A policy for the `lanes` of one or more trunks. Throws a RangeError for a place, a server or a
 *  time that is wrong. */
export function lanePolicy(options: LanePolicyOptions): LanePolicy {
  return new LanePolicy(options)
}

/** A server, and what is known of it. */
interface Server extends ServerNow {
  addresses: readonly string[]
  why: string
  askedAt: number
  asking: boolean
}

interface Follower {
  readonly trunk: TrunkPipe
  readonly lanes: Map<string, RoutedLane>
}

/** What `lanePolicy` makes. */
export class LanePolicy implements LaneSource {
  readonly #dial: DialWay
  readonly #pollMs: number
  readonly #resolveMs: number
  readonly #source: PolicySource
  /** By place, one for each that was ever named: taking a place away must not refill its budget. */
  readonly #budgets = new Map<string, LaneBudget>()
  readonly #followers = new Set<Follower>()
  #places: readonly LanePlace[] = []
  #servers: readonly Server[] = []
  #interfaces: Interfaces = {}
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(options: LanePolicyOptions) {
    const { from = [], to, dial, pollMs = 2000, resolveMs = 60_000, source = SYSTEM } = options
    this.#dial = dial
    this.#pollMs = checkedMs('pollMs', pollMs)
    this.#resolveMs = checkedMs('resolveMs', resolveMs)
    this.#source = source
    this.change({ from, to })
  }

  /** Wants other places or servers from now on; lanes of those that stay are left alone, also where
   *  they go to a server that is no more wanted, until they are lost. Throws as `lanePolicy` does,
   *  and then changes nothing. */
  change({ from, to }: LanePolicyChange): void {
    const places = from && checkedPlaces(from)
    const servers = to && this.#checkedServers(to)
    if (places) this.#places = places.length > 0 ? places : DEFAULT_PLACES
    this.#servers = servers ?? this.#servers
    for (const place of from ? this.#places : []) {
      const { budgetBytes = Infinity } = place
      const budget = this.#budgets.get(placeName(place))
      if (budget) budget.bytes = budgetBytes
      else this.#budgets.set(placeName(place), new LaneBudget(budgetBytes))
    }
    this.#go()
  }

  /** For `trunk({ lanes })`: keeps a trunk's lanes as wanted until it closes. */
  supply(trunk: TrunkPipe): void {
    const follower: Follower = { trunk, lanes: new Map() }
    this.#followers.add(follower)
    trunk.once('close', () => {
      this.#followers.delete(follower)
      if (this.#followers.size === 0) this.#rest()
    })
    if (this.#timer === undefined) this.#look()
    this.#update(follower)
  }

  #go(): void {
    const before = addressesOf(this.#interfaces)
    this.#look()
    this.#updateAll()
    if (addressesOf(this.#interfaces) === before) return
    for (const { trunk } of this.#followers) trunk.hurry() // what was out of reach may not be now
  }

  /** Looks at the machine, and asks for names whose time has come; now and from now on, as long as
   *  anybody follows. */
  #look(): void {
    this.#rest()
    if (this.#followers.size === 0) return
    this.#timer = setTimeout(() => this.#go(), this.#pollMs)
    try {
      this.#interfaces = this.#source.interfaces()
    } catch (error) {
      log('the interfaces cannot be read, and are taken to be as they were: %s', wordsFor(error))
    }
    const now = performance.now()
    for (const server of this.#servers) {
      const afterMs = server.addresses.length > 0 ? this.#resolveMs : RETRY_MS
      if (now - server.askedAt >= afterMs) void this.#ask(server)
    }
  }

  #rest(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #updateAll(): void {
    for (const follower of [...this.#followers]) {
      try {
        this.#update(follower)
      } catch (error) {
        // The dial function threw; `wanted` says so, and the lane is dialled again.
        log('%s: %s', follower.trunk.label, wordsFor(error))
      }
    }
  }

  #update({ trunk, lanes }: Follower): void {
    const planned = wantedLanes(this.#places, this.#interfaces, this.#servers)
    const keys = new Set(planned.map(({ key }) => key))
    for (const key of lanes.keys()) if (!keys.has(key)) lanes.delete(key)
    for (const plan of planned) {
      const lane = lanes.get(plan.key)
      if (lane) lane.replan(plan, this.#interfaces)
      else lanes.set(plan.key, new RoutedLane(plan, this.#dial, way => this.#failed(way)))
    }
    trunk.setLanes(
      planned.map(({ key, place, absent }) => ({
        key,
        dial: lanes.get(key)!.dial,
        weight: place.weight ?? 1,
        backup: place.backup ?? false,
        budget: this.#budgets.get(placeName(place))!,
        ...(absent === undefined ? {} : { absent }),
      })),
    )
  }

  /** A lane did not come up. If none to that server is, the server may have moved. */
  #failed({ host, port }: LaneServer): void {
    const to = this.#servers.find(each => each.port === port && each.addresses.includes(host))
    if (to === undefined || performance.now() - to.askedAt < RETRY_MS) return
    const reached = [...this.#followers].some(({ lanes }) =>
      [...lanes.values()].some(lane => lane.reaches(to)),
    )
    if (!reached && this.#followers.size > 0) void this.#ask(to)
  }

  /** Asks for the addresses of a name. If there is no answer, the last one is still good. */
  async #ask(server: Server): Promise<void> {
    if (server.asking || server.askedAt === Infinity) return
    server.asking = true
    try {
      const addresses = [...new Set(await this.#source.resolve(server.host))]
      if (addresses.length > 0) server.addresses = addresses
      else server.why = `${server.host} has no address`
    } catch (error) {
      server.why = `cannot resolve ${server.host}: ${wordsFor(error)}`
      log('%s', server.why)
    }
    server.asking = false
    server.askedAt = performance.now()
    if (this.#servers.includes(server)) this.#updateAll()
  }

  #checkedServers(servers: readonly LaneServer[]): readonly Server[] {
    if (servers.length === 0) throw new RangeError('a policy has at least one server')
    return servers.map(({ host, port }) => {
      if (!(Number.isInteger(port) && port >= 1 && port <= 65535)) {
        throw new RangeError(`the port of a server is 1..65535, got ${port}`)
      }
      if (host === '') throw new RangeError('a server has a host')
      const known = this.#servers.find(each => each.host === host && each.port === port)
      if (known) return known
      const address = canonicalAddress(host)
      const addresses = address === undefined ? [] : [address]
      const askedAt = address === undefined ? -Infinity : Infinity // an address is never asked for
      return { host, port, addresses, why: `resolving ${host}`, askedAt, asking: false }
    })
  }
}

function addressesOf(interfaces: Interfaces): string {
  const lists = Object.entries(interfaces).map(([name, addresses]) => [
    name,
    addresses?.map(({ address }) => address),
  ])
  return JSON.stringify(lists)
}

const SYSTEM: PolicySource = {
  interfaces: networkInterfaces,
  resolve: async host => (await lookup(host, { all: true })).map(({ address }) => address),
}

function checkedMs(name: string, ms: number): number {
  if (ms > 0 && ms < 2 ** 31) return ms
  throw new RangeError(`${name} must be above 0, and under 2^31, got ${ms}`)
}
