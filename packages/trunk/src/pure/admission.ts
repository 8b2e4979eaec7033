// Admission: whether a connection is taken at all, before it has said anything.
//
//   strangers:  0 ──────── begin ───────────────────────────── full
//   dropped:    none         percent ── rises evenly ────────▶ all     by chance, as OpenSSH does
//
// And a source that has offended again and again is refused for a while, as OpenSSH does since 9.8:
// each offence adds to its penalty, and one that is below a threshold is not held against it.
// (Neither stops what comes from many sources; they make room for everybody else.)

/** From how many strangers on connections are dropped, what part of them then, in per cent, and how
 *  many strangers there are at most. */
export interface EarlyDrop {
  readonly begin: number
  readonly percent: number
  readonly full: number
}

export interface AdmissionInit {
  readonly earlyDrop: EarlyDrop
  /** What an offence adds, in ms. 0: there are no penalties. */
  readonly penaltyMs: number
}

/** A penalty counts from here on, and never becomes longer than this. In ms. */
export const LEAST_PENALTY_MS = 15_000
export const LONGEST_PENALTY_MS = 600_000
/** Sources whose penalties are remembered, at most; the oldest is forgotten. */
export const MOST_SOURCES = 10_000

/** Who may come in. Times are in ms, chances from 0 to 1. */
export class Admission {
  readonly #init: AdmissionInit
  readonly #until = new Map<string, number>() // the end of each source's penalty; oldest first

  constructor(init: AdmissionInit) {
    const { begin, percent, full } = init.earlyDrop
    if (!(begin >= 0 && full >= begin && percent >= 0 && percent <= 100)) {
      const got = `${begin}:${percent}:${full}`
      throw new RangeError(`earlyDrop must have begin <= full and percent 0..100, got ${got}`)
    }
    if (!(init.penaltyMs >= 0 && init.penaltyMs <= LONGEST_PENALTY_MS)) {
      throw new RangeError(`penaltyMs must be 0..${LONGEST_PENALTY_MS}, got ${init.penaltyMs}`)
    }
    this.#init = init
  }

  /** Sources that have a penalty. */
  get sources(): number {
    return this.#until.size
  }

  /** Why a connection is not taken, in words; undefined: it is. */
  refusal(source: string, strangers: number, now: number, chance: number): string | undefined {
    const left = (this.#until.get(source) ?? now) - now
    if (left > LEAST_PENALTY_MS) return `offended too often, for ${Math.ceil(left / 1000)} s more`
    const { begin, percent, full } = this.#init.earlyDrop
    if (strangers >= full) return `${strangers} strangers already`
    if (strangers < begin) return undefined
    const dropped = percent + ((100 - percent) * (strangers - begin)) / (full - begin)
    return chance * 100 < dropped ? `${strangers} strangers already, and bad luck` : undefined
  }

  /** A connection from there broke the rules. */
  offence(source: string, now: number): void {
    if (source === '' || this.#init.penaltyMs === 0) return
    const until = Math.max(this.#until.get(source) ?? 0, now) + this.#init.penaltyMs
    this.#until.delete(source) // and at the end again: it is the newest
    this.#until.set(source, Math.min(until, now + LONGEST_PENALTY_MS))
    for (const [each, end] of this.#until) {
      if (this.#until.size <= MOST_SOURCES && end > now) return
      this.#until.delete(each)
    }
  }
}

/** Where a connection comes from, of an address as `host:port`: an IPv4 address, or the first 64
 *  bits of an IPv6 address, for one host has all of the rest. '' for what has no such address. */
export function sourceOf(remote: string | undefined): string {
  const { v4, v6 } =
    /^(?:(?<v4>[\d.]+)|\[(?<v6>[^\]%]+)[^\]]*\]):\d+$/.exec(remote ?? '')?.groups ?? {}
  if (v6 === undefined) return v4 ?? ''
  const mapped = /^::ffff:(?<v4>[\d.]+)$/i.exec(v6)?.groups?.['v4']
  if (mapped !== undefined) return mapped
  const [head = '', tail] = v6.split('::')
  const first = head.split(':').filter(Boolean)
  const last = (tail ?? '').split(':').filter(Boolean)
  while (first.length + last.length < 8) first.push('0')
  return [...first, ...last].slice(0, 4).join(':')
}
