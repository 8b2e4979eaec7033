// Thousands of short conversations through the relay and through the striping proxy. Then each
// process must hold what it held before: descriptors, timers, sockets, heap. Exit code 1 where one
// does not.
//
// Every tenth conversation is reset by its client half-way, the others end with a late answer.

import { formatTime } from '@striper/cli/terminal'
import { connect, listen, parseAddress, type SocketAddress } from 'striper'
import { command, numberOption } from '../../examples/lib/command.ts'
import { content } from '../../examples/lib/content.ts'
import { Program } from '../../examples/lib/program.ts'
import { atRest } from '../lib/look.ts'
import type { Holdings } from '../lib/measured.ts'

const HELP = `
npx tsx --conditions=@striper/source bench/soak/short.ts [--count N] [--at-once N] [--lanes N]

Holds --count conversations (10000), --at-once of them at once (20), through the relay, and as many through a
striping proxy of --lanes lanes (4).
`

const OPTIONS = {
  count: { type: 'string', default: '10000' },
  'at-once': { type: 'string', default: '20' },
  lanes: { type: 'string', default: '4' },
} as const

/** Conversations before the first look: code is compiled, and caches fill, with the first ones. */
const WARM_UP = 500
/** What the heap may have grown by in all, for caches, and for each conversation, in bytes. The
 *  exit remembers the ids of sessions that are over for a minute, which takes about 150 for
 *  each. */
const MOST_GROWTH_BYTES = 1024 * 1024
const MOST_GROWTH_EACH_BYTES = 400

// A signal ends us, and the processes that we started with us.
process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))

await command(HELP, OPTIONS, async options => {
  const count = numberOption('count', options.count, 1, 1e7)
  const atOnce = numberOption('at-once', options['at-once'], 1, 1000)
  const server = await listen({ host: '127.0.0.1', port: 0 }, pipe => {
    const question: Buffer[] = []
    pipe.on('data', (chunk: Buffer) => question.push(chunk))
    pipe.on('end', () => pipe.end(Buffer.concat(question)))
  })
  const measured = (name: string, to: string, ...more: string[]) => {
    const where = ['--listen', '127.0.0.1:0', '--to', to]
    return new Program('../bench/lib/measured', name, ...where, ...more)
  }
  const soak = async (name: string, address: string, programs: Record<string, Program>) => {
    const target = parseAddress(address)
    await converse(target, WARM_UP, atOnce)
    const before = await lookAtAll(programs)
    const started = performance.now()
    await converse(target, count, atOnce)
    const after = formatTime(performance.now() - started)
    console.log(`${name}: ${count} conversations, ${atOnce} at once, in ${after}`)
    compare(before, await lookAtAll(programs), count)
    await Promise.all(Object.values(programs).map(program => program.stop()))
  }

  const relay = measured('relay', server.address)
  await soak('relay', await relay.address(), { relay })
  const exit = measured('striping-proxy', server.address, '--role', 'exit')
  const entryArgs = ['--role', 'entry', '--lanes', options.lanes]
  const entry = measured('striping-proxy', await exit.address(), ...entryArgs)
  await soak('striping proxy', await entry.address(), { entry, exit })
  await server.destroy()
})
process.exit() // with whatever still runs, where something failed

/** Holds so many conversations. Throws where an answer is not its question. */
async function converse(target: SocketAddress, count: number, atOnce: number): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < count) await (++next % 10 === 0 ? reset(target) : ask(target, next))
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

/** Sends a question, ends, and waits for the answer. */
async function ask(target: SocketAddress, seed: number): Promise<void> {
  const question = Buffer.concat([...content(seed % 2000, seed)])
  const pipe = connect(target)
  pipe.end(question)
  const answer: Buffer[] = []
  for await (const chunk of pipe) answer.push(chunk as Buffer)
  if (!Buffer.concat(answer).equals(question)) throw new Error(`answer ${seed} is wrong`)
}

/** Sends half a question, and gives up. */
async function reset(target: SocketAddress): Promise<void> {
  const pipe = connect(target)
  pipe.on('error', () => undefined)
  const closed = new Promise(resolve => pipe.once('close', resolve))
  pipe.write('half a quest', () => pipe.destroy())
  await closed
}

/** What each program holds, when it has come to rest. */
async function lookAtAll(programs: Record<string, Program>): Promise<Map<string, Holdings>> {
  const looks = new Map<string, Holdings>()
  for (const [name, program] of Object.entries(programs)) looks.set(name, await atRest(program))
  return looks
}

function compare(
  before: Map<string, Holdings>,
  after: Map<string, Holdings>,
  conversations: number,
): void {
  for (const [name, then] of before) {
    const now = after.get(name)!
    const growth = now.heapBytes - then.heapBytes
    console.log(`  ${name} before ${JSON.stringify(then)}`)
    console.log(
      `  ${name} after  ${JSON.stringify(now)}, ${(growth / conversations).toFixed(0)} bytes each`,
    )
    const same =
      now.descriptors === then.descriptors &&
      JSON.stringify(now.resources) === JSON.stringify(then.resources)
    const most = MOST_GROWTH_BYTES + conversations * MOST_GROWTH_EACH_BYTES
    if (same && growth <= most) continue
    console.error(`  ${name}: NOT back where it was`)
    process.exitCode = 1
  }
}
