// Ends: the pair of processes that measure one contender, as the driver sees them.

import { End } from '../lib/end.ts'
import type { Ask, How, Pass } from './ask.ts'

const PROGRAM = new URL('./end.ts', import.meta.url)

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
    const sender = new End(where.sender, PROGRAM, 'send', how, where.host)
    const receiver = new End(where.receiver, PROGRAM, 'receive', how)
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
