// A windowed filter: the largest of the samples of the last while.
//
// The samples that can still matter are kept in order: each is beaten by none that came later. The
// newest sample is kept however old it is, so that a quiet time does not make the filter forget
// everything.

interface Sample {
  readonly at: number
  readonly value: number
}

/** The largest of the samples of the last while. */
export class WindowedMax {
  #samples: Sample[] = []

  /** The largest sample, or undefined before the first. */
  get value(): number | undefined {
    return this.#samples[0]?.value
  }

  /** Takes a sample, and forgets those older than `windowMs`. */
  add(value: number, now: number, windowMs: number): void {
    const samples = this.#samples
    while (samples.length > 0 && samples[samples.length - 1]!.value <= value) samples.pop()
    samples.push({ at: now, value })
    let old = 0
    while (old < samples.length - 1 && samples[old]!.at < now - windowMs) old++
    if (old > 0) samples.splice(0, old)
  }

  /** Forgets all samples for this one. */
  reset(value: number, now: number): void {
    this.#samples = [{ at: now, value }]
  }
}
