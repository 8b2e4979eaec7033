// What the tests of trunks in virtual time stand on: dials that go nowhere until the test says what
// becomes of them.

import { memoryPair, type MessagePipe, PipeError } from '@striper/core'
import type { LaneWay, TrunkPipe } from '@striper/trunk'
import { vi } from 'vitest'
import * as wire from '../../stripe/src/pure/wire.ts'

/** Fakes the clock, and the timers with it. */
export function fakeTime(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
}

/** Lets what is under way in this tick get there. */
export async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0)
}

/** Lets time go by. */
export async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
}

/** A dial that was made. */
export interface Dial {
  readonly at: number
  readonly way: LaneWay | undefined
  readonly near: MessagePipe
  readonly far: MessagePipe
}

/** Records dials; the far end of each is the test's to play. */
export class Exchange {
  readonly dials: Dial[] = []
  readonly #start = performance.now()

  readonly dial = (_greet: unknown, way?: LaneWay): MessagePipe => {
    const [near, far] = memoryPair('messages')
    far.on('error', () => undefined).resume()
    this.dials.push({ at: performance.now() - this.#start, way, near, far })
    return near
  }

  get last(): Dial {
    return this.dials.at(-1)!
  }

  /** The far end takes a lane, and answers from now on. */
  async welcome(pipe: TrunkPipe, dial = this.last): Promise<void> {
    await pass(1) // an answer in no time at all would be none
    dial.far.on('data', (message: Buffer) => {
      if (message[0] !== wire.PING) return
      const decoded = wire.decode(message) as { token: number }
      setTimeout(() => dial.far.write(wire.encodeToken(wire.PONG, decoded.token)), 1)
    })
    const { session } = pipe
    const limit = wire.INITIAL_CREDIT
    const lane = this.dials.indexOf(dial) // each of them has opened, and so has its number
    dial.far.write(wire.encodeHello({ mayOpen: false, lane, session, limit }))
    await settle()
  }

  /** A lane fails, or never comes up. */
  async fail(sentence = 'connection refused', dial = this.last): Promise<void> {
    await settle()
    dial.near.destroy(new PipeError('ERR_PIPE_CONNECT', sentence))
    await settle()
  }
}

/** A lane as its state, and why. */
export function told(pipe: TrunkPipe): string[] {
  return pipe.wanted.map(({ key, why }) => `${key} ${why}`)
}
