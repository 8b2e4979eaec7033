// The benches, one command each: `npm run bench -- NAME [OPTIONS]`.

import { UsageError } from '../examples/lib/command.ts'
import { codec } from './codec/codec.ts'
import { relay } from './relay/relay.ts'
import { stripe } from './stripe/stripe.ts'
import { tunnel } from './tunnel/tunnel.ts'
import { wan } from './wan/wan.ts'

const HELP = `
npm run bench -- NAME [OPTIONS]

  codec  what a message costs in each layer
  relay  what a bridge between two sockets costs, beside a.pipe(b) and native relays
  stripe what a striping pair costs, beside two naive relays and two HAProxys
  tunnel what the tunnel of examples/tunnel.ts carries, endures and holds
  wan    how well lanes add up: over a network in namespaces, beside kernel MPTCP

Each says more with --help.
`

const BENCHES: Readonly<Record<string, (args: string[]) => Promise<void>>> = {
  codec,
  relay,
  stripe,
  tunnel,
  wan,
}

const [name, ...args] = process.argv.slice(2)
try {
  if (name === undefined || name === '--help' || name === '-h') console.log(HELP.trim())
  else await bench(name)(args)
} catch (error) {
  if (!(error instanceof UsageError)) throw error // the stack says where
  console.error(`bench: ${error.message}; --help says more`)
  process.exitCode = 2
}

function bench(name: string) {
  const known = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined
  if (known) return known
  throw new UsageError(`no bench '${name}', there is ${Object.keys(BENCHES).join(', ')}`)
}
