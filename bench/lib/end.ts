// End: a process of a bench beside the one that drives it. They say lines of JSON to each other, an
// object each, on its stdin and stdout.

import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const NODE = [process.execPath, '--import', 'tsx', '--conditions=@striper/source']

/** Says something to the driver. */
export function say(what: object): void {
  process.stdout.write(JSON.stringify(what) + '\n')
}

/** A child that hears and says lines of JSON. It does not outlive this process. */
export class End {
  readonly #child: ChildProcess
  readonly #heard = new EventEmitter()
  readonly #kill = () => this.#child.kill('SIGKILL')

  /** Runs a program of the bench; `before` comes in front of the command: how to be elsewhere on
   *  the network. */
  constructor(before: readonly string[], file: URL, ...args: readonly string[]) {
    const [command, ...rest] = [...before, ...NODE, fileURLToPath(file), ...args]
    this.#child = spawn(command!, rest, { cwd: ROOT, stdio: ['pipe', 'pipe', 'inherit'] })
    process.once('exit', this.#kill)
    this.#heard.on('error', () => undefined) // whoever waits hears of it too
    this.#child.once('error', error => this.#heard.emit('error', error))
    this.#child.once('exit', code => {
      process.off('exit', this.#kill)
      this.#heard.emit('error', new Error(`an end exited with ${code}`))
    })
    this.#child.stdin!.on('error', () => undefined) // its exit tells
    createInterface({ input: this.#child.stdout! }).on('line', line => {
      const words = JSON.parse(line) as Record<string, unknown>
      for (const [name, value] of Object.entries(words)) this.#heard.emit(name, value)
    })
  }

  get exited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  say(what: object): void {
    this.#child.stdin!.write(JSON.stringify(what) + '\n')
  }

  /** What it says next under a name. */
  async hear(name: string, limitMs: number): Promise<unknown> {
    try {
      const signal = AbortSignal.timeout(limitMs)
      const [value] = (await once(this.#heard, name, { signal })) as unknown[]
      return value
    } catch (error) {
      const late = error instanceof Error && error.name === 'AbortError'
      throw late ? new Error(`no '${name}' in ${limitMs / 1000} s`, { cause: error }) : error
    }
  }

  stop(): void {
    this.#kill()
  }
}
