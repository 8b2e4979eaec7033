// Options: one table for each command, from which come its flags, the keys of its configuration
// file, their checks and their help.
//
//   command line ──┐
//                  ├──▶ Given: texts by name ──▶ each option reads its own ──▶ Values
//   file ──────────┘    (the command line wins)

import { parseArgs } from 'node:util'
import { UsageError } from './exit.ts'
import { didYouMean } from './pure/nearest.ts'

/** One option, whose value is a `T`. */
export interface Option<T> {
  readonly help: string
  /** What stands for its value in the help; none for a switch. */
  readonly value?: string
  readonly short?: string
  readonly many?: boolean
  /** Belongs on the command line alone, and has no key in a file. */
  readonly lineOnly?: boolean
  /** The default, as it would be written. */
  readonly byDefault?: string
  /** Reads one value; throws a RangeError with a sentence. */
  readonly read: (text: string) => unknown
  /** For the compiler only: an option's value has this type. */
  readonly is?: T
}

export type Options = Readonly<Record<string, Option<unknown>>>
export type Values<O extends Options> = {
  readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never
}

/** What was given for an option, and where: `--to`, or `striper.yaml: to`. */
export interface GivenOption {
  readonly from: string
  readonly texts: readonly string[]
}
export type Given = ReadonlyMap<string, GivenOption>

type Reader<T> = (text: string) => T
type Extra = Partial<Pick<Option<unknown>, 'short' | 'lineOnly'>>

/** An option that may be left out. */
export function optional<T>(value: string, read: Reader<T>, help: string, extra: Extra = {}) {
  return { value, read, help, ...extra } satisfies Option<unknown> as Option<T | undefined>
}

/** An option with a default, as it would be written. */
export function preset<T>(value: string, read: Reader<T>, byDefault: string, help: string) {
  return { value, read, byDefault, help } satisfies Option<unknown> as Option<T>
}

/** An option that may be given often. */
export function list<T>(value: string, read: Reader<T>, help: string, extra: Extra = {}) {
  return { value, read, help, many: true, ...extra } satisfies Option<unknown> as Option<
    readonly T[]
  >
}

/** A switch. */
export function flag(help: string, extra: Extra = {}) {
  return { help, read: isTrue, ...extra } satisfies Option<unknown> as Option<boolean>
}

/** Every value, checked, or its default. Throws a UsageError that says where it was given. */
export function valuesOf<O extends Options>(options: O, given: Given): Values<O> {
  const values = Object.entries(options).map(([name, option]) => {
    return [name, valueOf(option, given.get(name))] as const
  })
  return Object.fromEntries(values) as Values<O>
}

function valueOf(option: Option<unknown>, given: GivenOption | undefined): unknown {
  const { many, byDefault, read, value } = option
  if (given) {
    try {
      return many ? given.texts.map(read) : read(given.texts[0]!)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new UsageError(`${given.from}: ${error.message}`, { cause: error })
    }
  }
  if (many) return []
  if (byDefault !== undefined) return read(byDefault)
  return value === undefined ? false : undefined
}

/**
 * Reads a command line: what was given, and the words that belong to no option. Throws a UsageError
 * for an option that is not known, lacks its value, or was given twice.
 */
export function parseCommandLine(
  options: Options,
  args: readonly string[],
): { given: Map<string, GivenOption>; words: string[] } {
  const config = Object.fromEntries(
    Object.entries(options).map(([name, { value, short }]) => {
      const type = value === undefined ? ('boolean' as const) : ('string' as const)
      return [name, { type, multiple: true, ...(short === undefined ? {} : { short }) }]
    }),
  )
  const parsed = parseArgs({
    args: [...args],
    options: config,
    strict: false, // its errors are not ours
    tokens: true,
    allowPositionals: true,
  })
  const given = new Map<string, GivenOption>()
  const words: string[] = []
  for (const token of parsed.tokens) {
    if (token.kind === 'positional') words.push(token.value)
    if (token.kind !== 'option') continue
    const { name, rawName, value, inlineValue } = token
    const option = Object.hasOwn(options, name) ? options[name]! : unknown(options, rawName)
    const text = option.value === undefined ? asSwitch(rawName, value) : value
    if (text === undefined || (!inlineValue && /^-./.test(text))) {
      const got = text === undefined ? '' : `, and got '${text}'`
      throw new UsageError(`${rawName} needs a value: ${rawName} ${option.value}${got}`)
    }
    const before = given.get(name)?.texts ?? []
    if (before.length > 0 && !option.many) throw new UsageError(`${rawName} is given twice`)
    given.set(name, { from: rawName, texts: [...before, text] })
  }
  return { given, words }
}

function unknown(options: Options, rawName: string): never {
  const known = Object.keys(options)
  const better = rawName.startsWith('--') ? didYouMean(rawName.slice(2), known, '--') : ''
  throw new UsageError(`there is no option '${rawName}'${better}`)
}

function asSwitch(rawName: string, value: string | undefined): string {
  if (value !== undefined) throw new UsageError(`${rawName} takes no value`)
  return 'true'
}

function isTrue(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  throw new RangeError(`'${text}' is neither true nor false`)
}

/** Throws a UsageError for words where a command takes none. */
export function noWords(words: readonly string[]): void {
  if (words.length > 0) throw new UsageError(`'${words[0]}' belongs to no option`)
}

const HELP_COLUMNS = 96

/** The options as lines of help. */
export function describe(options: Options): string[] {
  const rows = Object.entries(options).map(([name, option]) => {
    const { short, value, help, byDefault, many } = option
    const left = `  ${short === undefined ? '' : `-${short}, `}--${name}${value ? ` ${value}` : ''}`
    const more = byDefault === undefined ? (many ? '; may be given often' : '') : ` (${byDefault})`
    return [left, help + more] as const
  })
  const width = Math.min(Math.max(...rows.map(([left]) => left.length)), 34)
  return rows.flatMap(([left, help]) => {
    const [first = '', ...rest] = wrap(help, HELP_COLUMNS - width - 2)
    const indent = ' '.repeat(width + 2)
    const head = left.length > width ? [left, indent + first] : [left.padEnd(width + 2) + first]
    return [...head, ...rest.map(line => indent + line)]
  })
}

/** Text in lines of so many columns at most. */
function wrap(text: string, columns: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = ''
    }
    line += line === '' ? word : ` ${word}`
  }
  return [...lines, line]
}
