// EventLog: one line for each event, on stderr, as a sentence for people or as JSON for programs.
//
//   2026-11-21T11:40:12.345Z 127.0.0.1:4242 ended; 3.0 MB up, 6.0 MB down in 1.2 s
//   {"time":"2026-11-21T11:40:12.345Z","level":"info","event":"ended","text":"…","up":3000000}

import { flag, optional, type Values } from './option.ts'
import { withoutSecrets } from './secret.ts'
import { asciiJson, printable, type Screen } from './terminal.ts'
import { oneOf } from './values.ts'

/** From the gravest to the least. */
const LEVELS = ['error', 'warning', 'info', 'debug'] as const
export type Level = (typeof LEVELS)[number]
export type Fields = Readonly<Record<string, string | number | boolean>>

/** The options of every command that runs for long. */
export const LOG_OPTIONS = {
  log: optional('FORMAT', oneOf('text', 'json'), 'each event is a line of text, or of JSON (text)'),
  quiet: flag('say only what is wrong'),
  verbose: flag('say more'),
}

/** Writes events. What looks like a secret in one is hidden. */
export class EventLog {
  readonly #screen: Screen
  readonly #json: boolean
  readonly #most: number

  constructor(values: Values<typeof LOG_OPTIONS>, screen: Screen) {
    this.#screen = screen
    this.#json = values.log === 'json'
    this.#most = LEVELS.indexOf(values.quiet ? 'warning' : values.verbose ? 'debug' : 'info')
  }

  /** Whether a block that is drawn in place has its place among these lines. */
  get live(): boolean {
    return this.#screen.live && !this.#json && this.#most >= LEVELS.indexOf('info')
  }

  /** Draws the block below the lines anew, where there is one. */
  draw(lines: readonly string[]): void {
    if (this.live) this.#screen.draw(lines)
  }

  /** Says what happened: by a word that stays the same, in a sentence, and with figures. */
  say(level: Level, event: string, sentence: string, fields: Fields = {}): void {
    if (LEVELS.indexOf(level) > this.#most) return
    const time = new Date().toISOString()
    const line = this.#json
      ? asciiJson({ time, level, event, text: sentence, ...fields })
      : `${time} ${level === 'info' ? '' : `${level}: `}${printable(sentence)}`
    this.#screen.log(withoutSecrets(line))
  }
}
