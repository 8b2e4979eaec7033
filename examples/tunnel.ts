// A tunnel: a connection to a port here comes out there, to a target that the far end allows. All
// of them are channels of one trunk, whose lanes only who has the key can open. `enter` and `leave`
// are the tunnel; the rest is arguments, a line for what happens, and a decent way to stop.

import { readFileSync, writeFileSync } from 'node:fs'
import { onStop, Screen } from '@striper/cli/terminal'
import type { BytePipe, Channel, Mux, PipeError, StripePipe, TcpServer } from 'striper'
import { bridge, connect, frame, gather, lanePolicy, listen, mux, newSecret } from 'striper'
import { parseAddress, parsePlace, parseSecret, stack, tlsClient, tlsServer, trunk } from 'striper'
import { addressOption, command, UsageError } from './lib/command.ts'

const HELP = `
tunnel --role key    --key FILE
tunnel --role server --key FILE --listen ADDRESS --allow HOST:PORT...
tunnel --role client --key FILE --to HOST:PORT [--bind PLACE]... -L [BIND:]PORT:HOST:PORT...

Carries TCP connections from here to there, each striped over lanes that all of them share. Nobody gets in
without the key, and nowhere but to what is allowed.

  --role key      write a new secret to FILE, which only its owner can read; copy it to the other end
  --role server   the far end: take lanes, and connect to the targets that are allowed
  --role client   the near end: listen, and carry each connection to the far end's target
  --key FILE      the secret
  --listen        where the server listens for lanes
  --allow         a target that clients may ask for; as they write it, name or number
  --to            the client's server
  --bind PLACE    where lanes leave from: ADDRESS|INTERFACE[*N][,weight=][,backup][,budget=]; without
                  it 4 lanes from wherever the system likes
  -L, --local     where to listen (127.0.0.1 unless it says BIND), and the target to ask for
  --help          this text

The first ctrl-C (or SIGTERM) takes nothing new and waits; the second aborts, exit code 130 (143). Exit
code 1 says that it could not listen, 2 that the command line is wrong.

  npm run tunnel -- --role key --key tunnel.key
  npm run tunnel -- --role server --key tunnel.key --listen :7000 --allow 127.0.0.1:80
  npm run tunnel -- --role client --key tunnel.key --to exit.example:7000 -L 8080:127.0.0.1:80
`

const OPTIONS = {
  role: { type: 'string' },
  key: { type: 'string' },
  listen: { type: 'string', default: '' },
  allow: { type: 'string', multiple: true, default: [] as string[] },
  to: { type: 'string', default: '' },
  bind: { type: 'string', multiple: true, default: [] as string[] },
  local: { type: 'string', short: 'L', multiple: true, default: [] as string[] },
} as const

/** How long a conversation that is closed one way may be silent the other. */
const halfOpenTimeoutMs = 600_000
const FORWARD = /^((?:\[[^\]]+\]|[^:[\]]+):)?(\d+):((?:\[[^\]]+\]|[^:[\]]+):\d+)$/

await command(HELP, OPTIONS, async ({ role, key: file, allow, bind, local, ...where }) => {
  if (file === undefined) throw new UsageError('--key: whose secret?')
  const screen = new Screen()
  const muxes = new Set<Mux>()
  const keep = (each: Mux) => {
    const over = () => muxes.delete(each)
    muxes.add(each)
    each.done.then(over, over)
    return each
  }
  const converse = (left: BytePipe, right: BytePipe) => {
    const failed = ({ message }: PipeError) => screen.log(`failed: ${message}`)
    bridge(left, right, { halfOpenTimeoutMs }).done.catch(failed)
  }

  /** A session of a client: each of its channels to the target that it names. */
  const leave = (session: StripePipe, peer = '') => {
    screen.log(`session ${session.session.toString('hex', 0, 4)} of ${peer}`)
    const onChannel = (channel: Channel) => {
      const target = channel.header.toString()
      if (allow.includes(target)) converse(channel, connect(parseAddress(target)))
      else channel.refuse('that is not allowed here')
    }
    keep(mux(session, { role: 'accept', onChannel }))
  }

  /** A connection of a program here: a channel of the trunk, or of a new one. */
  let channels: Mux | undefined
  const enter = (policy: ReturnType<typeof lanePolicy>, target: string, client: BytePipe) => {
    if (!channels || channels.draining) {
      channels = keep(mux(trunk({ lanes: policy }), { role: 'dial' }))
    }
    converse(client, channels.open({ header: Buffer.from(target) }))
  }

  const listening: TcpServer[] = []
  const keys = role === 'key' ? newSecret() : readSecret(file)
  const layers = (bytes: BytePipe) => stack(bytes, tlsServer({ keys }), frame())
  const gatherer = gather({ layers, requireProof: true, onSession: leave })
  const atOnce = () => {
    for (const each of muxes) each.destroy()
    for (const each of listening) void each.destroy()
    gatherer.destroy()
  }
  const stopped = new Promise<void>(resolve => {
    const gently = () => {
      const closed = listening.map(each => each.close())
      const drained = Promise.allSettled([...muxes].map(each => each.drain()))
      screen.log('tunnel: takes nothing new; once more to abort what is open')
      void drained.then(() => gatherer.destroy()) // who has not said who he is
      void Promise.all([drained, ...closed]).then(() => resolve())
    }
    onStop(gently, atOnce) // before anything says that it is there
  })
  if (role === 'key') {
    writeFileSync(file, `${keys.reveal()}\n`, { flag: 'wx', mode: 0o600 })
    screen.log(`${file} has the secret ${keys.id}`)
    return
  } else if (role === 'server') {
    for (const each of allow) addressOption('allow', each)
    const address = addressOption('listen', where.listen)
    const server = await listen(address, lane => gatherer.accept(lane))
    screen.log(`tunnel server: ${server.address} to ${allow.join(', ') || 'nobody'}`)
    listening.push(server)
  } else if (role === 'client') {
    const secrecy = tlsClient({ key: keys })
    const to = addressOption('to', where.to)
    if (!('port' in to)) throw new UsageError('--to is HOST:PORT')
    const policy = lanePolicy({
      from: bind.map(parsePlace),
      to: [{ host: 'localhost', ...to }],
      dial: (greet, way) => stack(connect(way), greet, secrecy, frame()),
    })
    for (const each of local) {
      const [, host = '127.0.0.1:', port = '', target] = FORWARD.exec(each) ?? []
      if (target === undefined) throw new UsageError(`-L: '${each}' is not [BIND:]PORT:HOST:PORT`)
      const address = addressOption('local', `${host}${port}`)
      const server = await listen(address, client => enter(policy, target, client))
      screen.log(`tunnel client: ${server.address} to ${target}, ctrl-C to stop`)
      listening.push(server)
    }
  } else {
    throw new UsageError(`--role is 'key', 'server' or 'client'`)
  }

  await stopped
})

function readSecret(file: string) {
  try {
    return parseSecret(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new UsageError(`--key: ${(error as Error).message}`, { cause: error })
  }
}
