// A large file goes through the striping proxy, both ways at once, while lanes are reset one after
// the other.
//
//   client ── entry ══ forwarder ══ exit ── server     now and then the forwarder resets a lane
//
// Says whether both files arrived whole, and how much memory the proxies took at most. Exit code 1
// where one did not, or it was too much.

import { readFileSync } from 'node:fs'
import { formatBytes, formatTime } from '@striper/cli/terminal'
import { bridge, type Bridge, type BytePipe, connect, listen, parseAddress } from 'striper'
import { rng } from '@striper/testkit/faults'
import { command, numberOption } from '../../examples/lib/command.ts'
import { content, hashOf, receive, send } from '../../examples/lib/content.ts'
import { needing, Program } from '../../examples/lib/program.ts'

const HELP = `
npx tsx --conditions=@striper/source bench/soak/lanes.ts [--size MIB] [--every MS] [--lanes N] [--seed N]

Sends a file of --size MiB (1024) each way at once through a striping proxy of --lanes lanes (8), of which
one is reset at random every --every ms (300; 0 for never).
`

const OPTIONS = {
  size: { type: 'string', default: '1024' },
  every: { type: 'string', default: '300' },
  lanes: { type: 'string', default: '8' },
  seed: { type: 'string', default: '1' },
} as const

const MIB = 1024 * 1024
const MOST_MEMORY_BYTES = 256 * MIB
const [UP, DOWN] = [1, 2] // seeds of the two files

// A signal ends us, and the processes that we started with us.
process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))

await command(HELP, OPTIONS, async options => {
  const bytes = numberOption('size', options.size, 1, 1 << 20) * MIB
  const every = numberOption('every', options.every, 0, 1e9)
  const chance = rng(numberOption('seed', options.seed, 0, 2 ** 31))
  let arrivedUp: Promise<string> | undefined
  const server = await listen({ host: '127.0.0.1', port: 0 }, pipe => {
    arrivedUp = exchange(pipe, DOWN)
  })
  const exit = start('exit', server.address)
  const exitAddress = parseAddress(await exit.address())
  const lanes = new Set<Bridge>()
  const forwarder = await listen({ host: '127.0.0.1', port: 0 }, pipe => {
    const lane = bridge(pipe, connect(exitAddress))
    const over = () => lanes.delete(lane)
    lanes.add(lane)
    lane.done.then(over, over)
  })
  const entry = start('entry', forwarder.address, '--lanes', options.lanes)
  const client = connect(parseAddress(await entry.address()))

  let resets = 0
  const killer = setInterval(
    () => {
      if (lanes.size === 0) return
      chance.pick([...lanes]).destroy()
      resets++
    },
    every || 2 ** 31 - 1,
  )
  const started = performance.now()
  const arrivedDown = await needing([entry, exit], exchange(client, UP, show))
  const equal = {
    up: (await needing([entry, exit], arrivedUp!)) === hashOf(bytes, UP),
    down: arrivedDown === hashOf(bytes, DOWN),
  }
  clearInterval(killer)

  const after = performance.now() - started
  console.log(`${formatBytes(bytes)} each way in ${formatTime(after)}, ${resets} lanes reset`)
  for (const way of ['up', 'down'] as const) {
    console.log(`SHA-256 ${way}: ${equal[way] ? 'equal' : 'NOT EQUAL'}`)
  }
  const memory = { entry: peakMemory(entry), exit: peakMemory(exit) }
  for (const [name, peak] of Object.entries(memory)) {
    console.log(`peak memory of the ${name}: ${(peak / MIB).toFixed(0)} MiB`)
  }
  await Promise.all([entry.stop(), exit.stop()])
  await Promise.all([forwarder.destroy(), server.destroy()])
  const well = equal.up && equal.down && Math.max(...Object.values(memory)) <= MOST_MEMORY_BYTES
  process.exitCode = well ? 0 : 1

  /** Sends a file, and resolves with the hash of the one that comes. */
  function exchange(pipe: BytePipe, seed: number, onBytes?: (bytes: number) => void) {
    void send(content(bytes, seed), pipe)
    return receive(pipe, onBytes)
  }

  function show(arrived: number): void {
    const percent = Math.floor((100 * arrived) / bytes)
    if (process.stdout.isTTY) process.stdout.write(`\r${percent} %\r`)
  }
})
process.exit() // with whatever still runs, where something failed

function start(role: string, to: string, ...more: string[]): Program {
  const listenAt = '127.0.0.1:0'
  return new Program('striping-proxy', '--role', role, '--listen', listenAt, '--to', to, ...more)
}

/** The most memory that a process has had so far, in bytes. */
function peakMemory({ pid }: Program): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024
}
