// What the driver knows of a network: links that stand for a while, and ends on both sides of them.
// namespaces.ts is the real one; loopback.ts stands in where there is no lab.

import { Ends, type Where } from './ends.ts'
import type { How, LaneAddress } from './ask.ts'
import type { Contender, Scenario } from './rows.ts'

export interface Network {
  /** What it is, and what the figures depend on. */
  readonly title: string
  /** Why it cannot have a scenario; undefined where it can. */
  refuses(scenario: Scenario): string | undefined
  /** Why a contender is not there; undefined where it is. */
  lacks(contender: Contender): string | undefined
  /** Makes the links. One at a time. */
  open(links: readonly string[]): Promise<Field>
}

/** Links that stand. */
export interface Field {
  /** Where a lane over a link goes. */
  lane(link: number): LaneAddress
  /** Changes a link, in the words of wan. */
  change(link: number, to: string): void
  /** How to start a contender's ends. */
  where(contender: Contender): Where
  close(): Promise<void>
}

const HOW: Record<Contender, How> = {
  striper: 'striper',
  'round-robin': 'round-robin',
  tcp: 'tcp',
  mptcp: 'tcp',
}

/** The ends on a field: a pair for each contender, started when it is first wanted. */
export class Players {
  readonly #field: Field
  readonly #ends = new Map<Contender, Ends>()

  constructor(field: Field) {
    this.#field = field
  }

  async get(contender: Contender): Promise<Ends> {
    const there = this.#ends.get(contender)
    if (there) return there
    const ends = await Ends.start(HOW[contender], this.#field.where(contender))
    this.#ends.set(contender, ends)
    return ends
  }

  /** Stops a contender; the next who wants it gets a new one. */
  drop(contender: Contender): void {
    this.#ends.get(contender)?.stop()
    this.#ends.delete(contender)
  }

  stop(): void {
    for (const ends of this.#ends.values()) ends.stop()
  }
}
