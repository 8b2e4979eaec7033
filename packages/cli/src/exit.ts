// How the command ends: its exit codes, and the two ways to say what went wrong.

/** What the exit code says. Beside these: 130 and 143, where a second SIGINT or SIGTERM forced
 *  it. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  cannotStart: 3,
  notLetIn: 4,
} as const

/** The exit codes, for each command's help. */
export const EXIT_HELP = `
Exit codes: 0 done; 1 failed while running; 2 the command line, the configuration or a key file is
wrong; 3 cannot listen or connect at the start; 4 not let in; 130 and 143 a second SIGINT or SIGTERM.
`.trim()

/** What the user asked for cannot be: exit code 2. The message is one sentence, with what would be
 *  right. */
export class UsageError extends Error {}

/** It could be, and went wrong: with its exit code, and one sentence. */
export class Failure extends Error {
  readonly exitCode: number

  constructor(exitCode: number, sentence: string, options?: ErrorOptions) {
    super(sentence, options)
    this.exitCode = exitCode
  }
}
