// The relays, each a process of its own on loopback: ours, the naive one, and the native ones that
// are installed here. All of them use one thread.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'

export const RELAYS = ['bridge', 'pipe', 'haproxy', 'nginx', 'socat'] as const
export type RelayName = (typeof RELAYS)[number]

/** What a relay of ours says of its reads, in bytes. */
export interface Reads {
  read?: number
  copied?: number
}

const START_MS = 30_000
/** What a process has open beside its conversations, at most. */
const OTHER_DESCRIPTORS = 100
const MOST_CONVERSATIONS = 10_000
const TICKS_PER_SECOND = 100 // USER_HZ of Linux
const NGINX_STREAM = [
  '/usr/lib/nginx/modules/ngx_stream_module.so', // Debian
  '/usr/lib64/nginx/modules/ngx_stream_module.so', // Fedora
]

/** Why a relay cannot be had here; undefined where it can. */
export function lacks(name: RelayName): string | undefined {
  if (name === 'bridge' || name === 'pipe') return undefined
  const flag = { haproxy: '-v', nginx: '-v', socat: '-V' }[name]
  const { error } = spawnSync(name, [flag], { env: withSbin() })
  return error ? `${name} is not installed` : undefined
}

/** The first line of what a program says of its version. */
export function versionOf(program: string, flag: string): string {
  const { stdout, stderr } = spawnSync(program, [flag], { env: withSbin(), encoding: 'utf8' })
  return /\d+\.\d+(\.\d+)*/.exec(`${stdout} ${stderr}`)?.[0] ?? 'of unknown version'
}

/** How many conversations a relay can hold at once here; each has two sockets. */
export const conversationsAtMost = (() => {
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' })
  const descriptors = Number(stdout) || Infinity // or it says 'unlimited'
  return Math.min(MOST_CONVERSATIONS, Math.floor((descriptors - OTHER_DESCRIPTORS) / 2))
})()

/** Where relays run: a folder for their settings, and the built file of the two in JavaScript. */
export interface Place {
  readonly folder: string
  readonly serve: string
}

/** A relay that runs: `ports[i]` leads to `targets[i]`, all on 127.0.0.1. */
export class Relay {
  readonly name: RelayName
  readonly ports: readonly number[]
  readonly #children: ChildProcess[] = []
  readonly #kill = () => this.#children.forEach(child => child.kill('SIGKILL'))
  #said = ''
  #complained = '' // of late

  /** Starts it, and resolves when it accepts. It does not outlive this process. */
  static async start(name: RelayName, targets: readonly number[], place: Place): Promise<Relay> {
    const relay = new Relay(name, await freePorts(targets.length))
    try {
      await relay.#start(targets, place)
    } catch (error) {
      await relay.stop()
      throw error
    }
    return relay
  }

