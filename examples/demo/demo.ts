// The demonstration: one download through a provider that caps every connection, first over one
// connection and then striped over several. Everything is on this machine, and everything is real: sockets,
// bytes, two of the examples as processes of their own.
//
//   download ── relay ─────────▶ provider ─▶ server
//   download ── entry ═════════▶ provider ═▶ exit ── server
//                     N lanes

import { command, numberOption } from '../lib/command.ts'
import { hashOf } from '../lib/content.ts'
import { formatBytes } from '../lib/format.ts'
import { Program } from '../lib/program.ts'
import { Screen } from '../lib/screen.ts'
import { type Download, download, serve } from './download.ts'
import { Progress, type ProgressOptions } from './progress.ts'
import { Provider } from './provider.ts'
import { complaint, figures, tableOf } from './report.ts'

const HELP = `
npm start -- [--lanes N] [--size MIB] [--cap MIB] [--json]

Shows one TCP connection go as fast as several. A provider that caps every connection stands between a
server and us; we download a file from the server twice, once over one connection (examples/relay.ts), once
through the striping proxy (examples/striping-proxy.ts). On the way one of its lanes is reset, and comes
back by itself. Everything runs on this machine, over 127.0.0.1.

  --lanes N   lanes of the striping proxy, 1 to 32 (8)
  --size MIB  the file, in MiB (80)
  --cap MIB   what the provider lets each connection carry each way, in MiB a second (2)
  --json      print nothing on stdout but one line of JSON with the figures
  --help      this text

A time is from connecting to the last byte. Exit code 1 says that what arrived is not what was sent, or
that it came less than 0.9 × N times as fast; 2 that the command line is wrong.
`

const OPTIONS = {
  lanes: { type: 'string', default: '8' },
  size: { type: 'string', default: '80' },
  cap: { type: 'string', default: '2' },
  json: { type: 'boolean', default: false },
} as const

const MIB = 1024 * 1024
/** The lane is reset when this share of the file has come. */
const CUT_AT = 0.4

await command(HELP, OPTIONS, async options => {
  const lanes = numberOption('lanes', options.lanes, 1, 32)
  const bytes = numberOption('size', options.size, 1, 65_536) * MIB
  const bytesPerSecond = numberOption('cap', options.cap, 1, 1024) * MIB
  const screen = new Screen(options.json ? process.stderr : process.stdout)
  const say = (line: string) => (options.json ? undefined : screen.log(line))

  const server = await serve(bytes)
  const onePath = new Provider(server.address, bytesPerSecond)
  const relay = new Program('relay', ...between(await onePath.listen()))
  const exit = new Program('striping-proxy', '--role', 'exit', ...between(server.address))
  const lanePath = new Provider(await exit.address(), bytesPerSecond)
  const entryArgs = ['--role', 'entry', '--lanes', String(lanes)]
  const entry = new Program('striping-proxy', ...entryArgs, ...between(await lanePath.listen()))
  const [throughRelay, throughEntry] = await Promise.all([relay.address(), entry.address()])
  const sha256 = hashOf(bytes)

  say(`a file of ${formatBytes(bytes)}, and ${formatBytes(bytesPerSecond)}/s for each connection`)
  say(`\nover one connection, through the relay`)
  const shared = { bytes, bytesPerSecond, screen }
  const oneConnection = { ...shared, name: 'one connection', provider: onePath }
  const single = await watched(throughRelay, oneConnection, () => undefined)

  say(`\nover ${lanes} lanes, through the striping proxy`)
  let lanesKilled = 0
  const striped = await watched(
    throughEntry,
    { ...shared, name: `${lanes} lanes`, provider: lanePath },
    arrived => {
      if (arrived < CUT_AT * bytes || lanesKilled > 0) return
      lanesKilled++
      void cutOne(lanePath, Math.floor(lanes / 2), say)
    },
  )
  await Promise.all([relay, exit, entry].map(program => program.stop()))
  await Promise.all([onePath.close(), lanePath.close(), server.destroy()])

  const result = figures({ bytes, sha256, single, striped, lanes, lanesKilled })
  if (options.json) console.log(JSON.stringify(result))
  else for (const line of ['', ...tableOf(result)]) screen.log(line)
  const wrong = complaint(result)
  if (wrong === undefined) return
  console.error(`demo: ${wrong}`)
  process.exitCode = 1
})

function between(to: string): string[] {
  return ['--listen', '127.0.0.1:0', '--to', to]
}

/** A download with its progress on the screen. */
async function watched(
  address: string,
  options: ProgressOptions,
  onBytes: (bytes: number) => void,
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
async function cutOne(
  provider: Provider,
  index: number,
  say: (line: string) => void,
): Promise<void> {
  const cutAt = performance.now()
  say(`lane ${index + 1} is reset by the provider`)
  await provider.cut(index)
  say(`lane ${index + 1} is back by itself after ${(performance.now() - cutAt).toFixed(0)} ms`)
}
