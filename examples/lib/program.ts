// An example, or the command, as a child process, run from source, as a stranger would run it: for
// whoever shows or tries one from outside.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const NODE_OPTIONS = ['--import', 'tsx', '--conditions=@striper/source']

export class Program {
  readonly name: string
  /** Its exit code, when it has ended; null where a signal ended it. */
  readonly exit: Promise<number | null>
  /** What it has printed on stdout. */
  output = ''
  /** What it has printed on stderr. */
  errors = ''
  readonly #child: ChildProcess
  #wake: () => void = () => undefined

  /** Starts `examples/<name>.ts`, or the command for `striper`; `before` comes in front of the
   *  command: how to be elsewhere. It does not outlive this process. */
  constructor(what: string | { name: string; before: readonly string[] }, ...args: string[]) {
    const { name, before } = typeof what === 'string' ? { name: what, before: [] } : what
    this.name = name
    const file = name === 'striper' ? 'packages/cli/src/main.ts' : `examples/${name}.ts`
    const [program, ...rest] = [...before, process.execPath, ...NODE_OPTIONS, file, ...args]
    const child = spawn(program!, rest, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    const kill = () => child.kill('SIGKILL')
    process.once('exit', kill)
    this.exit = once(child, 'close').then(([code]) => {
      process.off('exit', kill)
      this.#wake()
      return code as number | null
    })
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.output += text
      this.#wake()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text
      this.#wake()
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Waits until it has printed what is looked for, on stdout or on stderr. Rejects if it ends
   *  before. */
  async printed(what: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = what.exec(this.output) ?? what.exec(this.errors)
      if (match) return match
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`it ended without printing ${what}: ${this.output}${this.errors}`)
      }
      await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }

  /** Waits until it listens, and says where: HOST:PORT. */
  async address(): Promise<string> {
    const [, address] = await this.printed(/: (\S+:\d+) to \S/)
    return address!
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Asks it to stop, and waits until it has. */
  async stop(): Promise<number | null> {
    this.signal('SIGINT')
    return this.exit
  }
}

/** Does what needs these programs: rejects as soon as one of them ends meanwhile, with what it
 *  said. */
export async function needing<T>(programs: readonly Program[], work: Promise<T>): Promise<T> {
  const ends = programs.map(async program => {
    const code = await program.exit
    throw new Error(`${program.name} ended meanwhile, exit code ${code}\n${program.errors}`)
  })
  return Promise.race([work, ...ends])
}
