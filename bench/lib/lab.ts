// The lab: wan.c, a wide-area network between two namespaces of this machine, wan-s with the
// senders and wan-c with the receivers.
//
// Everything hangs on this process: wan takes its namespaces down when its standard input ends, and
// the ends are killed when this process exits, whatever the reason.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { release, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const SOURCE = fileURLToPath(new URL('wan.c', import.meta.url))
const CONGESTION_CONTROL = process.env['WAN_CC'] ?? 'cubic'
const NAMESPACES = ['wan-c', 'wan-s'] as const
/** What comes in front of a command that is to run on either side of the links. */
export const ON_SERVER_SIDE = ['ip', 'netns', 'exec', 'wan-s']
export const ON_CLIENT_SIDE = ['ip', 'netns', 'exec', 'wan-c']

/** A name that one process at a time may have, and that ends with it. */
const CLAIM = '\0striper-wan'

/** Why there can be no lab here, by name; undefined where there can, and this process then has the
 *  right to it. */
export async function labObstacle(): Promise<string | undefined> {
  const missing: string[] = []
  if (process.getuid?.() !== 0) missing.push('not root')
  for (const program of ['ip', 'cc']) if (!onPath(program)) missing.push(`no ${program}`)
  if (!existsSync('/dev/net/tun')) missing.push('no /dev/net/tun')
  if (missing.length > 0) return missing.join(', ')
  // The device is there for as long as a wan holds it.
  const other = spawnSync('ip', ['-n', 'wan-c', 'link', 'show', 'w0'], { stdio: 'ignore' })
  const free = other.status !== 0 && (await claim())
  return free ? undefined : 'another lab is running'
}

async function claim(): Promise<boolean> {
  const server = createServer().unref()
  try {
    await once(server.listen(CLAIM), 'listening')
    return true
  } catch {
    return false // somebody has it
  }
}

/** Links that stand. */
export interface Links {
  /** The addresses of a link: of the far side, and to leave from. */
  lane(link: number): { host: string; from: string }
  /** Changes a link, in the words of wan. */
  change(link: number, to: string): void
  close(): Promise<void>
}

export class Lab {
  readonly #folder = mkdtempSync(join(tmpdir(), 'striper-wan-'))
  readonly #program = join(this.#folder, 'wan')

  /** Compiles it. */
  constructor() {
    process.once('exit', () => rmSync(this.#folder, { recursive: true, force: true }))
    execFileSync('cc', ['-O2', '-o', this.#program, SOURCE])
  }

  /** What it is, and what the figures depend on. */
  get title(): string {
    return `lab in namespaces, Linux ${release()}, TCP ${CONGESTION_CONTROL}`
  }

  /** Lays these links. One network at a time. */
  async open(links: readonly string[]): Promise<Links> {
    const env = { ...process.env, WAN_CC: CONGESTION_CONTROL }
    const wan = spawn(this.#program, links, { stdio: ['pipe', 'pipe', 'inherit'], env })
    wan.stdin.on('error', () => undefined) // its exit tells
    await standing(wan)
    for (const name of NAMESPACES) prepare(name)
    return {
      lane: link => ({ host: `10.77.${link}.254`, from: `10.77.${link}.1` }),
      change: (link, to) => wan.stdin.write(`${link} ${to}\n`),
      close: async () => {
        if (wan.exitCode !== null || wan.signalCode !== null) return
        wan.stdin.end()
        await once(wan, 'exit')
      },
    }
  }
}

/** Waits for 'ready', and reads away what it says later. */
async function standing(wan: ChildProcess): Promise<void> {
  const exited = once(wan, 'exit').then(([code]) => {
    throw new Error(`wan exited with ${code} before it was ready`)
  })
  exited.catch(() => undefined) // in time it is meant to
  const lines = createInterface({ input: wan.stdout! })
  const ready = new Promise<void>(resolve => {
    lines.on('line', line => {
      if (line === 'ready') resolve()
    })
  })
  await Promise.race([ready, exited])
}

/** Connections learn nothing from those before them: each pass is the first. And they have the
 *  congestion control that the title says: a namespace takes that of the machine's first one, which
 *  wan cannot set from within a namespace itself. Throws where it cannot be had. */
function prepare(namespace: string): void {
  const settings = ['tcp_no_metrics_save=1', `tcp_congestion_control=${CONGESTION_CONTROL}`]
  const names = settings.map(setting => `net.ipv4.${setting}`)
  execFileSync('ip', ['netns', 'exec', namespace, 'sysctl', '-qw', ...names])
}

/** Whether there is a program of that name. */
export function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some(folder => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false // not in this one
    }
  })
}
