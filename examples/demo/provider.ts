// The provider of the demonstration: carries any number of connections, and none faster than its
// cap.
//
//   home ══▶ provider ══▶ rate layer ══▶ far end
//
// It stands for whatever slows each connection by itself: a provider's traffic policy, a proxy, a
// small window over a long way.

import { bridge, type Bridge, connect, listen, parseAddress, stack, type TcpServer } from 'striper'
import { rate } from '@striper/testkit/faults'

/** A connection, as long as it is open; then the place is free for another. */
export interface Place {
  readonly conversation: Bridge
  open: boolean
}

export class Provider {
  /** The connections of now; a new one takes the first place that is free. */
  readonly places: Place[] = []
  #onAdmitted: () => void = () => undefined
  readonly #target: string
  readonly #bytesPerSecond: number
  #server: TcpServer | undefined

  /** Carries to `target`, each connection at most so fast, each way. */
  constructor(target: string, bytesPerSecond: number) {
    this.#target = target
    this.#bytesPerSecond = bytesPerSecond
  }

  /** Starts, and says where. */
  async listen(): Promise<string> {
    this.#server = await listen({ host: '127.0.0.1', port: 0 }, pipe => {
      const capped = rate({ bytesPerSecond: this.#bytesPerSecond })
      this.#admit(bridge(pipe, stack(connect(parseAddress(this.#target)), capped)))
    })
    return this.#server.address
  }

  /** Resets a connection at both its ends, and waits until another has taken its place. */
  async cut(index: number): Promise<void> {
    const place = this.places[index]
    if (place === undefined) return
    place.open = false // before it has closed: the next may come sooner
    place.conversation.destroy()
    while (this.places[index] === place) {
      await new Promise<void>(resolve => (this.#onAdmitted = resolve))
    }
  }

  /** Listens no more, and resets whatever is open. */
  async close(): Promise<void> {
    await this.#server?.destroy()
  }

  #admit(conversation: Bridge): void {
    const place = { conversation, open: true }
    const free = this.places.findIndex(each => !each.open)
    this.places[free < 0 ? this.places.length : free] = place
    const over = () => (place.open = false)
    conversation.done.then(over, over)
    this.#onAdmitted()
  }
}
