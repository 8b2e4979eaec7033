// Ends: the pair of processes that measure one contender, as the driver sees them.

import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Ask, How, Pass } from './ask.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const END = fileURLToPath(new URL('./end.ts', import.meta.url))
const NODE = [process.execPath, '--import', 'tsx', '--conditions=@striper/source', END]

const START_LIMIT_MS = 30_000
/** What a pass may take beside its time, and the sender after the receiver. */
const PASS_LIMIT_MS = 15_000
const OVER_LIMIT_MS = 3000

/** What comes before the command of each end: how to be elsewhere on the network. */
export interface Where {
  sender: readonly string[]
  receiver: readonly string[]
  /** Where the sender listens. */
  host: string
}

let lastId = 0

export class Ends {
  readonly #sender: End
  readonly #receiver: End
  readonly #port: number

  private constructor(sender: End, receiver: End, port: number) {
    this.#sender = sender
    this.#receiver = receiver
    this.#port = port
  }

  /** Starts both. They do not outlive this process. */
  static async start(how: How, where: Where): Promise<Ends> {
    const sender = new End([...where.sender, ...NODE, 'send', how, where.host])
    const receiver = new End([...where.receiver, ...NODE, 'receive', how])
    const port = (await sender.hear('port', START_LIMIT_MS)) as number
    return new Ends(sender, receiver, port)
  }

  /** Holds one conversation; `onStart` is called as it begins. Rejects where it came to nothing,
   *  and the pair is then of no more use. */
  async pass(ask: Omit<Ask, 'port' | 'id'>, onStart: () => void): Promise<Pass> {
    const id = ++lastId
    const limitMs = ask.seconds * 1000 + PASS_LIMIT_MS
    const started = this.#receiver.hear('started', START_LIMIT_MS).then(onStart)
    // A sender may learn late, or never, that a silent lane is gone.
    const over = this.#sender.hear(`over ${id}`, limitMs).catch(() => null)
    this.#receiver.say({ ...ask, port: this.#port, id })
    const [pass] = await Promise.all([this.#receiver.hear('pass', limitMs), started])
    const late = new Promise<null>(resolve => setTimeout(resolve, OVER_LIMIT_MS, null).unref())
    const sent = (await Promise.race([over, late])) as Pass['sent'] | null
    if (this.#sender.exited) throw new Error('the sender exited')
    return { ...(pass as Pass), ...(sent ? { sent } : {}) }
  }

  stop(): void {
    this.#sender.stop()
    this.#receiver.stop()
  }
}

/** A child that hears and says lines of JSON, an object each. It does not outlive this process. */
export class End {
  readonly #child: ChildProcess
  readonly #heard = new EventEmitter()
  readonly #kill = () => this.#child.kill('SIGKILL')

  constructor([command, ...args]: readonly string[]) {
    this.#child = spawn(command!, args, { cwd: ROOT, stdio: ['pipe', 'pipe', 'inherit'] })
    process.once('exit', this.#kill)
    this.#heard.on('error', () => undefined) // whoever waits hears of it too
    this.#child.once('error', error => this.#heard.emit('error', error))
    this.#child.once('exit', code => {
      process.off('exit', this.#kill)
      this.#heard.emit('error', new Error(`an end exited with ${code}`))
    })
    this.#child.stdin!.on('error', () => undefined) // its exit tells
    createInterface({ input: this.#child.stdout! }).on('line', line => {
      const words = JSON.parse(line) as Record<string, unknown>
      for (const [name, value] of Object.entries(words)) this.#heard.emit(name, value)
    })
  }

  get exited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  say(what: object): void {
    this.#child.stdin!.write(JSON.stringify(what) + '\n')
  }

  /** What it says next under a name. */
  async hear(name: string, limitMs: number): Promise<unknown> {
    try {
      const signal = AbortSignal.timeout(limitMs)
      const [value] = (await once(this.#heard, name, { signal })) as unknown[]
      return value
    } catch (error) {
      const late = error instanceof Error && error.name === 'AbortError'
      throw late ? new Error(`no '${name}' in ${limitMs / 1000} s`, { cause: error }) : error
    }
  }

  stop(): void {
    this.#kill()
  }
}
