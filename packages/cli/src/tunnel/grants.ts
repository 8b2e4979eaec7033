// Grants: what a server does for a client that asks: connects to somebody, or listens for it.
//
//   channel ─▶ its header ─┬─ connect ─▶ resolve once ─▶ mayConnect ─▶ dial what was judged ─▶ talk
//                          └─ listen ──▶ mayListen ─▶ ports.ts
//
// Whatever is refused is refused with the reason, which both ends have in their logs.

import { lookup } from 'node:dns/promises'
import { addressOf, type Channel, formatAddress } from 'striper'
import type { EventLog } from '../log.ts'
import { mayConnect } from '../pure/allow.ts'
import { parseIp } from '../pure/ip.ts'
import { decodeRequest, type Request } from '../pure/request.ts'
import type { ServerSettings } from '../settings.ts'
import type { Conversations } from './conversations.ts'
import type { Ports } from './ports.ts'
import { reach, whyNot } from './reach.ts'
import type { Session } from './session.ts'

/** The IP addresses of a name. */
export type Resolve = (host: string) => Promise<readonly string[]>

const system: Resolve = async host => (await lookup(host, { all: true })).map(each => each.address)

/** Those of a server. */
export class Grants {
  readonly #settings: ServerSettings
  readonly #log: EventLog
  readonly #conversations: Conversations
  readonly #ports: Ports
  readonly #resolve: Resolve
  /** Channels that were refused. */
  refused = 0

  constructor(
    settings: ServerSettings,
    log: EventLog,
    conversations: Conversations,
    ports: Ports,
    resolve: Resolve = system,
  ) {
    this.#settings = settings
    this.#log = log
    this.#conversations = conversations
    this.#ports = ports
    this.#resolve = resolve
  }

  /** Does what a channel asks for, or refuses it. */
  async grant(session: Session, channel: Channel): Promise<void> {
    let request: Request
    try {
      request = decodeRequest(channel.header)
    } catch (error) {
      this.#refuse(session, channel, 'a channel', (error as Error).message)
      return
    }
    if (request.what === 'connect') return this.#connect(session, channel, request)
    if (request.what === 'listen') {
      const why = await this.#ports.open(session, channel, request)
      if (why !== undefined) this.#refuse(session, channel, nameOf(request), why)
      return
    }
    this.#refuse(session, channel, nameOf(request), 'a client connects, and does not accept')
  }

  async #connect(session: Session, channel: Channel, request: Request): Promise<void> {
    const { host, port } = request
    const to = formatAddress({ host, port })
    const conversations = this.#conversations
    const refuse = (why: string) => this.#refuse(session, channel, to, why)
    if (conversations.full) {
      refuse(`the server has ${conversations.most} channels open`)
      return
    }
    const parties = { from: fromOf(session), to }
    conversations.begin(session, channel, parties)
    // Once, and every address is judged: what is dialled is one of these, and not the name again.
    let addresses: readonly string[] = []
    try {
      if (parseIp(host) === undefined) addresses = await this.#resolve(host)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      refuse(`${host} does not resolve: ${code ?? message}`)
      return
    }
    const verdict = mayConnect(this.#settings.allow, request, addresses)
    if (!verdict.allowed) {
      refuse(verdict.why)
      return
    }
    if (channel.destroyed) return
    channel.read(0) // it is in use, and no longer in the backlog
    try {
      const target = await reach(channel, verdict.dial, port, this.#settings)
      conversations.talk(channel, target, parties)
    } catch (error) {
      refuse(whyNot(error))
    }
  }

  #refuse(session: Session, channel: Channel, what: string, why: string): void {
    if (channel.destroyed) return // its opener has gone meanwhile
    this.refused++
    const from = fromOf(session)
    const fields = { from, to: what, reason: why }
    this.#log.say('warning', 'refused', `${from} to ${what} refused: ${why}`, fields)
    channel.refuse(why)
  }
}

/** Who asks, in words: the session, and an address that one of its lanes comes from. */
function fromOf({ name, pipe }: Session): string {
  const lane = pipe.below.find(each => addressOf(each)?.remote !== undefined)
  const remote = lane && addressOf(lane)?.remote
  return remote ? `session ${name} (${remote})` : `session ${name}`
}

function nameOf({ what, host, port }: Request): string {
  return `${what} ${formatAddress({ host, port })}`
}
