// striper status: what a running server or client does, once or all the time.

import { setTimeout as pause } from 'node:timers/promises'
import { ask, NobodyThere } from '../ask.ts'
import type { Command } from '../command.ts'
import { EXIT, Failure, UsageError } from '../exit.ts'
import { flag, noWords, optional } from '../option.ts'
import type { Snapshot } from '../snapshot.ts'
import { socketPaths } from '../sockets.ts'
import { asciiJson, FullScreen } from '../terminal.ts'
import { path } from '../values.ts'
import { StatusView } from '../view.ts'

const OPTIONS = {
  watch: flag('a table that is drawn again each second, until ctrl-C'),
  json: flag('the snapshot as one line of JSON'),
  socket: optional('PATH', path, 'whom to ask, where several run (the one that does)'),
}

const EACH_MS = 1000
const PLAIN_COLUMNS = 110 // in a file, where nothing says how wide it is

export const status: Command<typeof OPTIONS> = {
  name: 'status',
  summary: 'what a running server or client does: lanes, channels, and why a lane is idle',
  usage: ['status [--watch | --json] [--socket PATH]'],
  text: `
Asks a server or client of yours that runs on this machine, over a Unix socket that you alone may open
(in $XDG_RUNTIME_DIR/striper, or striper-UID in the folder for temporary files; on Windows it is a named
pipe). Where several run, --socket says which; without it they are listed.

For each lane: from where, bytes a second each way (with --watch; otherwise totals), round trip, the
rates of late as blocks, how much of its room is in flight, and its state. A lane that takes nothing just
now says why. Below: the lanes that are wanted and not there, limits, and the busiest channels.

--json prints all of it, and nothing but it, for programs: the types are Snapshot of @striper/cli.
`,
  options: OPTIONS,
  async run(values, words, { out, env }) {
    noWords(words)
    const { watch, json, socket } = values
    if (watch && json) throw new UsageError('--watch and --json exclude each other')
    if (watch && !process.stdout.isTTY) {
      throw new UsageError('--watch needs a terminal; for a program there is --json')
    }
    const [at, snapshot] = socket === undefined ? await only(env) : [socket, await ask(socket)]
    if (json) out(asciiJson(snapshot))
    else if (watch) await follow(at, snapshot, env)
    else {
      const { columns = PLAIN_COLUMNS } = process.stdout as { columns?: number }
      const sheet = { columns, rows: Infinity, colour: hasColour(env) }
      for (const line of new StatusView(snapshot).lines(sheet)) out(line)
    }
  },
}

/** The one process there is, if there is one. */
async function only(env: NodeJS.ProcessEnv): Promise<readonly [string, Snapshot]> {
  const answers = await Promise.all(
    socketPaths(env).map(async at => {
      try {
        return [at, await ask(at)] as const
      } catch (error) {
        if (error instanceof NobodyThere) return undefined // it died without a word
        throw error
      }
    }),
  )
  const found = answers.filter(answer => answer !== undefined)
  if (found.length > 1) {
    throw new UsageError(`several run; --socket ${found.map(([at]) => at).join(', or ')}`)
  }
  if (found[0]) return found[0]
  throw new Failure(EXIT.failed, 'no server and no client of yours runs on this machine')
}

/** Draws until a signal comes, or the process that it asks is gone. */
async function follow(at: string, first: Snapshot, env: NodeJS.ProcessEnv): Promise<void> {
  const screen = new FullScreen()
  const view = new StatusView(first)
  const draw = () => screen.draw(view.lines({ ...screen.size, colour: hasColour(env) }))
  const stop = new AbortController()
  const stopped = () => stop.abort()
  const goesOn = () => !stop.signal.aborted
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, stopped)
  screen.open()
  process.stdout.on('resize', draw)
  try {
    while (goesOn()) {
      draw()
      await pause(EACH_MS, undefined, { signal: stop.signal }).catch(() => undefined) // asked to
      if (goesOn()) view.next(await ask(at))
    }
  } finally {
    process.stdout.off('resize', draw)
    screen.close()
  }
}

function hasColour(env: NodeJS.ProcessEnv): boolean {
  return process.stdout.isTTY && process.stdout.hasColors(env)
}
