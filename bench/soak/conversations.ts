// Random conversations through a wiring, for half an hour: small and large, with readers that stop
// now and then, and with either end killed in the middle. What is not killed must come back as it
// was sent. Now and then all is let run out, and each program must then hold what it held the first
// time: descriptors, timers, memory, and none of its recycled chunks. The exit code is 1 where it
// does not.
//
//   client ── relay, proxy or tunnel ── echo

import { createHash, type Hash } from 'node:crypto'
import { connect, listen, parseAddress, type SocketAddress, type TcpPipe } from 'striper'
import { rng, type Rng } from '@striper/testkit/faults'
import { command, numberOption, UsageError } from '../../examples/lib/command.ts'
import { content, send } from '../../examples/lib/content.ts'
import { atRest } from '../lib/look.ts'
import type { Holdings } from '../lib/measured.ts'
import { WIRINGS } from './wirings.ts'

const HELP = `
npx tsx --conditions=@striper/source bench/soak/conversations.ts [--through WIRING] [--seconds S] [--at-once N]
  [--looks N] [--seed N]

Holds random conversations --through relay, proxy or tunnel (relay) for --seconds (1800), --at-once of them at
once (16), and looks at what its programs hold --looks times meanwhile (10), when all are over.
`

const OPTIONS = {
  through: { type: 'string', default: 'relay' },
  seconds: { type: 'string', default: '1800' },
  'at-once': { type: 'string', default: '16' },
  looks: { type: 'string', default: '10' },
  seed: { type: 'string', default: '1' },
} as const

const MIB = 1024 * 1024
const LARGEST_POWER = 23 // 8 MiB
/** What the heap and the process may have grown by from the first look to the last. The garbage
 *  collector gives pages back when it likes. */
const MOST_HEAP_GROWTH_BYTES = 2 * MIB
const MOST_GROWTH_BYTES = 48 * MIB

/** What may happen to a conversation, one as likely as the other. */
const FATES = ['whole', 'whole', 'whole', 'slow', 'client killed', 'server killed'] as const
const NUMBER_BYTES = 4
/** How likely a slow reader stops with each chunk, and for how long at most. */
const STOP_PROBABILITY = 0.1
const LONGEST_STOP_MS = 200

// A signal ends us, and the processes that we started with us.
process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))

