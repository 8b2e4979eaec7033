// Figures as people read them.

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB']

/** `1.2 MB`: three digits or so, powers of 1000. */
export function formatBytes(bytes: number): string {
  let unit = 0
  while (bytes >= 999.5 && unit < UNITS.length - 1) {
    bytes /= 1000
    unit++
  }
  const digits = unit === 0 || bytes >= 99.95 ? 0 : 1
  return `${bytes.toFixed(digits)} ${UNITS[unit]!}`
}

/** `1.2 MB/s`, of bytes a second. */
export function formatRate(rate: number): string {
  return `${formatBytes(rate)}/s`
}

/** `340 ms`, `12.3 s`, `2 min 05 s`. */
export function formatTime(ms: number): string {
  if (ms < 999.5) return `${ms.toFixed(0)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
}

/** A rising number of bytes as a rate over about the last two seconds, weighing the latest most. */
export class Rate {
  #bytes = 0
  #at = performance.now()
  #rate = 0

  /** Bytes a second; to be asked now and then. */
  next(bytes: number): number {
    const now = performance.now()
    const seconds = Math.max(now - this.#at, 1) / 1000
    const latest = (bytes - this.#bytes) / seconds
    this.#rate += (latest - this.#rate) * (1 - Math.exp(-seconds))
    this.#bytes = bytes
    this.#at = now
    return this.#rate
  }
}

/** Rows as columns: each as wide as its widest cell, all but the first to the right. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, cell.length)))
  }
  return rows.map(row =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  '),
  )
}
