// The demonstration: one download through a provider that caps every connection, first over one
// connection and then striped over several. Everything is on this machine (stage.ts says what), and
// everything is real: sockets, bytes, and the examples as processes of their own.

import { formatBytes, Screen } from '@striper/cli/terminal'
import { command, numberOption } from '../lib/command.ts'
import { hashOf } from '../lib/content.ts'
import { needing } from '../lib/program.ts'
import { type Download, download } from './download.ts'
import { Progress, type ProgressOptions } from './progress.ts'
import type { Provider } from './provider.ts'
import { complaint, figures, tableOf } from './report.ts'
import { setUp, type Stage } from './stage.ts'

const HELP = `
npm start -- [--lanes N] [--size MIB] [--cap MIB] [--json]

Shows one TCP connection go as fast as several. A provider that caps every connection stands between a
server and us; we download a file from the server twice, once over one connection (examples/relay.ts), once
through the striping proxy (examples/striping-proxy.ts). On the way one of its lanes is reset, and comes
back by itself. Everything runs on this machine, over 127.0.0.1.

  --lanes N   lanes of the striping proxy, 1 to 32 (8)
  --size MIB  the file, in MiB (112)
  --cap MIB   what the provider lets each connection carry each way, in MiB a second (2)
  --json      print nothing on stdout but one line of JSON with the figures
  --help      this text

A time is from connecting to the last byte. Exit code 1 says that what arrived is not what was sent, or
that it came less than 0.9 × N times as fast; 2 that the command line is wrong.
`

const OPTIONS = {
  lanes: { type: 'string', default: '8' },
  size: { type: 'string', default: '112' },
  cap: { type: 'string', default: '2' },
  json: { type: 'boolean', default: false },
} as const

const MIB = 1024 * 1024
/** The lane is reset when this share of the file has come. */
const CUT_AT = 0.4

// A signal ends us, and the processes that we started with us.
process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))

await command(HELP, OPTIONS, async options => {
  const lanes = numberOption('lanes', options.lanes, 1, 32)
  const bytes = numberOption('size', options.size, 1, 65_536) * MIB
  const bytesPerSecond = numberOption('cap', options.cap, 1, 1024) * MIB
  const screen = new Screen(options.json ? process.stderr : process.stdout)
  const say = (line: string) => (options.json ? undefined : screen.log(line))
  const sha256 = hashOf(bytes)

  say(`a file of ${formatBytes(bytes)}, and ${formatBytes(bytesPerSecond)}/s for each connection`)
  const stage = await setUp(lanes, bytes, bytesPerSecond)
  const shared = { bytes, bytesPerSecond, screen }
  try {
    const performed = perform(stage, lanes, shared, say)
    const { single, striped, lanesKilled } = await needing(stage.programs, performed)
    const result = figures({ bytes, sha256, single, striped, lanes, lanesKilled })
    if (options.json) console.log(JSON.stringify(result))
    else for (const line of ['', ...tableOf(result)]) screen.log(line)
    const wrong = complaint(result)
    if (wrong === undefined) return
    console.error(`demo: ${wrong}`)
    process.exitCode = 1
  } finally {
    await stage.close()
  }
})

type Say = (line: string) => void
type Shared = Pick<ProgressOptions, 'bytes' | 'bytesPerSecond' | 'screen'>

/** One download after the other; in the second a lane is reset on the way. */
async function perform(stage: Stage, lanes: number, shared: Shared, say: Say) {
  const { overOneConnection: one, overLanes: many } = stage
  say(`\nover one connection, through the relay`)
  const single = await watched(one.address, {
    ...shared,
    name: 'one connection',
    provider: one.provider,
  })

  say(`\nover ${lanes} lanes, through the striping proxy`)
  let lanesKilled = 0
  const options = { ...shared, name: `${lanes} lanes`, provider: many.provider }
  const striped = await watched(many.address, options, arrived => {
    if (arrived < CUT_AT * shared.bytes || lanesKilled > 0) return
    lanesKilled++
    void cutOne(many.provider, Math.floor(lanes / 2), say)
  })
  return { single, striped, lanesKilled }
}

/** A download with its progress on the screen. */
async function watched(
  address: string,
  options: ProgressOptions,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<Download> {
  const progress = new Progress(options)
  try {
    return await download(address, bytes => {
      progress.bytes = bytes
      onBytes(bytes)
    })
  } finally {
    progress.stop()
  }
}

/** Resets a lane on the way, and says when it is back. */
async function cutOne(provider: Provider, index: number, say: Say): Promise<void> {
  const cutAt = performance.now()
  say(`lane ${index + 1} is reset by the provider`)
  await provider.cut(index)
  say(`lane ${index + 1} is back by itself after ${(performance.now() - cutAt).toFixed(0)} ms`)
}
