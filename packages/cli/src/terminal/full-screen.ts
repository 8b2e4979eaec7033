// FullScreen: a whole terminal that is drawn again in place, and given back as it was.
//
// It uses the terminal's second page, so what was on the first is there again afterwards. Nothing
// is cleared before it is drawn over, and each picture is one write between the marks of
// "synchronized output", so it does not flicker.

import type { WriteStream } from 'node:tty'

const OPEN = '\x1b[?1049h\x1b[?25l' // the second page; no cursor
const CLOSE = '\x1b[?25h\x1b[?1049l'
const BEGIN = '\x1b[?2026h\x1b[H' // nothing is shown before END; to the top left
const END = '\x1b[0J\x1b[?2026l' // all below is cleared
const CLEAR_LINE = '\x1b[0m\x1b[K'

export class FullScreen {
  readonly #out: WriteStream
  readonly #restore = () => void this.#out.write(CLOSE)
  #open = false

  constructor(out: WriteStream = process.stdout) {
    this.#out = out
    // A terminal that goes away must not take the program with it.
    out.on('error', () => undefined)
  }

  /** How much there is to draw on, as it is now. */
  get size(): { columns: number; rows: number } {
    const { columns = 80, rows = 24 } = this.#out as { columns?: number; rows?: number }
    return { columns, rows }
  }

  /** Takes the terminal. It is given back by `close`, or else when the process exits. */
  open(): void {
    if (this.#open) return
    this.#open = true
    process.once('exit', this.#restore)
    this.#out.write(OPEN)
  }

  /** Draws a picture, as many of its lines as there is room for. No line may be longer than the
   *  terminal is wide (colours do not count). */
  draw(lines: readonly string[]): void {
    const shown = lines.slice(0, this.size.rows)
    this.#out.write(`${BEGIN}${shown.map(line => line + CLEAR_LINE).join('\r\n')}${END}`)
  }

  /** Gives the terminal back. */
  close(): void {
    if (!this.#open) return
    this.#open = false
    process.off('exit', this.#restore)
    this.#restore()
  }
}
