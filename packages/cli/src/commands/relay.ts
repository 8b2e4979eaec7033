// striper relay: whoever connects here talks to somebody there.

import {
  addressOf,
  bridge,
  type Bridge,
  connect,
  formatAddress,
  isPipeError,
  listen,
} from 'striper'
import type { PipeError, TcpPipe, TcpServer } from 'striper'
import type { Command } from '../command.ts'
import { EXIT, Failure } from '../exit.ts'
import { maxOpenFiles } from '../limits.ts'
import { EventLog, type Level, LOG_OPTIONS } from '../log.ts'
import { flag, noWords, optional, preset, type Values } from '../option.ts'
import { explain, formatBytes, formatRate, formatTime, onStop, Rate } from '../terminal.ts'
import { printable, Screen, table } from '../terminal.ts'
import { address, count, destination, keepAlive, someTime, time } from '../values.ts'

const OPTIONS = {
  listen: preset('ADDRESS', address, '0.0.0.0:55555', 'where to listen'),
  to: preset('ADDRESS', destination, '127.0.0.1:22', 'whom to connect to'),
  'connect-timeout': preset('TIME', someTime, '15s', 'how long the target may take to answer'),
  'keep-alive': preset(
    'TIME',
    keepAlive,
    '60s',
    'how long a connection may be silent before the system asks if its other end is there',
  ),
  'idle-timeout': preset('TIME', time, '1h', 'how long a conversation may be silent'),
  'half-open-timeout': preset(
    'TIME',
    time,
    '5m',
    'the same, once one side has ended; the shorter counts',
  ),
  'max-connections': optional(
    'N',
    count(1, 1_000_000),
    'conversations at once (10000, or a quarter of the files it may open)',
  ),
  'reuse-port': flag('share the port with other relays that say this; needs Node.js 22.12'),
  ...LOG_OPTIONS,
}

const DRAW_MS = 500

export const relay: Command<typeof OPTIONS> = {
  name: 'relay',
  summary: 'listen here, and connect each connection to somebody there',
  usage: ['relay [--listen ADDRESS] [--to ADDRESS] [options]'],
  text: `
Listens, and relays each connection to a connection of its own to the target, any number at once. An
ADDRESS is HOST:PORT, [V6]:PORT, :PORT, or the path of a Unix socket. Whoever can reach the first address
can reach the target: give --listen 127.0.0.1:55555 to keep it to this machine.

An end of either side is passed on by itself, so "send, close, wait for the answer" works. A reset, or a
target that refuses, resets the other side, so half a transfer never looks like a whole one. A side that
reads slowly slows the other down, and nothing is stored here.

On a terminal there is a line for each direction of each conversation: what has passed, how fast, how
often and how long a sender had to wait for a reader ("congested"), and whether it flows, waits or has
ended. Each conversation prints a line as it opens, and one with its figures as it ends.

The first ctrl-C (or SIGTERM) listens no more and waits for the conversations; the second aborts them.

  striper relay --listen :8080 --to example.org:80
`,
  options: OPTIONS,
  file: true,
  run: (values, words) => new Relay(values, words).run(),
}

class Relay {
  readonly #values: Values<typeof OPTIONS>
  readonly #log: EventLog
  readonly #open = new Map<Bridge, () => string[][]>()
  #count = 0
  #bytes = 0

  constructor(values: Values<typeof OPTIONS>, words: readonly string[]) {
    noWords(words)
    this.#values = values
    this.#log = new EventLog(values, new Screen(process.stderr))
  }

