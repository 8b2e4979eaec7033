// The command line: which command, its options from the line and the file, and how it ends.

import { isPipeError } from 'striper'
import { client, server } from './commands/tunnel.ts'
import { convert } from './commands/convert.ts'
import { key } from './commands/key.ts'
import { relay } from './commands/relay.ts'
import { status } from './commands/status.ts'
import { readConfig } from './config.ts'
import { EXIT, EXIT_HELP, Failure, UsageError } from './exit.ts'
import { describe, flag, optional, type Options, parseCommandLine } from './option.ts'
import { type Values, valuesOf } from './option.ts'
import { didYouMean } from './pure/nearest.ts'
import { withoutSecrets } from './secret.ts'
import { explain, printable } from './terminal.ts'
import { path } from './values.ts'
import { VERSION } from './version.ts'

/** What a command has of the process that runs it. */
export interface World {
  /** Prints a line on stdout. */
  readonly out: (line: string) => void
  /** Prints a line on stderr. */
  readonly err: (line: string) => void
  readonly env: NodeJS.ProcessEnv
}

/** One command: its help, its options, and what it does. */
export interface Command<O extends Options = Options> {
  readonly name: string
  readonly summary: string
  readonly usage: readonly string[]
  /** What the help says between usage and options. */
  readonly text: string
  readonly options: O
  /** Whether its options may come from a file. */
  readonly file?: boolean
  /** Whether it takes words beside its options. */
  run(values: Values<O>, words: readonly string[], world: World): Promise<void> | void
}

const COMMANDS = [relay, server, client, status, key, convert] as unknown as readonly Command[]
const HELP = flag('this text', { short: 'h', lineOnly: true })
const CONFIG = optional('FILE', path, 'options from a file, JSON or YAML', { lineOnly: true })

/** Runs a command line. Resolves with the exit code; it never rejects for what a user or the world
 *  did. */
export async function main(args: readonly string[], world: World): Promise<number> {
  const [name = 'help', ...rest] = args
  let command: Command | undefined
  try {
    if (['help', '--help', '-h'].includes(name)) return help(rest, world)
    if (['version', '--version', '-V'].includes(name)) {
      world.out(VERSION)
      return EXIT.done
    }
    command = find(name)
    const options = { ...command.options, ...(command.file ? { config: CONFIG } : {}), help: HELP }
    const { given, words } = parseCommandLine(options, rest)
    if (given.has('help')) return help([name], world)
    const file = given.get('config')?.texts[0]
    const both = file === undefined ? given : new Map([...readConfig(options, file), ...given])
    await command.run(valuesOf(options, both), words, world)
    return EXIT.done
  } catch (error) {
    return complain(error, command, world)
  }
}

function find(name: string): Command {
  const found = COMMANDS.find(command => command.name === name)
  if (found) return found
  const what = name.startsWith('-') ? 'option' : 'command'
  const names = COMMANDS.map(command => command.name)
  throw new UsageError(`there is no ${what} '${name}'${didYouMean(name, names)}`)
}

/** One sentence on stderr, and the exit code. A mistake of ours is thrown on: its stack says
 *  where. */
function complain(error: unknown, command: Command | undefined, { err }: World): number {
  const who = command === undefined ? 'striper' : `striper ${command.name}`
  const print = (sentence: string) => err(`${who}: ${printable(withoutSecrets(sentence))}`)
  if (error instanceof UsageError) {
    print(`${error.message}; ${who} --help says more`)
    return EXIT.usage
  }
  if (error instanceof Failure) {
    print(error.message)
    return error.exitCode
  }
  if (!isPipeError(error)) throw error
  print(explain(error))
  return EXIT.failed
}

function help(names: readonly string[], { out }: World): number {
  const [name] = names
  if (name === undefined || name.startsWith('-')) out(overview())
  else {
    const { usage, text, options, file } = find(name)
    const all = { ...options, ...(file ? { config: CONFIG } : {}), help: HELP }
    out(usage.map(line => `striper ${line}`).join('\n'))
    out(`\n${text.trim()}\n`)
    out(describe(all).join('\n'))
    out(`\n${EXIT_HELP}`)
  }
  return EXIT.done
}

function overview(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length)) + 2
  const rows = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`)
  return `
striper COMMAND [options]

Makes one TCP connection as fast as many: it is striped over several, from several addresses if you
like, and put together again at the other end.

${rows.join('\n')}
  ${'help'.padEnd(width)}what a command does: striper help relay
  ${'version'.padEnd(width)}which version this is

From nothing to a tunnel, at the far end and then here:

  striper key new
  striper server --listen :7000 --allow 127.0.0.1:80
  striper client --server far.example:7000 --lanes 8 -L 8080:127.0.0.1:80

${EXIT_HELP}
`.trim()
}
