// What the demonstration shows while bytes move: on a terminal a bar for the download and one for
// each connection that the provider carries, redrawn in place; elsewhere a line now and then.

import { formatBytes, formatTime, Rate, type Screen } from '@striper/cli/terminal'
import type { Provider } from './provider.ts'

const WIDTH = 40
const DRAW_MS = 100
const LINE_MS = 5000

export interface ProgressOptions {
  name: string
  /** Of the whole download. */
  bytes: number
  /** What each connection may carry. */
  bytesPerSecond: number
  provider: Provider
  screen: Screen
}

export class Progress {
  /** What has come so far. */
  bytes = 0
  readonly #options: ProgressOptions
  readonly #started = performance.now()
  readonly #rate = new Rate()
  readonly #laneRates: Rate[] = []
  readonly #timer: ReturnType<typeof setInterval>

  constructor(options: ProgressOptions) {
    this.#options = options
    const { live } = options.screen
    this.#timer = setInterval(() => this.#show(live), live ? DRAW_MS : LINE_MS)
  }

  /** Shows no more. */
  stop(): void {
    clearInterval(this.#timer)
    this.#options.screen.draw([])
  }

  #show(live: boolean): void {
    const { name, bytes, screen } = this.#options
    const share = this.bytes / bytes
    const percent = `${(100 * share).toFixed(0).padStart(3)} %`
    const rate = `${formatBytes(this.#rate.next(this.bytes))}/s`
    const time = formatTime(performance.now() - this.#started)
    if (live) screen.draw([`${bar(share)} ${percent}  ${rate}  ${time}`, ...this.#lanes()])
    else screen.log(`${name}: ${percent.trim()}, ${rate}, ${time}`)
  }

  /** How fast each connection is, of what it may be. */
  #lanes(): string[] {
    const { bytesPerSecond, provider } = this.#options
    return provider.places.map(({ conversation, open }, index) => {
      const rate = (this.#laneRates[index] ??= new Rate()).next(conversation.right.bytes)
      const shown = open ? `${formatBytes(Math.max(rate, 0))}/s` : 'reset'
      return `  lane ${String(index + 1).padEnd(2)} ${bar(open ? rate / bytesPerSecond : 0)} ${shown}`
    })
  }
}

function bar(share: number): string {
  const full = Math.round(WIDTH * Math.min(Math.max(share, 0), 1))
  return '█'.repeat(full) + '░'.repeat(WIDTH - full)
}
