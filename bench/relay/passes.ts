// Passes: one load through one relay, which is started for it and stopped behind it.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import type { Count, Job, Times } from './load.ts'
import { type Place, Relay, type RelayName } from './relays.ts'
import type { Load, Pass } from './rows.ts'

const PASS_LIMIT_MS = 120_000
/** Until what was said is over, and memory is what it stays. */
const SETTLE_MS = 2000
/** Sent before anything is measured: code is compiled and windows grow. */
const WARM_UP_S = 1
const GIGA = 1e9

/** Why iperf3 cannot send; undefined where it can. */
export function iperfObstacle(): string | undefined {
  return spawnSync('iperf3', ['--version']).error ? 'iperf3 is not installed' : undefined
}

/** What the relays stand between, and the passes through them. */
export class Bench {
  readonly #place: Place
  readonly #load: Child
  readonly #iperf: ChildProcess | undefined
  readonly #targets: readonly number[] // sink, echo, greet, and iperf3 where it is used

  /** Starts what loads the relays: `loadFile` and, if wanted, an iperf3 server. They do not outlive
   *  this process. */
  static async start(place: Place, loadFile: string, withIperf: boolean): Promise<Bench> {
    const load = new Child(loadFile)
    const ports = (await load.hear('ports')) as Record<'sink' | 'echo' | 'greet', number>
    const targets = [ports.sink, ports.echo, ports.greet]
    if (!withIperf) return new Bench(place, load, targets)
    const port = await freePort()
    const iperf = spawn('iperf3', ['-s', '-p', `${port}`], { stdio: 'ignore' })
    process.once('exit', () => iperf.kill('SIGKILL'))
    return new Bench(place, load, [...targets, port], iperf)
  }

  private constructor(place: Place, load: Child, targets: readonly number[], iperf?: ChildProcess) {
    this.#place = place
    this.#load = load
    this.#targets = targets
    this.#iperf = iperf
  }

  /** Puts a load through a relay. Rejects where it comes to nothing. */
  async pass(name: RelayName, load: Load, seconds: number): Promise<Pass> {
    const relay = await Relay.start(name, this.#targets, this.#place)
    try {
      switch (load.kind) {
        case 'bulk':
          return await this.#bulk(relay, load.conversations, seconds)
        case 'transfer':
          return await this.#transfer(relay, load.gigabytes)
        case 'ask':
          return await this.#ask(relay, load.conversations, seconds)
        case 'open':
          return await this.#open(relay, load.atOnce, seconds)
        case 'idle':
          return await this.#idle(relay, load.conversations)
      }
    } finally {
      await this.#do({ do: 'let go' })
      await relay.stop()
    }
  }

  stop(): void {
    this.#load.stop()
    this.#iperf?.kill('SIGKILL')
  }

  async #bulk(relay: Relay, conversations: number, seconds: number): Promise<Pass> {
    await this.#send(relay, conversations, ['-t', `${WARM_UP_S}`], WARM_UP_S)
    const before = relay.cpuSeconds
    const pinged = this.#do<Times>({ do: 'ping', port: relay.ports[1]!, seconds })
    const sent = await this.#send(relay, conversations, ['-t', `${seconds}`], seconds)
    const cpuSeconds = relay.cpuSeconds - before
    const answersMs = await pinged
    return { ...sent, ...(await endOf(relay)), cpuSeconds, answersMs }
  }

