// The network of those who have no lab: TCP over loopback, and our own fault layers at the receiver
// make each lane slow and far away. No loss, no queue and no congestion control that matters: what
// it shows is whether lanes add up, not how well they do on a real network.

import type { Field, Network } from './network.ts'
import type { Scenario } from './rows.ts'

export class Loopback implements Network {
  readonly title: string

  /** `why` there is no lab. */
  constructor(why: string) {
    this.title = `no lab (${why}): fault layers over loopback, NOT comparable with the lab's figures`
  }

  refuses({ loopback }: Scenario): string | undefined {
    return loopback ? undefined : 'needs the lab'
  }

  lacks(contender: string): string | undefined {
    return contender === 'mptcp' ? 'needs the lab' : undefined
  }

  open(links: readonly string[]): Promise<Field> {
    const host = '127.0.0.1'
    return Promise.resolve({
      lane: link => {
        const words = new Map(
          links[link]!.split(' ').map(word => word.split('=') as [string, string]),
        )
        const faults = { rate: Number(words.get('rate')), delay: Number(words.get('delay')) }
        return { host, faults }
      },
      change: () => undefined, // none of its scenarios has an event
      where: () => ({ sender: [], receiver: [], host }),
      close: () => Promise.resolve(),
    })
  }
}
