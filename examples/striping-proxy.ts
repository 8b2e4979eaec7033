// A striping proxy: one TCP connection goes over many. The entry takes a connection and opens
// several to the exit, which puts the bytes together again and talks to the target. `enter` and
// `leave` are the proxy; the rest is arguments, a line for each conversation, and a decent way to
// stop.

import { isIP } from 'node:net'
import { formatBytes, formatTime, onStop, Screen } from '@striper/cli/terminal'
import type { Bridge, BytePipe, Layer, MessagePipe, PipeError, StripePipe } from 'striper'
import {
  addressOf,
  bridge,
  connect,
  frame,
  gather,
  listen,
  reassemble,
  stack,
  trunk,
} from 'striper'
import { addressOption, command, numberOption, UsageError } from './lib/command.ts'

const HELP = `
striping-proxy --role exit  --listen ADDRESS --to ADDRESS
striping-proxy --role entry --listen ADDRESS --to ADDRESS [--lanes N] [--bind IP]...

Makes one TCP connection as fast as many. Start an exit near the target and an entry near the client, let
the entry's --to be where the exit listens, and connect to the entry as if it were the target.

  --role entry      take connections, and stripe each over lanes of its own to an exit
  --role exit       take lanes, and make one connection to the target of each bundle
  --listen ADDRESS  where to listen
  --to ADDRESS      the entry: its exit; the exit: the target
  --lanes N         the entry: lanes from each local address (4); 32 in all, at most
  --bind IP         the entry: a local address to dial from, of this machine; may be given often
  --help            this text

An ADDRESS is HOST:PORT, [V6]:PORT, :PORT, or the path of a Unix socket.

What goes between entry and exit is plain text, and whoever can reach the exit's port can reach its target:
use it where you trust the network, or through one you do (a VPN, ssh).

A lane that is lost is dialled again, and no byte is lost with it. A target that refuses, a reset of
either side, or a minute without any lane resets the other side, so half a transfer never looks like a whole
one. A conversation that is closed one way and silent the other for ten minutes is aborted.

Each conversation prints a line as it opens and as it ends; DEBUG=striper:* says much more. The first
ctrl-C (or SIGTERM) listens no more, for lanes neither, and waits for the conversations; the second aborts
them, exit code 130 (143). Exit code 1 says that it could not listen, 2 that the command line is wrong.

  npm run striping-proxy -- --role exit  --listen :7000 --to 127.0.0.1:80
  npm run striping-proxy -- --role entry --listen 127.0.0.1:8080 --to exit.example:7000 --lanes 8
`

const OPTIONS = {
  role: { type: 'string' },
  listen: { type: 'string' },
  to: { type: 'string' },
  lanes: { type: 'string', default: '4' },
  bind: { type: 'string', multiple: true, default: [] as string[] },
} as const

/** How long a conversation that is closed one way may be silent the other. */
const halfOpenTimeoutMs = 600_000

await command(HELP, OPTIONS, async ({ role, listen: listenAt = '', to = '', lanes, bind }) => {
  if (role !== 'entry' && role !== 'exit') throw new UsageError(`--role is 'entry' or 'exit'`)
  const target = addressOption('to', to)
  const wrong = bind.find(address => isIP(address) === 0)
  if (wrong !== undefined) throw new UsageError(`--bind: '${wrong}' is not an IP address`)
  const locals = bind.length > 0 ? bind.map(localAddress => ({ localAddress })) : [{}]
  const each = numberOption('lanes', lanes, 1, Math.floor(32 / locals.length))
  const [near, far] = role === 'entry' ? ['client', 'exit'] : ['entry', 'target']
  // Now, and not when a client waits: is each an address of this machine?
  for (const host of bind) await (await listen({ host, port: 0 }, pipe => pipe.destroy())).close()

  const screen = new Screen()
  const conversations = new Set<Bridge>()

  /** Each connection of a client: lanes to the exit, and one stream on them. */
  const enter = (client: BytePipe) => {
    const dials = locals.flatMap(local =>
      Array.from({ length: each }, () => (greet: Layer) => {
        return stack(connect({ ...target, ...local }), greet, frame())
      }),
    )
    const session = trunk({ lanes: dials })
    const peer = addressOf(client)?.remote ?? client.label
    converse(peer, session, client, stack(session, reassemble()))
  }

  /** Each bundle of lanes that comes: one stream on them, and a connection to the target. */
  const leave = (session: StripePipe) => {
    const peer = `session ${session.session.toString('hex', 0, 4)}`
    converse(peer, session, stack(session, reassemble()), connect(target))
  }

  const converse = (peer: string, session: StripePipe, left: BytePipe, right: BytePipe) => {
    const opened = performance.now()
    const conversation = bridge(left, right, { halfOpenTimeoutMs })
    const lost: MessagePipe[] = []
    session.on('laneDown', (lane: MessagePipe) => lost.push(lane))
    conversations.add(conversation)
    screen.log(`${peer} opened`)

    const over = (how: string) => {
      conversations.delete(conversation)
      const up = formatBytes(conversation.left.bytes)
      const down = formatBytes(conversation.right.bytes)
      const after = formatTime(performance.now() - opened)
      screen.log(`${peer} ${how}; ${up} up, ${down} down in ${after}, ${lost.length} lanes lost`)
    }
    const failed = ({ code, label, sentence }: PipeError) => {
      const who = { [left.label]: `${near}: `, [right.label]: `${far}: ` }[label] ?? ''
      const last = code === 'ERR_PIPE_NO_LANES' ? lost.at(-1)?.errored?.message : undefined
      over(`failed: ${who}${sentence}${last === undefined ? '' : `, the last: ${last}`}`)
    }
    conversation.done.then(() => over('ended'), failed)
  }

  const gatherer = gather({ layers: bytes => stack(bytes, frame()), onSession: leave })
  const accept = role === 'entry' ? enter : (lane: BytePipe) => gatherer.accept(lane)
  const server = await listen(addressOption('listen', listenAt), accept)
  const stopped = new Promise<void>(resolve => {
    const gently = () => {
      const left = `${conversations.size} conversations left`
      screen.log(`striping-proxy: listening no more, ${left}; once more to abort them`)
      void server.close().then(resolve)
    }
    const atOnce = () => {
      for (const conversation of conversations) conversation.destroy()
      gatherer.destroy()
    }
    onStop(gently, atOnce)
  })
  screen.log(`striping-proxy ${role}: ${server.address} to ${to}, ctrl-C to stop`)
  await stopped
})
