// What every example does around its work: arguments, help, and where it fails a sentence on stderr
// and an exit code. 0: done. 1: the world would not have it (a port in use). 2: the command line is
// wrong.

import { basename } from 'node:path'
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { explain } from '@striper/cli/terminal'
import { isPipeError, parseAddress, type SocketAddress } from 'striper'

type Options = NonNullable<ParseArgsConfig['options']>
type Values<O extends Options> = ReturnType<typeof parseArgs<{ options: O }>>['values']

/** A mistake in the command line. */
export class UsageError extends Error {}

/** Runs a program with its options; `--help` prints `text` instead. */
export async function command<O extends Options>(
  text: string,
  options: O,
  run: (values: Values<O>) => Promise<void>,
): Promise<void> {
  const name = basename(process.argv[1] ?? '', '.ts')
  try {
    const help = { type: 'boolean', short: 'h' } as const
    const values: Record<string, unknown> = parsed({ options: { ...options, help } }).values
    if (values.help === true) console.log(text.trim())
    else await run(values as Values<O>)
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${name}: ${error.message}; --help says more`)
      process.exitCode = 2
    } else if (isPipeError(error)) {
      console.error(`${name}: ${explain(error)}`)
      process.exitCode = 1
    } else {
      throw error // a mistake of ours: the stack says where
    }
  }
}

/** The value of an option as an address. */
export function addressOption(name: string, text: string): SocketAddress {
  try {
    return parseAddress(text)
  } catch (error) {
    throw new UsageError(`--${name}: ${(error as Error).message}`, { cause: error })
  }
}

/** The value of an option as a whole number within bounds. */
export function numberOption(name: string, text: string, from: number, to: number): number {
  const number = Number(text)
  if (Number.isInteger(number) && number >= from && number <= to) return number
  throw new UsageError(`--${name}: '${text}' is not a whole number from ${from} to ${to}`)
}

/** What `parseArgs` makes of a command line. Throws a UsageError for one that is wrong. */
export function parsed<C extends ParseArgsConfig>(config: C): ReturnType<typeof parseArgs<C>> {
  try {
    return parseArgs(config)
  } catch (error) {
    const [sentence = ''] = (error as Error).message.split('. ') // what follows is advice at length
    throw new UsageError(sentence, { cause: error })
  }
}