  private constructor(name: RelayName, ports: readonly number[]) {
    this.name = name
    this.ports = ports
    process.once('exit', this.#kill)
  }

  /** CPU time that it has used so far, in s, children and those that are over included. */
  get cpuSeconds(): number {
    // user, system, and both of the children that have been waited for: fields 14 to 17
    const ticks = this.#pids().flatMap(pid => fieldsOf(pid).slice(11, 15))
    return ticks.reduce((sum, each) => sum + Number(each), 0) / TICKS_PER_SECOND
  }

  /** Most memory that it has had so far, in bytes. */
  get peakBytes(): number {
    return this.#sum('VmHWM')
  }

  /** Memory that it has now, in bytes. */
  get residentBytes(): number {
    return this.#sum('VmRSS')
  }

  /** Collects garbage where there is any, and tells what it has read; undefined where it cannot. */
  async collect(): Promise<Reads | undefined> {
    if (this.name !== 'bridge' && this.name !== 'pipe') return undefined
    this.#said = ''
    this.#children[0]!.kill('SIGUSR2')
    const limit = performance.now() + START_MS
    while (!this.#said.includes('\n')) {
      if (performance.now() > limit) throw new Error('it says nothing')
      await pause(20)
    }
    return JSON.parse(this.#said) as Reads
  }

  async stop(): Promise<void> {
    process.off('exit', this.#kill)
    const gone = this.#children.filter(alive).map(child => once(child, 'exit'))
    // Children of children first: they are not known once their parent is gone.
    for (const pid of this.#pids().reverse()) tryKill(pid)
    await Promise.all(gone)
  }

  async #start(targets: readonly number[], { folder, serve }: Place): Promise<void> {
    const pairs = this.ports.map((port, index) => ({ port, target: targets[index]! }))
    const words = pairs.map(({ port, target }) => `${port}:${target}`)
    const file = join(folder, `${this.name}.conf`)
    switch (this.name) {
      case 'haproxy':
        writeFileSync(file, haproxyConfig(pairs))
        this.#spawn('haproxy', '-db', '-q', '-f', file)
        break
      case 'nginx':
        writeFileSync(file, nginxConfig(pairs, folder))
        this.#spawn('nginx', '-c', file, '-p', folder)
        break
      case 'socat':
        for (const { port, target } of pairs) {
          const from = `TCP-LISTEN:${port},bind=127.0.0.1,fork,reuseaddr,nodelay,backlog=1024`
          this.#spawn('socat', '-b', '65536', from, `TCP:127.0.0.1:${target},nodelay`)
        }
        break
      default:
        this.#spawn(process.execPath, '--expose-gc', serve, this.name, ...words)
    }
    await Promise.all(this.ports.map(port => this.#accepts(port)))
  }

  #spawn(command: string, ...args: string[]): void {
    const descriptors = 'ulimit -n $(ulimit -Hn); exec "$0" "$@"'
    const child = spawn('sh', ['-c', descriptors, command, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: withSbin(),
    })
    child.stdout.setEncoding('utf8').on('data', (text: string) => (this.#said += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#complained = text))
    this.#children.push(child)
  }

  async #accepts(port: number): Promise<void> {
    const limit = performance.now() + START_MS
    while (!listens(port)) {
      if (!this.#children.every(alive)) throw new Error(`it ended: ${this.#complained}`)
      if (performance.now() > limit) throw new Error('it does not listen')
      await pause(20)
    }
  }

  #sum(field: string): number {
    const own = this.#pids().map(pid => {
      const status = tryRead(`/proc/${pid}/status`)
      return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) * 1024
    })
    return own.reduce((sum, each) => sum + each, 0)
  }

  /** Its processes, and theirs. */
  #pids(): number[] {
    const pids = this.#children.filter(alive).map(child => child.pid!)
    if (this.name !== 'socat') return pids
    const all = readdirSync('/proc').filter(name => /^\d+$/.test(name))
    return [...pids, ...all.map(Number).filter(pid => pids.includes(Number(fieldsOf(pid)[1])))]
  }
}

function haproxyConfig(pairs: readonly { port: number; target: number }[]): string {
  const listens = pairs.map(
    ({ port, target }) => `listen to-${target}
  bind 127.0.0.1:${port} backlog 4096
  server target 127.0.0.1:${target}`,
  )
  return `global
  nbthread 1
  maxconn ${conversationsAtMost}
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
${listens.join('\n')}
`
}

function nginxConfig(pairs: readonly { port: number; target: number }[], folder: string): string {
  const module = NGINX_STREAM.find(path => tryStat(path))
  const servers = pairs.map(
    ({ port, target }) =>
      `  server { listen 127.0.0.1:${port} backlog=4096; proxy_pass 127.0.0.1:${target}; }`,
  )
  return `${module === undefined ? '' : `load_module ${module};`}
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log ${folder}/nginx.log error;
events { worker_connections 40000; }
stream {
  proxy_buffer_size 64k;
  proxy_timeout 1h;
${servers.join('\n')}
}
`
}

/** Ports that nobody uses just now. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map(server => once(server, 'listening')))
  const ports = servers.map(server => (server.address() as AddressInfo).port)
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  return ports
}

/** Whether somebody listens at a port. (Asking it would be a connection to its target.) */
function listens(port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  return new RegExp(`:${hex} 00000000:0000 0A `).test(tryRead('/proc/net/tcp'))
}

/** /proc/PID/stat from the third field on: state, parent, …; none where it is gone. */
function fieldsOf(pid: number): string[] {
  const stat = tryRead(`/proc/${pid}/stat`)
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

const tryStat = (path: string) => spawnSync('test', ['-e', path]).status === 0

function tryRead(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It is gone.
  }
}

const alive = (child: ChildProcess) => child.exitCode === null && child.signalCode === null
const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))
/** Daemons are where root finds them. */
const withSbin = () => ({ ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` })
