// Screen: lines that stay, and under them a block that is drawn again in place.
//
// On a terminal both; anywhere else (a file, a pipe, a service's log) only the lines that stay.

import type { WriteStream } from 'node:tty'

const CLEAR_TO_END = '\x1b[0J'

export class Screen {
  readonly #out: WriteStream
  #block: readonly string[] = []

  constructor(out: WriteStream = process.stdout) {
    this.#out = out
    // A reader that goes away (`| head`) must not take the program with it.
    out.on('error', () => undefined)
  }

  /** Whether a block is shown at all. */
  get live(): boolean {
    return this.#out.isTTY
  }

  /** Prints a line that stays. */
  log(line: string): void {
    this.#out.write(`${this.#rewind()}${line}\n${this.#block.map(each => each + '\n').join('')}`)
  }

  /** Draws the block anew; one with no lines is none. */
  draw(lines: readonly string[]): void {
    if (!this.live) return
    const rewind = this.#rewind()
    const { columns, rows } = this.#out
    const room = Math.max(rows - 2, 1) // or what scrolls off the top could not be drawn over
    const shown = lines.length <= room ? lines : [...lines.slice(0, room - 1), '…']
    this.#block = shown.map(line => line.slice(0, columns - 1)) // a wrapped line counts as two
    this.#out.write(rewind + this.#block.map(line => line + '\n').join(''))
  }

  /** To where the block begins, or to the line's (a ctrl-C is echoed as two letters), all from
   *  there cleared. */
  #rewind(): string {
    if (!this.live) return ''
    const up = this.#block.length
    return `\r${up > 0 ? `\x1b[${up}A` : ''}${CLEAR_TO_END}`
  }
}