  async #transfer(relay: Relay, gigabytes: number): Promise<Pass> {
    const before = relay.cpuSeconds
    const bytes = gigabytes * GIGA
    const sent = await this.#send(relay, 1, ['-n', `${bytes}`], 0, bytes)
    return { ...sent, cpuSeconds: relay.cpuSeconds - before, ...(await endOf(relay)) }
  }

  async #ask(relay: Relay, conversations: number, seconds: number): Promise<Pass> {
    const port = relay.ports[1]!
    await this.#do({ do: 'ask', port, conversations, seconds: WARM_UP_S })
    const before = relay.cpuSeconds
    const answersMs = await this.#do<Times>({ do: 'ask', port, conversations, seconds })
    const cpuSeconds = relay.cpuSeconds - before
    return { ...(await endOf(relay)), cpuSeconds, answersMs, count: answersMs.length }
  }

  async #open(relay: Relay, atOnce: number, seconds: number): Promise<Pass> {
    const port = relay.ports[2]!
    await this.#do({ do: 'open', port, atOnce, seconds: WARM_UP_S })
    const before = relay.cpuSeconds
    const done = await this.#do<Count>({ do: 'open', port, atOnce, seconds })
    return { ...done, cpuSeconds: relay.cpuSeconds - before }
  }

  async #idle(relay: Relay, conversations: number): Promise<Pass> {
    const port = relay.ports[1]!
    await this.#do({ do: 'ask', port, conversations: 10, seconds: WARM_UP_S })
    await pause(SETTLE_MS)
    await relay.collect()
    const before = relay.residentBytes
    const count = await this.#do<number>({ do: 'idle', port, conversations })
    await pause(SETTLE_MS)
    await relay.collect()
    return { count, grownBytes: relay.residentBytes - before }
  }

  /** Sends for a time, or so many bytes. */
  async #send(
    relay: Relay,
    conversations: number,
    limit: readonly string[],
    seconds: number,
    bytes?: number,
  ): Promise<{ gigabytes: number; seconds: number }> {
    if (this.#iperf === undefined) {
      const job = { do: 'bulk', port: relay.ports[0]!, conversations, seconds, bytes } as const
      const { count, seconds: took } = await this.#do<Count>(job)
      return { gigabytes: count / GIGA, seconds: took }
    }
    const where = ['-c', '127.0.0.1', '-p', `${relay.ports[3]!}`, '-P', `${conversations}`]
    const result = JSON.parse(await outputOf('iperf3', ...where, ...limit, '-J')) as IperfResult
    if (result.error !== undefined) throw new Error(`iperf3: ${result.error}`)
    const { bytes: arrived, seconds: took } = result.end.sum_received
    return { gigabytes: arrived / GIGA, seconds: took }
  }

  async #do<T>(job: Job): Promise<T> {
    const heard = this.#load.hear(job.do)
    this.#load.say(job)
    return (await heard) as T
  }
}

interface IperfResult {
  error?: string
  end: { sum_received: { bytes: number; seconds: number } }
}

/** What a relay has had and copied, when the load is over. */
async function endOf(relay: Relay): Promise<Pass> {
  const { peakBytes } = relay
  return { peakBytes, ...(await relay.collect()) }
}

async function outputOf(command: string, ...args: string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const kill = () => child.kill('SIGKILL')
  const timer = setTimeout(kill, PASS_LIMIT_MS)
  process.once('exit', kill)
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  await once(child, 'close')
  clearTimeout(timer)
  process.off('exit', kill)
  if (output === '') throw new Error(`${command} was not done in ${PASS_LIMIT_MS / 1000} s`)
  return output
}

/** The process of the load: a line of JSON for each job, and for what came of it. */
class Child {
  readonly #child: ChildProcess
  readonly #heard = new EventEmitter()
  readonly #kill = () => this.#child.kill('SIGKILL')

  constructor(file: string) {
    this.#child = spawn(process.execPath, [file], { stdio: ['pipe', 'pipe', 'inherit'] })
    process.once('exit', this.#kill)
    this.#heard.setMaxListeners(0).on('error', () => undefined) // whoever waits hears of it too
    this.#child.once('exit', code => this.#heard.emit('error', new Error(`load exited: ${code}`)))
    createInterface({ input: this.#child.stdout! }).on('line', line => {
      const words = JSON.parse(line) as Record<string, unknown>
      for (const [name, value] of Object.entries(words)) this.#heard.emit(name, value)
    })
  }

  say(what: object): void {
    this.#child.stdin!.write(JSON.stringify(what) + '\n')
  }

  async hear(name: string): Promise<unknown> {
    const signal = AbortSignal.timeout(PASS_LIMIT_MS)
    const [value] = (await once(this.#heard, name, { signal })) as unknown[]
    const failed = (value as { failed?: string }).failed
    if (failed !== undefined) throw new Error(`${name}: ${failed}`)
    return value
  }

  stop(): void {
    process.off('exit', this.#kill)
    this.#kill()
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
