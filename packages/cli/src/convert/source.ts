// A configuration of another program: JSON, read key by key, with a clear word for what is wrong.

import { readText } from '../config.ts'
import { UsageError } from '../exit.ts'

const MAX_BYTES = 256 * 1024

/** The keys of an object; each is taken once, and what nobody took can be told. */
export class Source {
  readonly #name: string
  readonly #values: Map<string, unknown>
  readonly #ignoreCase: boolean

  constructor(name: string, value: unknown, options: { ignoreCase: boolean }) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new UsageError(`${name}: it has to be an object, { … }`)
    }
    this.#name = name
    this.#ignoreCase = options.ignoreCase
    this.#values = new Map(
      Object.entries(value).map(([key, each]) => [this.#fold(key), each as unknown]),
    )
  }

  /** Whether a key is there and not null; it is then taken, whatever its value. */
  has(key: string): boolean {
    return (this.#take(key) ?? null) !== null
  }

  /** A text that is not empty. */
  text(key: string): string {
    const value = this.#take(key)
    if (typeof value === 'string' && value !== '') return value
    throw this.#wrong(key, value, 'a text')
  }

  /** A port, as a number or as its digits. */
  port(key: string): number {
    const value = this.#take(key)
    const port = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value
    if (typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65535)
      return port
    throw this.#wrong(key, value, 'a port, 1 to 65535')
  }

  /** A whole number from 1 on; undefined where there is none. */
  count(key: string): number | undefined {
    return this.#integer(key, 1, 'a whole number from 1 on')
  }

  /** A whole number; undefined where there is none. */
  integer(key: string): number | undefined {
    return this.#integer(key, -Infinity, 'a whole number')
  }

  /** One or more texts. */
  texts(key: string): string[] {
    const value = this.#take(key)
    const texts = Array.isArray(value) ? value.filter(each => typeof each === 'string') : []
    if (texts.length > 0 && texts.length === (value as unknown[]).length) return texts
    throw this.#wrong(key, value, 'a list of one text or more')
  }

  /** The keys that nobody took. */
  get rest(): string[] {
    return [...this.#values.keys()]
  }

  #integer(key: string, least: number, right: string): number | undefined {
    const value = this.#take(key)
    if (value === undefined) return undefined
    if (typeof value === 'number' && Number.isInteger(value) && value >= least) return value
    throw this.#wrong(key, value, right)
  }

  #take(key: string): unknown {
    const value = this.#values.get(this.#fold(key))
    this.#values.delete(this.#fold(key))
    return value
  }

  #fold(key: string): string {
    return this.#ignoreCase ? key.toLowerCase() : key
  }

  // Not what it is instead: it could be a token.
  #wrong(key: string, value: unknown, right: string): UsageError {
    const what = value === undefined ? 'is missing; it is' : 'has to be'
    return new UsageError(`${this.#name}: '${key}' ${what} ${right}`)
  }
}

/** Reads a file of JSON. Throws a UsageError that has nothing of its text in it. */
export function readJson(path: string): unknown {
  try {
    return JSON.parse(readText(path, MAX_BYTES).replace(/^\uFEFF/, ''))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new UsageError(`'${path}' is not JSON`, { cause: error })
  }
}
