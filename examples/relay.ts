// A TCP relay: whoever connects here talks to somebody there. Each conversation is a bridge between
// two pipes; the rest of this file is arguments, a table to look at, and a decent way to stop.

import {
  formatBytes,
  formatRate,
  formatTime,
  onStop,
  Rate,
  Screen,
  table,
} from '@striper/cli/terminal'
import { addressOf, bridge, type Bridge, connect, listen, type PipeError } from 'striper'
import { addressOption, command } from './lib/command.ts'

const HELP = `
relay [--listen ADDRESS] [--to ADDRESS]

Listens, and relays each connection to a connection of its own to the target, any number at once.

  --listen ADDRESS  where to listen (0.0.0.0:55555)
  --to ADDRESS      whom to connect to (127.0.0.1:22)
  --help            this text

An ADDRESS is HOST:PORT, [V6]:PORT, :PORT, or the path of a Unix socket. Whoever can reach the first
address can reach the target: give --listen 127.0.0.1:55555 to keep it to this machine.

An end of either side is passed on by itself, so "send, close, wait for the answer" works. A reset,
or a target that refuses, resets the other side, so half a transfer never looks like a whole one. A
side that reads slowly slows the other down, and nothing is stored here: "congested" says how often
and how long a sender had to wait for that. A conversation that is closed one way and silent the
other for ten minutes is aborted.

On a terminal a table shows the conversations; elsewhere each prints a line as it opens and one as
it ends. The first ctrl-C (or SIGTERM) listens no more and waits for the conversations; the second
aborts them, exit code 130 (143). Exit code 1: it could not listen. 2: the command line is wrong.

  npm run relay -- --listen :8080 --to example.org:80
  curl -H 'Host: example.org' http://127.0.0.1:8080/
`

const OPTIONS = {
  listen: { type: 'string', default: '0.0.0.0:55555' },
  to: { type: 'string', default: '127.0.0.1:22' },
} as const

/** The live line of one conversation. */
function row(peer: string, { left, right }: Bridge): () => string[] {
  const [up, down] = [new Rate(), new Rate()]
  return () => [
    peer,
    formatBytes(left.bytes),
    formatRate(up.next(left.bytes)),
    formatBytes(right.bytes),
    formatRate(down.next(right.bytes)),
    `${left.congestions + right.congestions} × ${formatTime(left.congestedMs + right.congestedMs)}`,
  ]
}

await command(HELP, OPTIONS, async options => {
  const target = addressOption('to', options.to)
  const screen = new Screen()
  const conversations = new Map<Bridge, () => string[]>()

  const server = await listen(addressOption('listen', options.listen), client => {
    const opened = performance.now()
    const peer = addressOf(client)?.remote ?? client.label
    const onward = connect(target)
    const conversation = bridge(client, onward, { halfOpenTimeoutMs: 600_000 })
    conversations.set(conversation, row(peer, conversation))
    if (!screen.live) screen.log(`${peer} connected`)

    const over = (how: string) => {
      const { left, right } = conversation
      const bytes = `${formatBytes(left.bytes)} up, ${formatBytes(right.bytes)} down`
      const congestions = left.congestions + right.congestions
      const after = formatTime(performance.now() - opened)
      conversations.delete(conversation)
      screen.log(`${peer} ${how}; ${bytes} in ${after}, ${congestions} × congested`)
    }
    const failed = ({ label, sentence }: PipeError) => {
      const who = { [client.label]: 'client: ', [onward.label]: 'target: ' }[label] ?? ''
      over(`failed: ${who}${sentence}`)
    }
    conversation.done.then(() => over('ended'), failed)
  })

  const stopped = new Promise<void>(resolve => {
    const gently = () => {
      void server.close().then(resolve)
      const left = conversations.size
      const rest = left === 0 ? '' : `; ${left} still open, once more to abort them`
      screen.log(`relay: listening no more${rest}`)
    }
    const atOnce = () => {
      const reason = new Error('the relay was stopped')
      for (const conversation of conversations.keys()) conversation.destroy(reason)
    }
    onStop(gently, atOnce)
  })
  const draw = () => {
    const titles = ['peer', 'up', 'rate', 'down', 'rate', 'congested']
    const rows = [...conversations.values()].map(each => each())
    screen.draw(rows.length === 0 ? [] : table([titles, ...rows]))
  }
  const ticker = setInterval(draw, 500)
  screen.log(`relay: ${server.address} to ${options.to}, ctrl-C to stop`)
  await stopped
  clearInterval(ticker)
  screen.draw([])
})
