// A configuration as it is written out: keys with their values, and sentences as comments.

/** A configuration in the making; it is YAML in the end. */
export class ConfigDocument {
  readonly #lines: string[] = []

  /** A sentence for whoever reads it. */
  note(sentence: string): void {
    const words = sentence.split(' ')
    let line = '#'
    for (const word of words) {
      if (line.length + word.length >= 90) {
        this.#lines.push(line)
        line = '#'
      }
      line += ` ${word}`
    }
    this.#lines.push(line)
  }

  /** A key with one value. */
  set(key: string, value: string | number): void {
    this.#lines.push(`${key}: ${scalar(String(value))}`)
  }

  /** A key with several. */
  list(key: string, values: readonly string[]): void {
    this.#lines.push(`${key}:`, ...values.map(value => `  - ${scalar(value)}`))
  }

  toString(): string {
    return this.#lines.join('\n')
  }
}

/** A text as YAML has it: as it is where nothing could take it for anything else. */
function scalar(value: string): string {
  return /^[A-Za-z0-9][\w./:*-]*$/.test(value) && !value.endsWith(':')
    ? value
    : JSON.stringify(value)
}
