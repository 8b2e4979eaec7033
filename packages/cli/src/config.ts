// The configuration file: JSON or YAML, one key for each option, by the option's name.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { basename } from 'node:path'
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document } from 'yaml'
import { UsageError } from './exit.ts'
import type { GivenOption, Options } from './option.ts'
import { didYouMean } from './pure/nearest.ts'

/** The largest file that is read, in bytes. */
export const MAX_CONFIG_BYTES = 256 * 1024

/** Reads a file as a whole, if it is no larger than that. Throws a UsageError that says why
 *  not. */
export function readText(path: string, maxBytes: number): string {
  let file: number | undefined
  try {
    file = openSync(path, 'r')
    const { size } = fstatSync(file)
    const buffer = Buffer.alloc(Math.min(size, maxBytes) + 1)
    let bytes = 0
    for (;;) {
      const read = readSync(file, buffer, bytes, buffer.length - bytes, null)
      bytes += read
      if (read === 0 || bytes === buffer.length) break
    }
    if (bytes > maxBytes) throw new UsageError(`'${path}' is larger than ${maxBytes} bytes`)
    return buffer.toString('utf8', 0, bytes)
  } catch (error) {
    if (error instanceof UsageError) throw error
    const { code, message } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'there is no such file' : (code ?? message)
    throw new UsageError(`cannot read '${path}': ${why}`, { cause: error })
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/** Reads a configuration. Throws a UsageError for a key that no option has. */
export function readConfig(options: Options, path: string): Map<string, GivenOption> {
  return parseConfig(options, readText(path, MAX_CONFIG_BYTES), basename(path))
}

/** The same, of a text that came from a file of that name. */
export function parseConfig(
  options: Options,
  text: string,
  name: string,
): Map<string, GivenOption> {
  const root = parseYaml(text, name).contents
  const given = new Map<string, GivenOption>()
  if (root === null) return given // an empty file
  if (!isMap(root)) throw new UsageError(`${name}: it has to be a list of keys, such as 'to: :80'`)
  const known = Object.keys(options).filter(key => !options[key]!.lineOnly)
  for (const { key, value } of root.items) {
    const option = isScalar(key) ? String(key.value) : '?'
    const from = `${name}: ${option}`
    if (!known.includes(option)) {
      const lineOnly = Object.hasOwn(options, option) ? ': it belongs on the command line' : ''
      const better = lineOnly || didYouMean(option, known)
      throw new UsageError(`${name}: there is no key '${option}'${better}`)
    }
    const items = isSeq(value) ? value.items : [value]
    if (isSeq(value) && !options[option]!.many) throw new UsageError(`${from}: takes one value`)
    given.set(option, { from, texts: items.map(item => textOf(item, from)) })
  }
  return given
}

/** Parses YAML, of which JSON is a part. Throws a UsageError that has the line, and nothing of what
 *  is in it: it might be a secret. */
export function parseYaml(text: string, name: string): Document.Parsed {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false, logLevel: 'error' })
  const [error] = document.errors
  if (!error) return document
  const { line } = lineCounter.linePos(error.pos[0])
  const what = error.code.toLowerCase().replaceAll('_', ' ')
  throw new UsageError(`${name}: line ${line} is neither JSON nor YAML: ${what}`)
}

/** One value as the text that would be written on a command line. */
function textOf(item: unknown, from: string): string {
  if (isAlias(item)) throw new UsageError(`${from}: an alias ('*…'); a star has to be in quotes`)
  const value = isScalar(item) ? item.value : undefined
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return String(value)
  // As it was written, where that is known: 0x10 and 1_000 are not numbers to the options.
  if (typeof value === 'number') return (isScalar(item) && item.source) || String(value)
  throw new UsageError(`${from}: the value has to be a text, a number, true or false`)
}
