// The control socket: answers each line `status` with a snapshot, as one line of JSON.
//
//   striper status ──▶ status\n
//                 ◀── {"format":1,…}\n       and again, as often as it asks
//
// A Unix socket that only its owner may open, so there is no password; on Windows a named pipe.
// Whoever asks costs little: four readers at once, one answer at a time for each, none that is
// silent for a minute.

import { lstatSync, rmSync } from 'node:fs'
import { type BytePipe, isPipeError, listen, type TcpServer } from 'striper'
import { ask, NobodyThere, REQUEST } from './ask.ts'
import { EXIT, Failure } from './exit.ts'
import { bounded, type Snapshot } from './snapshot.ts'
import { prepareFolder } from './sockets.ts'

/** Readers at once, at most; one more is closed as it comes. */
export const MAX_READERS = 4
/** A request is this long, at most, in bytes; more is no request. */
export const MAX_REQUEST_BYTES = 64
/** How long a reader may be silent, in ms. */
export const READER_TIMEOUT_MS = 60_000

/** A control socket that is open. */
export interface ControlServer {
  /** Closes it, and every reader; the socket's file is gone then. */
  close(): Promise<void>
}

/**
 * Serves what `source` gives, which is asked anew for each request. A socket that a process left
 * behind is taken over. Rejects with a Failure where it cannot be had.
 */
export async function serveControl(
  path: string,
  source: () => Snapshot,
  env: NodeJS.ProcessEnv = process.env,
): Promise<ControlServer> {
  prepareFolder(path, env)
  await removeStale(path)
  let server: TcpServer
  const umask = process.umask(0o177) // from its first moment on it is ours alone
  try {
    const opening = listen({ path, maxConnections: MAX_READERS }, pipe => serve(pipe, source))
    process.umask(umask)
    server = await opening
  } catch (error) {
    if (!isPipeError(error)) throw error
    const sentence = `${error.sentence}; --socket PATH names another place`
    throw new Failure(EXIT.cannotStart, sentence, { cause: error })
  } finally {
    process.umask(umask)
  }
  return { close: () => server.destroy() }
}

/** A socket that nobody answers at is a dead process's. Anything else at the path stays, and
 *  listening fails. */
async function removeStale(path: string): Promise<void> {
  if (!isUnix(path) || !lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return
  try {
    await ask(path)
  } catch (error) {
    if (error instanceof NobodyThere) rmSync(path, { force: true })
  }
}

function isUnix(path: string): boolean {
  return !path.startsWith('\\\\')
}

/** Answers one reader. Requests that come while an answer is under way wait in the socket. */
function serve(pipe: BytePipe, source: () => Snapshot): void {
  let line = ''
  const timer = setTimeout(() => pipe.destroy(), READER_TIMEOUT_MS)
  timer.unref()
  pipe.on('error', () => undefined).once('close', () => clearTimeout(timer))
  pipe.once('end', () => pipe.end())
  pipe.on('data', (chunk: Buffer) => {
    line += chunk.toString('latin1')
    pump()
  })
  const pump = (): void => {
    if (pipe.isPaused()) return
    const end = line.indexOf('\n')
    if (end < 0 ? line.length > MAX_REQUEST_BYTES : line.slice(0, end) !== REQUEST) {
      pipe.destroy()
      return
    }
    if (end < 0) return
    line = line.slice(end + 1)
    timer.refresh()
    pipe.pause()
    pipe.write(Buffer.from(`${JSON.stringify(bounded(source()))}\n`), error => {
      if (error) return
      pipe.resume()
      pump()
    })
  }
}
