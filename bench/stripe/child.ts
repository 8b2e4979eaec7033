// A process of the bench: a program of this folder, built once so that no loader runs beside what
// is measured, or somebody else's. What it costs is read from /proc, the same way for all.

import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

const START_MS = 20_000
/** Of /proc/PID/stat; what Linux has on every machine that Node.js runs on. */
const TICKS_PER_SECOND = 100

/** What a process has used so far. */
export interface Usage {
  cpuSeconds: number
  peakBytes: number
}

/** Why nothing can be measured here; undefined: it can. */
export function obstacle(): string | undefined {
  return existsSync('/proc/self/stat') ? undefined : 'needs /proc, as Linux has it'
}

/** Those that run. None outlives this process. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGTERM')
})

export class Child {
  readonly #child: ChildProcess
  readonly #heard = new EventEmitter()

  constructor([command, ...args]: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.#child = spawn(command!, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    })
    running.add(this.#child)
    this.#heard.on('error', () => undefined) // whoever waits hears of it too
    this.#child.once('error', error => this.#heard.emit('error', error))
    this.#child.once('exit', code => {
      running.delete(this.#child)
      this.#heard.emit('error', new Error(`${args.join(' ')} exited with ${code}`))
    })
    this.#child.stdin!.on('error', () => undefined) // its exit tells
    createInterface({ input: this.#child.stdout! }).on('line', line => {
      const words = JSON.parse(line) as Record<string, unknown>
      if (words['failed'] !== undefined) this.#heard.emit('error', new Error(line))
      for (const [name, value] of Object.entries(words)) this.#heard.emit(name, value)
    })
  }

  say(what: object): void {
    this.#child.stdin!.write(JSON.stringify(what) + '\n')
  }

  /** What it says next under a name. */
  async hear<T>(name: string, limitMs = START_MS): Promise<T> {
    const signal = AbortSignal.timeout(limitMs)
    const [value] = (await once(this.#heard, name, { signal })) as [T]
    return value
  }

  usage(): Usage {
    const { pid } = this.#child
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // from the third on
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
      peakBytes: Number(peak?.[1] ?? NaN) * 1024,
    }
  }

  /** Resolves when it has gone. */
  async stop(): Promise<void> {
    const gone = this.#child.exitCode === null && once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await gone
  }
}
