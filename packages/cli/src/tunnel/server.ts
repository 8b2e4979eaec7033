// The running server: takes lanes, gathers them into sessions, and does what their channels ask.
//
//   lane ─▶ gather ─▶ session ─▶ mux ─▶ channel ─▶ grants.ts ─▶ target, or a listener

import { addressOf, type BytePipe, gather, type Gatherer, isPipeError } from 'striper'
import { abort, listen, mux, type PipeError, type StripePipe, type TcpServer } from 'striper'
import { WindowPool } from 'striper'
import { EXIT, Failure } from '../exit.ts'
import type { EventLog } from '../log.ts'
import type { Control } from '../service.ts'
import type { ServerSettings } from '../settings.ts'
import { explain } from '../terminal.ts'
import { type Budget, budgetOf, muxLimits, stripeLimits } from './budget.ts'
import { Conversations } from './conversations.ts'
import { Grants } from './grants.ts'
import { Shares } from './memory.ts'
import { Ports } from './ports.ts'
import { serverLayers } from './secrecy.ts'
import { type Session, sessionOf } from './session.ts'
import { snapshotOf } from './snapshot-of.ts'
import { Sparing } from './sparing.ts'

/** Takes lanes, opens channels to what clients ask for, listens where they ask. */
export async function runServer(settings: ServerSettings, control: Control): Promise<void> {
  await new Server(settings, control).run()
}

class Server {
  readonly #settings: ServerSettings
  readonly #control: Control
  readonly #log: EventLog
  readonly #startedAt = performance.now()
  readonly #budget: Budget
  readonly #conversations: Conversations
  readonly #ports: Ports
  readonly #grants: Grants
  readonly #gatherer: Gatherer
  readonly #sessions = new Map<Session, Promise<void>>() // with its end
  readonly #strangers = new Sparing(performance.now())
  readonly #crowds = new Sparing(performance.now())
  readonly #windows: WindowPool
  readonly #shares: Shares
  #share = 0 // of the session that is about to begin
  #servers: readonly TcpServer[] = []
  #sessionsBegun = 0
  #refused = 0 // connections and lanes

  constructor(settings: ServerSettings, control: Control) {
    this.#settings = settings
    this.#control = control
    this.#log = control.log
    this.#budget = budgetOf(settings)
    this.#windows = new WindowPool(this.#budget.windowBytes)
    this.#shares = new Shares(this.#budget.sessionBytes)
    this.#conversations = new Conversations(settings, this.#budget.channels, this.#log)
    this.#ports = new Ports(settings, this.#log, this.#conversations)
    this.#grants = new Grants(settings, this.#log, this.#conversations, this.#ports)
    this.#gatherer = this.#gather()
  }

