// A tunnel in this process: the running server and client, from the command line's own words, with
// what they log, and the two signals as functions.

import type { Socket } from 'node:net'
import { inspect } from 'node:util'
import { closed, serve, servers } from '../../../examples/test/scene.ts'
import { resetBehindEnd } from '../../tcp/src/reset.ts'
import { EventLog } from '../src/log.ts'
import { parseCommandLine, valuesOf } from '../src/option.ts'
import { runClient, runServer } from '../src/run.ts'
import { newSecret } from '../src/secret.ts'
import type { Run } from '../src/service.ts'
import type { Snapshot } from '../src/snapshot.ts'
import { Screen } from '../src/terminal.ts'
import { CLIENT_OPTIONS, clientSettings } from '../src/tunnel-options.ts'
import { SERVER_OPTIONS, serverSettings } from '../src/tunnel-options.ts'

/** The secret of every tunnel of a test file. */
export const KEY = newSecret().reveal()

/** An end that runs. */
export class End {
  /** What it has logged, a line each. */
  readonly lines: string[] = []
  /** Resolves when it has ended, with its failure if it failed. */
  readonly over: Promise<unknown>
  readonly #stopping = new AbortController()
  readonly #aborting = new AbortController()
  #source: (() => Snapshot) | undefined
  #wake: () => void = () => undefined

  constructor(run: Run<never>, settings: unknown) {
    const write = (text: string) => {
      this.lines.push(text)
      this.#wake()
    }
    const out = { write, on: () => out, isTTY: false }
    const screen = new Screen(out as unknown as ConstructorParameters<typeof Screen>[0])
    const log = new EventLog({ log: undefined, quiet: false, verbose: true }, screen)
    const running = run(settings as never, {
      log,
      stopping: this.#stopping.signal,
      aborting: this.#aborting.signal,
      show: source => {
        this.#source = source
        return Promise.resolve()
      },
    })
    this.over = running.then(
      () => undefined,
      (error: unknown) => {
        this.lines.push(`ended with ${inspect(error)}`)
        this.#wake()
        return error
      },
    )
  }

  /** The first and the second signal. */
  stop(): void {
    this.#stopping.abort()
  }

  abort(): void {
    this.#aborting.abort()
  }

  /** Stops at once, whatever is open. */
  async kill(): Promise<void> {
    this.stop()
    this.abort()
    await this.over
  }

  snapshot(): Snapshot {
    if (!this.#source) throw new Error('it shows nothing yet')
    return this.#source()
  }

  /** Waits until it has logged this. */
  async said(what: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      for (const line of this.lines) {
        const match = what.exec(line)
        if (match) return match
      }
      const ended = this.lines.find(line => line.startsWith('ended with'))
      if (ended !== undefined) throw new Error(`it never said ${what}: ${this.lines.join('')}`)
      await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }
}

const ends: End[] = []

/** Kills every end of the test. */
export async function killAll(): Promise<void> {
  await Promise.all(ends.splice(0).map(end => end.kill()))
}

/** Starts a server at `--listen 127.0.0.1:PORT`, 0 unless it is told; with the port it has. */
export async function startServer(key: string, args: readonly string[], port = 0) {
  const line = ['--listen', `127.0.0.1:${port}`, ...args]
  const values = valuesOf(SERVER_OPTIONS, parseCommandLine(SERVER_OPTIONS, line).given)
  const settings = serverSettings(values, { STRIPER_KEY: key, XDG_RUNTIME_DIR: '/nowhere' })
  const server = new End(runServer, settings)
  ends.push(server)
  const [, at] = await server.said(/127\.0\.0\.1:(\d+) for lanes/)
  return { server, port: Number(at) }
}

/** A port where somebody resets whoever comes, and a function that makes room there: nobody else
 *  can have taken it meanwhile. */
export async function heldPort(): Promise<{ port: number; free: () => Promise<unknown> }> {
  const port = await serve(socket => void socket.resetAndDestroy())
  const holder = servers.at(-1)!
  return { port, free: () => new Promise(resolve => holder.close(resolve)) }
}

/** Starts a client of the server at that port. */
export function startClient(key: string, port: number, args: readonly string[]): End {
  const line = ['--server', `127.0.0.1:${port}`, ...args]
  const values = valuesOf(CLIENT_OPTIONS, parseCommandLine(CLIENT_OPTIONS, line).given)
  const settings = clientSettings(values, { STRIPER_KEY: key, XDG_RUNTIME_DIR: '/nowhere' })
  const client = new End(runClient, settings)
  ends.push(client)
  return client
}

/** The port of a client's -L that was given port 0. */
export async function forwarded(client: End): Promise<number> {
  const [, port] = await client.said(/127\.0\.0\.1:(\d+) to \S+, made by the server/)
  return Number(port)
}

/** A tunnel to a target of this test's, and the port of its -L. */
export async function tunnel(target: number, more: { server?: string[]; client?: string[] } = {}) {
  const allow = ['--allow', `127.0.0.1:${target}`]
  const { server, port } = await startServer(KEY, [...allow, ...(more.server ?? [])])
  const to = ['-L', `0:127.0.0.1:${target}`]
  const client = startClient(KEY, port, [...to, ...(more.client ?? [])])
  return { server, client, lanes: port, port: await forwarded(client) }
}

/** The code of the error that a socket fails with; undefined where it closes without one. */
export async function resetOf(socket: Socket): Promise<unknown> {
  // Behind bytes that nobody had read yet, libuv takes it for an end.
  socket.once('end', () => {
    const reset = resetBehindEnd(socket)
    if (reset) socket.destroy(reset)
  })
  await closed(socket)
  const { errored } = socket
  return errored && 'code' in errored ? errored.code : undefined
}