await command(HELP, OPTIONS, async options => {
  const seconds = numberOption('seconds', options.seconds, 1, 1e6)
  const atOnce = numberOption('at-once', options['at-once'], 1, 1000)
  const looks = numberOption('looks', options.looks, 2, 1000)
  const wire = Object.hasOwn(WIRINGS, options.through) && WIRINGS[options.through]
  if (!wire) {
    throw new UsageError(`--through is one of ${Object.keys(WIRINGS).join(', ')}`)
  }
  const chance = rng(numberOption('seed', options.seed, 0, 2 ** 31))
  const counts: Record<string, number> = {}
  let bytes = 0

  const echoes = new Map<number, TcpPipe>() // by the number of the conversation
  const server = await listen({ host: '127.0.0.1', port: 0 }, pipe => echo(pipe, echoes))
  const { programs, address } = await wire(server.address)
  const target = parseAddress(address)

  let last = 0
  const converse = async () => {
    const number = ++last
    const fate = chance.pick(FATES)
    const size = NUMBER_BYTES + Math.floor(2 ** (chance.next() * LARGEST_POWER))
    const until = Math.floor(chance.next() * size)
    const killer =
      fate === 'client killed'
        ? (pipe: TcpPipe) => pipe.destroy()
        : fate === 'server killed'
          ? () => echoes.get(number)?.destroy()
          : undefined
    bytes += await hold(
      target,
      { number, size, slow: fate === 'slow', until, killer },
      chance.fork(),
    )
    echoes.delete(number)
    counts[fate] = (counts[fate] ?? 0) + 1
  }
  const seen = programs.map((): Holdings[] => [])
  for (let look = 0; look < looks; look++) {
    const until = performance.now() + (seconds * 1000) / looks
    const worker = async () => {
      while (performance.now() < until) await converse()
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
    console.log(`${(bytes / 1e9).toFixed(2)} GB, ${JSON.stringify(counts)}`)
    for (const [index, program] of programs.entries()) {
      const holdings = await atRest(program)
      seen[index]!.push(holdings)
      console.log(`  ${JSON.stringify(holdings)}`)
    }
  }
  if (!seen.map(holds).every(Boolean)) process.exitCode = 1
  await Promise.all(programs.map(program => program.stop()))
  await server.destroy()
})
process.exit() // with whatever still runs, where something failed

/** Sends back what comes, of a conversation that begins with its number. */
function echo(pipe: TcpPipe, echoes: Map<number, TcpPipe>): void {
  pipe.once('data', (first: Buffer) => {
    if (first.length >= NUMBER_BYTES) echoes.set(first.readUInt32BE(), pipe)
  })
  pipe.pipe(pipe)
}

interface Plan {
  number: number
  /** How many bytes go there and back. */
  size: number
  /** Whether the reader stops now and then. */
  slow: boolean
  /** Kills an end when so many bytes have come back. */
  until: number
  killer: ((client: TcpPipe) => void) | undefined
}

/** Holds one conversation; how many bytes came back. Throws where they are not those sent. */
async function hold(target: SocketAddress, plan: Plan, chance: Rng): Promise<number> {
  const { number, size, slow, until, killer } = plan
  const pipe = connect(target)
  const [sent, came] = [createHash('sha256'), createHash('sha256')]
  let bytes = 0
  pipe.on('data', (chunk: Buffer) => {
    came.update(chunk)
    bytes += chunk.length
    if (bytes >= until) killer?.(pipe)
    if (!slow || !chance.chance(STOP_PROBABILITY)) return
    pipe.pause()
    setTimeout(() => pipe.resume(), chance.integer(1, LONGEST_STOP_MS))
  })
  pipe.on('error', () => undefined) // 'close' tells
  const closed = new Promise(resolve => pipe.once('close', resolve))
  void send(pieces(number, size, sent), pipe)
  await closed
  if (killer) return bytes // whatever came of it
  if (pipe.readableEnded && sent.digest('hex') === came.digest('hex')) return bytes
  throw new Error(
    `conversation ${number} of ${size} bytes did not come back: ${pipe.errored?.message}`,
  )
}

function* pieces(number: number, size: number, hash: Hash): Generator<Buffer> {
  const head = Buffer.alloc(NUMBER_BYTES)
  head.writeUInt32BE(number)
  for (const piece of [head, ...content(size - NUMBER_BYTES, number)]) {
    hash.update(piece)
    yield piece
  }
}

/** Whether each look found what the first found, but for what memory may grow by. */
function holds(seen: readonly Holdings[]): boolean {
  const [first, last] = [seen[0]!, seen.at(-1)!]
  const faults = seen.flatMap(({ descriptors, lentChunks, resources }, look) => [
    ...(descriptors === first.descriptors ? [] : [`look ${look + 1}: ${descriptors} descriptors`]),
    ...(lentChunks === 0 ? [] : [`look ${look + 1}: ${lentChunks} chunks are lent`]),
    ...(JSON.stringify(resources) === JSON.stringify(first.resources)
      ? []
      : [`look ${look + 1}: ${JSON.stringify(resources)}`]),
  ])
  const heap = last.heapBytes - first.heapBytes
  const memory = last.residentBytes - first.residentBytes
  if (heap > MOST_HEAP_GROWTH_BYTES) faults.push(`the heap has grown by ${heap} bytes`)
  if (memory > MOST_GROWTH_BYTES) faults.push(`the process has grown by ${memory} bytes`)
  for (const fault of faults) console.error(`NOT at rest: ${fault}`)
  return faults.length === 0
}
