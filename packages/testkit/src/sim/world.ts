// World: virtual time. Events happen in the order of their times, and of their making where the
// times are equal; nothing else happens, so a run is the same each time, and as fast as it
// computes.

interface Event {
  readonly at: number
  readonly order: number
  act: (() => void) | undefined
}

/** What `World.at` gives, to call an event off. */
export type CallOff = () => void

/** Virtual time, in ms, from 0. */
export class World {
  #now = 0
  #made = 0
  #heap: Event[] = []

  get now(): number {
    return this.#now
  }

  /** Calls `act` at a time; one that is past counts as now. */
  at(time: number, act: () => void): CallOff {
    const event: Event = { at: Math.max(time, this.#now), order: this.#made++, act }
    this.#push(event)
    return () => (event.act = undefined)
  }

  /** Calls `act` after `ms`. */
  after(ms: number, act: () => void): CallOff {
    return this.at(this.#now + ms, act)
  }

  /** Lets the next event happen; false where there is none. */
  step(): boolean {
    for (;;) {
      const event = this.#pop()
      if (event === undefined) return false
      if (event.act === undefined) continue // called off
      this.#now = event.at
      event.act()
      return true
    }
  }

  #push(event: Event): void {
    const heap = this.#heap
    let index = heap.push(event) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (before(heap[parent]!, event)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = event
  }

  #pop(): Event | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let index = 0
    for (;;) {
      let child = index * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (before(last, heap[child]!)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = last
    return first
  }
}

function before(one: Event, other: Event): boolean {
  return one.at === other.at ? one.order < other.order : one.at < other.at
}