  async run(): Promise<void> {
    const { listen: where, to, 'max-connections': most, 'keep-alive': keepAliveMs } = this.#values
    const maxConnections = most ?? Math.min(10_000, maxOpenFiles() >> 2)
    const options = { maxConnections, keepAliveMs, reusePort: this.#values['reuse-port'] }
    let server: TcpServer
    try {
      server = await listen({ ...where, ...options }, client => this.#relay(client))
    } catch (error) {
      if (!isPipeError(error)) throw error
      throw new Failure(EXIT.cannotStart, explain(error), { cause: error })
    }
    const closed = new Promise<void>(resolve => {
      const gently = () => {
        void server.close().then(resolve)
        const left = this.#open.size
        const rest = left === 0 ? '' : `; ${left} still open, once more to abort them`
        this.#log.say('info', 'stopping', `listening no more${rest}`, { open: left })
      }
      const atOnce = () => {
        const reason = new Error('the relay was stopped')
        for (const conversation of this.#open.keys()) conversation.destroy(reason)
      }
      onStop(gently, atOnce)
    })
    const ticker = setInterval(() => this.#draw(), DRAW_MS)
    const [at, target] = [server.address, formatAddress(to)]
    this.#log.say('info', 'listening', `${at} to ${target}, ctrl-C to stop`, { at, to: target })
    await closed
    // What was aborted has its say before the last line.
    await Promise.allSettled([...this.#open.keys()].map(each => each.done))
    clearInterval(ticker)
    this.#log.draw([])
    const conversations = `${this.#count} conversation${this.#count === 1 ? '' : 's'}`
    const all = `${conversations}, ${formatBytes(this.#bytes)} in all`
    this.#log.say('info', 'stopped', all, { conversations: this.#count, bytes: this.#bytes })
  }

  /** One conversation, from its first byte to its figures. */
  #relay(client: TcpPipe): void {
    const {
      to,
      'connect-timeout': connectTimeoutMs,
      'keep-alive': keepAliveMs,
      'idle-timeout': idleTimeoutMs,
      'half-open-timeout': halfOpenTimeoutMs,
    } = this.#values
    const opened = performance.now()
    const peer = addressOf(client)?.remote || 'somebody' // a Unix socket's client has no name
    const target = connect({ ...to, connectTimeoutMs, keepAliveMs })
    const conversation = bridge(client, target, { idleTimeoutMs, halfOpenTimeoutMs })
    this.#open.set(conversation, legRows(peer, conversation, client, target))
    this.#count++
    this.#log.say('info', 'opened', `${peer} connected`, { peer })

    const over = (level: Level, event: string, how: string, reason?: string) => {
      const { left, right } = conversation
      const ms = Math.round(performance.now() - opened)
      const congestions = left.congestions + right.congestions
      const bytes = `${formatBytes(left.bytes)} up, ${formatBytes(right.bytes)} down`
      const sentence = `${peer} ${how}; ${bytes} in ${formatTime(ms)}, congested ${congestions} times`
      this.#open.delete(conversation)
      this.#bytes += left.bytes + right.bytes
      const fields = { peer, up: left.bytes, down: right.bytes, ms, congestions }
      this.#log.say(level, event, sentence, reason === undefined ? fields : { ...fields, reason })
    }
    const failed = ({ label, sentence }: PipeError) => {
      const who = { [client.label]: 'client: ', [target.label]: 'target: ' }[label] ?? ''
      over('warning', 'failed', `failed: ${who}${sentence}`, who + sentence)
    }
    conversation.done.then(() => over('info', 'ended', 'ended'), failed)
  }

  #draw(): void {
    const titles = ['conversation', '', 'bytes', 'rate', 'congested', 'for', '']
    const rows = [...this.#open.values()].flatMap(each => each())
    this.#log.draw(rows.length === 0 ? [] : table([titles, ...rows]))
  }
}

/** The live lines of one conversation: one for each leg. */
function legRows(peer: string, { left, right }: Bridge, client: TcpPipe, target: TcpPipe) {
  const legs = [
    { name: printable(peer), way: 'up', stats: left, source: client, sink: target },
    { name: '', way: 'down', stats: right, source: target, sink: client },
  ].map(leg => ({ ...leg, rate: new Rate() }))
  return () =>
    legs.map(({ name, way, stats, source, sink, rate }) => [
      name,
      way,
      formatBytes(stats.bytes),
      formatRate(rate.next(stats.bytes)),
      `${stats.congestions} ×`,
      formatTime(stats.congestedMs),
      stateOf(source, sink),
    ])
}

/** What a leg does just now, in a word. */
function stateOf(source: TcpPipe, sink: TcpPipe): string {
  if (source.readableEnded) return 'ended'
  if (source.pending || sink.pending) return 'opens'
  return sink.writableNeedDrain ? 'waits' : 'flows'
}
