// Line: one direction of a delay. Chunks go in, and come out in order, each when it is due.
//
//   push(chunk) ──▶ pace: pieces with a due time ──▶ held ──▶ forward(piece, next)
//
// Due times are points on the clock and not pauses between pieces, so a timer that is late delays
// a piece and never the rate. What is due waits for what came before it. Whoever pushes asks `full`
// and stops; it is told when there is room.

/** Says of the next bytes that come at `now` how many go on together, and when: a time in ms,
 *  Infinity for never. Asked again for the rest; asked with 0 bytes for the end. */
export type Pace = (bytes: number, now: number) => { bytes: number; due: number }

export interface LineInit {
  pace: Pace
  /** What it holds before it is full, in bytes. */
  maxHeldBytes: number
  /** Takes a piece, and calls back when it can take another. */
  forward: (piece: Buffer, next: () => void) => void
  /** The line was full, and has room again. */
  onRoom: () => void
}

interface Entry {
  piece: Buffer | (() => void) // or what to call at the end
  due: number
}

export class Line {
  readonly #init: LineInit
  #entries: Entry[] = []
  #first = 0 // index of the first entry that is still held
  #heldBytes = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #waiting = false // for `next`
  #running = false

  constructor(init: LineInit) {
    this.#init = init
  }

  get full(): boolean {
    return this.#heldBytes >= this.#init.maxHeldBytes
  }

  push(chunk: Buffer): void {
    const now = performance.now()
    let start = 0
    while (start < chunk.length) {
      const { bytes, due } = this.#init.pace(chunk.length - start, now)
      this.#entries.push({ piece: chunk.subarray(start, start + bytes), due })
      start += bytes
    }
    this.#heldBytes += chunk.length
    this.#run()
  }

  /** Calls back when all before has gone on, and an end would have arrived as well. */
  end(done: () => void): void {
    this.#entries.push({ piece: done, due: this.#init.pace(0, performance.now()).due })
    this.#run()
  }

  /** Drops what it holds, and does nothing any more. */
  close(): void {
    clearTimeout(this.#timer)
    this.#entries = []
    this.#waiting = true
  }

  #run(): void {
    if (this.#running) return
    this.#running = true
    const now = performance.now()
    while (!this.#waiting) {
      const entry = this.#entries[this.#first]
      if (entry === undefined) break
      if (entry.due > now) {
        this.#wake(entry.due - now)
        break
      }
      this.#shift()
      this.#forward(entry.piece)
    }
    this.#running = false
  }

  #forward(piece: Entry['piece']): void {
    if (typeof piece === 'function') return piece()
    this.#waiting = true
    this.#init.forward(piece, () => {
      const { maxHeldBytes, onRoom } = this.#init
      const wasFull = this.full
      this.#heldBytes -= piece.length
      this.#waiting = false
      if (wasFull && this.#heldBytes < maxHeldBytes) onRoom()
      this.#run()
    })
  }

  #shift(): void {
    this.#first++
    if (this.#first < 1024 && this.#first < this.#entries.length) return
    this.#entries.splice(0, this.#first)
    this.#first = 0
  }

  #wake(ms: number): void {
    clearTimeout(this.#timer)
    if (ms !== Infinity) this.#timer = setTimeout(() => this.#run(), Math.ceil(ms))
  }
}
