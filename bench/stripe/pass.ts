// A chain of two relays and a load, all processes of their own, and passes: downloads through it,
// on one connection.
//
//   client ◀── near relay ◀══ lanes, or one connection ══ far relay ◀── target

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newSecret } from 'striper'
import { sum } from '../lib/figures.ts'
import { Child } from './child.ts'
import type { Amount, Come } from './load.ts'
import type { Counts } from './relay.ts'

/** What carries the bytes. */
export type Chain =
  { by: 'pair'; lanes: number; tls: boolean } | { by: 'naive'; tls: boolean } | { by: 'haproxy' }

/** What a pass came to; both relays together, but for their memory. */
export interface Pass {
  /** GB/s. */
  speed: number
  /** CPU seconds for each GB. */
  cpu: number
  /** The larger peak of the two so far, in MiB. */
  memory: number
  /** Bytes that JavaScript copied for each byte; undefined where nobody counts. */
  copied: number | undefined
  /** The mean size of a parcel, in KiB; undefined where there is none. */
  parcel: number | undefined
}

const LIMIT_MS = 300_000
const GB = 1e9
const MIB = 1024 * 1024

/** A chain that runs, and is idle but for its passes. */
export class RunningChain {
  readonly #load: Child
  readonly #relays: readonly Child[]
  readonly #counts: boolean

  private constructor(load: Child, relays: readonly Child[], counts: boolean) {
    this.#load = load
    this.#relays = relays
    this.#counts = counts
  }

  /** Starts a chain, and connects to it. `programs` is where they are built. */
  static async start(
    chain: Chain,
    programs: string,
    nodeOptions: readonly string[] = [],
  ): Promise<RunningChain> {
    const node = [process.execPath, ...nodeOptions]
    const load = new Child([process.execPath, join(programs, 'load.cjs')])
    const relays: Child[] = []
    const running = new RunningChain(load, relays, chain.by === 'pair')
    try {
      let port = await load.hear<number>('port')
      for (const kind of kindsOf(chain)) {
        const relay =
          chain.by === 'haproxy'
            ? await startHaproxy(port)
            : await startNode([...node, join(programs, 'relay.cjs'), kind, port, lanesOf(chain)])
        relays.push(relay.child)
        port = relay.port
      }
      load.say({ port })
      return running
    } catch (error) {
      await running.stop()
      throw error
    }
  }

  /** One download. */
  async pass(amount: Amount): Promise<Pass> {
    const before = await this.#figures()
    const done = this.#load.hear<Come>('done', LIMIT_MS)
    this.#load.say(amount)
    const { bytes, ms } = await done
    const after = await this.#figures()
    const gigabytes = bytes / GB
    const since = (name: keyof Counts) => after.total(name) - before.total(name)
    const cpu = (at: typeof before) => sum(at.usages.map(({ cpuSeconds }) => cpuSeconds))
    return {
      speed: gigabytes / (ms / 1000),
      cpu: (cpu(after) - cpu(before)) / gigabytes,
      memory: Math.max(...after.usages.map(({ peakBytes }) => peakBytes)) / MIB,
      copied: this.#counts ? since('copied') / bytes : undefined,
      parcel: this.#counts ? since('parcelBytes') / since('parcels') / 1024 : undefined,
    }
  }

  async #figures() {
    const usages = this.#relays.map(relay => relay.usage())
    const counted = this.#counts ? await Promise.all(this.#relays.map(askCounts)) : []
    const total = (name: keyof Counts) => sum(counted.map(each => each[name]))
    return { usages, total }
  }

  async stop(): Promise<void> {
    await Promise.all([this.#load, ...this.#relays].map(child => child.stop()))
  }
}

/** The far relay first: the near one connects to it. */
function kindsOf(chain: Chain): readonly string[] {
  if (chain.by === 'haproxy') return ['haproxy', 'haproxy']
  if (chain.by === 'pair') return chain.tls ? ['exit-tls', 'entry-tls'] : ['exit', 'entry']
  return chain.tls ? ['naive-tls-far', 'naive-tls-near'] : ['naive', 'naive']
}

function lanesOf(chain: Chain): number {
  return chain.by === 'pair' ? chain.lanes : 0
}

const SECRET = newSecret().reveal()

async function startNode(command: readonly (string | number)[]) {
  const child = new Child(command.map(String), { SECRET })
  return { child, port: await child.hear<number>('port') }
}

async function startHaproxy(to: number) {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'striper-bench-'))
  const file = join(folder, 'haproxy.cfg')
  const lines = [
    'global',
    '  nbthread 1', // as a Node.js relay has
    'defaults',
    '  mode tcp',
    '  timeout connect 5s',
    '  timeout client 1m',
    '  timeout server 1m',
    'listen relay',
    `  bind 127.0.0.1:${port}`,
    `  server target 127.0.0.1:${to}`,
  ]
  writeFileSync(file, lines.join('\n') + '\n')
  const child = new Child(['haproxy', '-q', '-f', file])
  try {
    await listening(port)
  } finally {
    rmSync(folder, { recursive: true })
  }
  return { child, port }
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

async function listening(port: number): Promise<void> {
  for (let tries = 0; ; tries++) {
    const answered = await new Promise<boolean>(resolve => {
      const socket = net.connect(port, '127.0.0.1', () => resolve(true))
      socket.on('error', () => resolve(false)).once('connect', () => socket.destroy())
    })
    if (answered) return
    if (tries === 100) throw new Error('haproxy does not listen')
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

async function askCounts(relay: Child): Promise<Counts> {
  relay.say({})
  return relay.hear<Counts>('counts')
}
