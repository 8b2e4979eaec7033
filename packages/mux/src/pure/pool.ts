// WindowPool: what windows may grow by together: those of one mux, or of several that share it.
//
// Pure.

/** For `mux({ pool })`: bounds what the windows of several muxes grow by in all. */
export class WindowPool {
  /** What they may grow by, in bytes. */
  readonly bytes: number
  #takenBytes = 0

  /** Throws a RangeError where `bytes` is not 0 or more. */
  constructor(bytes: number) {
    if (!(bytes >= 0)) throw new RangeError(`a pool must be 0 bytes or more, got ${bytes}`)
    this.bytes = bytes
  }

  /** What they have grown by, in bytes. */
  get takenBytes(): number {
    return this.#takenBytes
  }

  /** Whether a window may grow by so much: by half of what is left, at most, so that there is
   *  always some for the next. */
  has(bytes: number): boolean {
    return bytes <= (this.bytes - this.#takenBytes) / 2
  }

  /** A window has grown by so much, or is gone and gives it back: then it is below 0. */
  take(bytes: number): void {
    this.#takenBytes += bytes
  }
}
