// The running client: takes connections here and has the server make them, and the reverse.
//
//   -L  connection here ─▶ channel: connect HOST:PORT ─▶ the server's
//   -R  channel: listen PORT ─▶ the server listens ─▶ channel: accepted ─▶ connection from here

import { abort, addressOf, type Channel, formatAddress, isPipeError, listen } from 'striper'
import type { BytePipe, TcpServer } from 'striper'
import { EXIT, Failure } from '../exit.ts'
import type { EventLog } from '../log.ts'
import { decodeRequest, encodeRequest } from '../pure/request.ts'
import type { Control } from '../service.ts'
import type { ClientSettings } from '../settings.ts'
import { explain } from '../terminal.ts'
import type { Forward } from '../values.ts'
import { channelsOf } from './budget.ts'
import { Conversations } from './conversations.ts'
import { Link } from './link.ts'
import { reach, whyNot } from './reach.ts'
import { Reverse } from './reverse.ts'
import { signalled } from './server.ts'
import type { Session } from './session.ts'
import { snapshotOf } from './snapshot-of.ts'

/** Keeps lanes up to a server, and forwards connections over them, both ways. */
export async function runClient(settings: ClientSettings, control: Control): Promise<void> {
  await new Client(settings, control).run()
}

class Client {
  readonly #settings: ClientSettings
  readonly #control: Control
  readonly #log: EventLog
  readonly #startedAt = performance.now()
  readonly #conversations: Conversations
  readonly #link: Link
  readonly #reverse: Reverse
  #servers: readonly TcpServer[] = []
  #refused = 0

  constructor(settings: ClientSettings, control: Control) {
    this.#settings = settings
    this.#control = control
    this.#log = control.log
    this.#conversations = new Conversations(settings, channelsOf(settings), this.#log)
    this.#link = new Link(settings, this.#log, {
      up: session => this.#reverse.ask(session),
      channel: (session, channel) => void this.#accepted(session, channel),
    })
    this.#reverse = new Reverse(settings.reverses, this.#log, session =>
      this.#link.replace(session),
    )
  }

  async run(): Promise<void> {
    const { stopping, aborting } = this.#control
    try {
      this.#servers = await this.#listen()
      this.#link.begin()
      await this.#control.show(() => this.#snapshot())
      await Promise.race([signalled(stopping), this.#link.notLetIn])
      for (const server of this.#servers) void server.close()
      this.#reverse.close()
      await Promise.race([this.#link.drain(), signalled(aborting)])
    } finally {
      await this.#link.destroy()
      await Promise.all(this.#servers.map(server => server.destroy()))
    }
  }

  async #listen(): Promise<readonly TcpServer[]> {
    const servers: TcpServer[] = []
    for (const forward of this.#settings.forwards) {
      const { host, port } = forward.listen
      try {
        const { keepAliveMs } = this.#settings
        const where = host === '' ? { port } : { host, port }
        const server = await listen(
          { ...where, keepAliveMs },
          client => void this.#forward(forward, client),
        )
        servers.push(server)
        const [at, to] = [server.address, formatAddress(forward.target)]
        this.#log.say('info', 'listening', `${at} to ${to}, made by the server`, { at, to })
      } catch (error) {
        await Promise.all(servers.map(server => server.destroy()))
        if (!isPipeError(error)) throw error
        throw new Failure(EXIT.cannotStart, explain(error), { cause: error })
      }
    }
    return servers
  }

  /** -L: a connection came. It is not read while there is no session for it. */
  async #forward({ target }: Forward, client: BytePipe): Promise<void> {
    const parties = { from: addressOf(client)?.remote ?? 'somebody', to: formatAddress(target) }
    try {
      // Who waits for a session has a socket already, and will have a channel.
      const { size, most } = this.#conversations
      if (size + this.#link.waiting >= most) throw new Error(`there are ${most} channels open`)
      const session = await this.#link.session()
      if (client.destroyed) return
      const header = encodeRequest({ what: 'connect', forward: 0, ...target })
      const channel = session.mux.open({ header })
      this.#conversations.begin(session, channel, parties)
      this.#conversations.talk(channel, client, parties)
    } catch (error) {
      this.#refused++
      const why = isPipeError(error) ? error.sentence : (error as Error).message
      const sentence = `${parties.from} to ${parties.to} is reset: ${why}`
      this.#log.say('warning', 'refused', sentence, { ...parties, reason: why })
      abort(client)
    }
  }

  /** -R: somebody came to the server. */
  async #accepted(session: Session, channel: Channel): Promise<void> {
    const refuse = (why: string) => {
      this.#refused++
      this.#log.say('warning', 'refused', `a connection from the server refused: ${why}`)
      channel.refuse(why)
    }
    let request
    try {
      request = decodeRequest(channel.header)
    } catch (error) {
      refuse((error as Error).message)
      return
    }
    const forward = this.#settings.reverses[request.forward]
    if (request.what !== 'accepted' || !forward) {
      refuse('it was not asked for')
      return
    }
    if (this.#conversations.full) {
      refuse('the client has as many channels as it may')
      return
    }
    const { host, port } = forward.target
    const parties = { from: formatAddress(request), to: formatAddress(forward.target) }
    this.#conversations.begin(session, channel, parties)
    channel.read(0) // it is in use, and no longer in the backlog
    try {
      const target = await reach(channel, [host], port, this.#settings)
      this.#conversations.talk(channel, target, parties)
    } catch (error) {
      if (!channel.destroyed) refuse(`${parties.from}: ${whyNot(error)}`)
    }
  }

  #snapshot() {
    const local = this.#servers.map(({ address }) => address)
    return snapshotOf({
      settings: this.#settings,
      startedAt: this.#startedAt,
      listening: [...local, ...this.#reverse.listening],
      sessions: this.#link.sessions,
      sessionsBegun: this.#link.begun,
      refused: this.#refused,
      conversations: this.#conversations,
      limits: [{ name: 'waiting', used: this.#link.waiting, most: 256 }],
    })
  }
}
