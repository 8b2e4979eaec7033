// A tunnel that stands, with all that is around it; each part is a process of its own.
//
//   clients ─▶ tunnel client ══ [forwarder of this process] ══ tunnel server ─▶ target
//
// In the lab clients and tunnel client are in wan-c, the others in wan-s; else all is on loopback.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bridge, type Bridge, connect, listen, parseAddress, type TcpServer } from 'striper'
import { Program } from '../../examples/lib/program.ts'
import { End } from '../lib/end.ts'
import { type Links, ON_CLIENT_SIDE, ON_SERVER_SIDE } from '../lib/lab.ts'
import type { Job, To } from './load.ts'

const START_MS = 60_000

/** How a scene is laid out. */
export interface Layout {
  /** The network; loopback without. */
  links?: Links | undefined
  /** Where lanes leave from; `*8` unless told otherwise. */
  bind?: readonly string[]
  /** Lanes go through a forwarder that can be told to break them. */
  breakable?: boolean
  /** The two programs tell what they hold. */
  measured?: boolean
}

export class Scene {
  readonly #folder = mkdtempSync(join(tmpdir(), 'striper-tunnel-'))
  readonly #layout: Layout
  readonly #far: readonly string[]
  readonly #near: readonly string[]
  readonly #ends: End[] = []
  readonly lanes = new Set<Bridge>()
  #forwarder: TcpServer | undefined
  #dark = false
  #target = 0
  #serverPort = 0
  server!: Program
  client!: Program
  clients!: End

  constructor(layout: Layout) {
    this.#layout = layout
    this.#far = layout.links ? ON_SERVER_SIDE : []
    this.#near = layout.links ? ON_CLIENT_SIDE : []
  }

  get key(): string {
    return join(this.#folder, 'key')
  }

  /** Where a client finds the target through the tunnel. */
  through!: To

  /** Where it finds the target without it. */
  get past(): To {
    const { links } = this.#layout
    if (links === undefined) return { host: '127.0.0.1', port: this.#target }
    const { host, from } = links.lane(0)
    return { host, port: this.#target, localAddress: from }
  }

  /** The port of the tunnel's server. */
  get serverPort(): number {
    return this.#serverPort
  }

  /** Starts all of it. */
  async open(): Promise<this> {
    const { links, bind = ['*8'], breakable } = this.#layout
    await new Program('tunnel', '--role', 'key', '--key', this.key).exit
    const target = this.child('./load.ts', this.#far, 'target', '0.0.0.0')
    this.#target = (await target.hear('port', START_MS)) as number
    await this.startServer()
    let to = `${links?.lane(0).host ?? '127.0.0.1'}:${this.#serverPort}`
    if (breakable) to = await this.#forward(to)
    const places = bind.flatMap(place => ['--bind', place])
    const where = ['--to', to, '-L', `0:127.0.0.1:${this.#target}`, ...places]
    this.client = this.#program(this.#near, 'client', ...where)
    const near = parseAddress(await this.client.address()) as To
    this.through = near
    this.clients = this.child('./load.ts', this.#near, 'clients')
    await this.ask('opened', { do: 'open', to: near, count: 3 }, START_MS) // lanes come up
    return this
  }

  /** Starts the server; again, where it was. */
  async startServer(): Promise<void> {
    const at = ['--listen', `0.0.0.0:${this.#serverPort}`, '--allow', `127.0.0.1:${this.#target}`]
    this.server = this.#program(this.#far, 'server', ...at)
    this.#serverPort = Number(/:(\d+)$/.exec(await this.server.address())![1])
  }

  /** Starts a program of this folder, which ends with the scene. */
  child(file: string, before: readonly string[], ...args: string[]): End {
    const end = new End(before, new URL(file, import.meta.url), ...args)
    this.#ends.push(end)
    return end
  }

  /** Has the clients do a job, and resolves with what they say of it. */
  async ask<T>(word: string, job: Job, limitMs: number): Promise<T> {
    const heard = this.clients.hear(word, limitMs)
    this.clients.say(job)
    return (await heard) as T
  }

  /** No lane works from now on, or they may be dialled again. */
  darken(dark: boolean): void {
    this.#dark = dark
    if (dark) for (const lane of this.lanes) lane.destroy()
  }

  async close(): Promise<void> {
    for (const program of [this.server, this.client]) program.signal('SIGKILL')
    await Promise.all([this.server.exit, this.client.exit])
    for (const end of this.#ends) end.stop()
    await this.#forwarder?.destroy()
    rmSync(this.#folder, { recursive: true })
  }

  #program(before: readonly string[], role: string, ...args: string[]): Program {
    const words = ['--role', role, '--key', this.key, ...args]
    if (!this.#layout.measured) return new Program({ name: 'tunnel', before }, ...words)
    return new Program({ name: '../bench/lib/measured', before }, 'tunnel', ...words)
  }

  async #forward(to: string): Promise<string> {
    this.#forwarder = await listen({ host: '127.0.0.1', port: 0 }, pipe => {
      if (this.#dark) return void pipe.destroy()
      const lane = bridge(pipe, connect(parseAddress(to)))
      const over = () => this.lanes.delete(lane)
      this.lanes.add(lane)
      lane.done.then(over, over)
    })
    return this.#forwarder.address
  }
}