  async run(): Promise<void> {
    const { stopping, aborting } = this.#control
    try {
      this.#servers = await this.#listen()
      for (const { address } of this.#servers) {
        this.#log.say('info', 'listening', `${address} for lanes`, { at: address })
      }
      this.#log.say('info', 'budget', this.#budget.sentence)
      await this.#control.show(() => this.#snapshot())
      await signalled(stopping)
      const drained = this.#drain()
      await Promise.race([drained, signalled(aborting)])
    } finally {
      this.#abort()
      await Promise.all(this.#sessions.values())
      await Promise.all(this.#servers.map(server => server.destroy()))
    }
  }

  #gather(): Gatherer {
    const { handshakeTimeoutMs, penaltyMs, maxLanes } = this.#settings
    const layers = serverLayers(this.#settings)
    return gather({
      layers: bytes => {
        const lane = layers(bytes)
        lane.once('error', error => this.#laneFailed(bytes, error))
        return lane
      },
      onSession: (pipe, peer) => this.#session(pipe, peer),
      requireProof: this.#settings.security.by !== 'nothing',
      helloTimeoutMs: handshakeTimeoutMs,
      penaltyMs,
      maxSessions: Infinity, // it says nothing where it refuses, and we do
      maxLanes,
      stripe: () => this.#room(),
    })
  }

  /** What a session is made with that is about to begin; undefined where there is no room for it.
   *  */
  #room() {
    const full = this.#sessions.size >= this.#budget.sessions
    const share = full ? undefined : this.#shares.take(this.#settings.windowBytes)
    if (share !== undefined) {
      this.#share = share
      return stripeLimits(this.#settings, share)
    }
    this.#refused++
    const more = this.#crowds.take(performance.now())
    if (more === undefined) return undefined
    const why = full ? `there are ${this.#budget.sessions} already` : 'no memory is left for it'
    this.#log.say('warning', 'crowded', `a session refused: ${why}${more}`, { reason: why })
    return undefined
  }

  async #listen(): Promise<readonly TcpServer[]> {
    const { keepAliveMs } = this.#settings
    const servers: TcpServer[] = []
    for (const where of this.#settings.listen) {
      try {
        servers.push(
          await listen({ ...where, keepAliveMs }, connection => this.#accept(connection)),
        )
      } catch (error) {
        await Promise.all(servers.map(server => server.destroy()))
        if (!isPipeError(error)) throw error
        throw new Failure(EXIT.cannotStart, explain(error), { cause: error })
      }
    }
    return servers
  }

  get #connections(): number {
    return this.#servers.reduce((sum, { connections }) => sum + connections.size, 0)
  }

  #accept(connection: BytePipe): void {
    if (this.#connections <= this.#budget.connections) return this.#gatherer.accept(connection)
    this.#stranger(connection, `there are ${this.#budget.connections} connections already`)
    abort(connection)
  }

  #laneFailed(bytes: BytePipe, error: Error): void {
    if (!isPipeError(error) || error.code !== 'ERR_PIPE_AUTH') return
    const has = this.#settings.security.by === 'key' ? 'its key is not ours' : error.sentence
    this.#stranger(bytes, `not let in: ${has}`)
  }

  #stranger(connection: BytePipe, why: string): void {
    this.#refused++
    const from = addressOf(connection)?.remote ?? 'somebody'
    const more = this.#strangers.take(performance.now())
    if (more === undefined) return
    this.#log.say('warning', 'stranger', `${from} ${why}${more}`, { from, reason: why })
  }

  #session(pipe: StripePipe, peer: string | undefined): void {
    const share = this.#share
    pipe.once('close', () => this.#shares.give(share))
    if (this.#control.stopping.aborted) {
      pipe.destroy()
      return
    }
    const session = sessionOf(
      pipe,
      mux(pipe, {
        role: 'accept',
        ...muxLimits(this.#settings),
        pool: this.#windows,
        onChannel: channel => void this.#grants.grant(session, channel),
      }),
      peer ?? null,
    )
    this.#sessionsBegun++
    const { name } = session
    const who = peer === undefined ? '' : ` of ${peer}`
    this.#log.say('info', 'session', `session ${name}${who} begins`, { session: name })
    const over = (failure?: PipeError) => {
      this.#sessions.delete(session)
      const how = failure === undefined ? 'ended' : `failed: ${failure.sentence}`
      const level = failure === undefined ? 'info' : 'warning'
      this.#log.say(level, 'session-over', `session ${name} ${how}`, { session: name })
    }
    this.#sessions.set(
      session,
      session.mux.done.then(() => over(), over),
    )
  }

  /** Takes nothing new, and resolves when all that is open has ended. */
  async #drain(): Promise<void> {
    for (const server of this.#servers) void server.close()
    this.#ports.close()
    for (const { mux } of this.#sessions.keys()) void mux.drain().catch(() => undefined) // `over`
    await Promise.all(this.#sessions.values())
  }

  /** Aborts what is left. */
  #abort(): void {
    this.#ports.close()
    for (const { mux } of this.#sessions.keys()) mux.destroy(new Error('the server was stopped'))
    this.#gatherer.destroy()
  }

  #snapshot() {
    const lanes = this.#servers.map(({ address }) => address)
    return snapshotOf({
      settings: this.#settings,
      startedAt: this.#startedAt,
      listening: [...lanes, ...this.#ports.addresses],
      sessions: [...this.#sessions.keys()],
      sessionsBegun: this.#sessionsBegun,
      refused: this.#refused + this.#grants.refused,
      conversations: this.#conversations,
      limits: [
        { name: 'sessions', used: this.#sessions.size, most: this.#budget.sessions },
        { name: 'connections', used: this.#connections, most: this.#budget.connections },
        { name: 'MB of windows', ...inMB(this.#windows) },
        { name: 'MB for sessions', ...inMB(this.#shares) },
      ],
    })
  }
}

function inMB({ takenBytes, bytes }: { takenBytes: number; bytes: number }) {
  return { used: Math.ceil(takenBytes / 1e6), most: Math.floor(bytes / 1e6) }
}

/** Resolves when a signal has been aborted. */
export async function signalled(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve()))
}
