// The stage of the demonstration: everything that stands between a download and its file, on this
// machine.
//
//   download ── relay ─────────▶ provider ─▶ server
//   download ── entry ═════════▶ provider ═▶ exit ── server
//                     N lanes
//
// Relay, entry and exit are the examples, each a process of its own.

import { Program } from '../lib/program.ts'
import { serve } from './download.ts'
import { Provider } from './provider.ts'

/** A way to the file: where to connect, and the provider on it. */
export interface Way {
  readonly address: string
  readonly provider: Provider
}

export interface Stage {
  readonly overOneConnection: Way
  readonly overLanes: Way
  /** The programs that have to live meanwhile. */
  readonly programs: readonly Program[]
  /** Ends whatever still runs. */
  close(): Promise<void>
}

/** Sets everything up, for a file of `bytes` and a provider that lets each connection carry so
 *  much. */
export async function setUp(lanes: number, bytes: number, bytesPerSecond: number): Promise<Stage> {
  const server = await serve(bytes)
  const onePath = new Provider(server.address, bytesPerSecond)
  const relay = new Program('relay', ...between(await onePath.listen()))
  const exit = new Program('striping-proxy', '--role', 'exit', ...between(server.address))
  const lanePath = new Provider(await exit.address(), bytesPerSecond)
  const entryArgs = ['--role', 'entry', '--lanes', String(lanes)]
  const entry = new Program('striping-proxy', ...entryArgs, ...between(await lanePath.listen()))
  const programs = [relay, exit, entry]
  return {
    programs,
    overOneConnection: { address: await relay.address(), provider: onePath },
    overLanes: { address: await entry.address(), provider: lanePath },
    async close() {
      for (const program of programs) program.signal('SIGKILL')
      await Promise.all([onePath.close(), lanePath.close(), server.destroy()])
    },
  }
}

function between(to: string): string[] {
  return ['--listen', '127.0.0.1:0', '--to', to]
}
