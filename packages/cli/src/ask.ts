// The asking end of the control socket.

import { connect, isPipeError } from 'striper'
import { EXIT, Failure } from './exit.ts'
import { SNAPSHOT_FORMAT, type Snapshot } from './snapshot.ts'

/** The longest answer that is read, in bytes. */
export const MAX_ANSWER_BYTES = 16 * 1024 * 1024
const PATIENCE_MS = 5000

/** The one request there is. */
export const REQUEST = 'status'

/** There is no such socket, or no process at it. */
export class NobodyThere extends Failure {
  constructor(path: string) {
    super(EXIT.failed, `nobody answers at '${path}'; is it running?`)
  }
}

/** Asks a running process for one snapshot. Rejects with a Failure that says what is wrong: nobody
 *  is there, it does not answer in five seconds, or what it says is of another version. */
export async function ask(path: string): Promise<Snapshot> {
  const pipe = connect({ path })
  const timer = setTimeout(() => pipe.destroy(), PATIENCE_MS)
  try {
    return read(await answer(pipe, path), path)
  } finally {
    clearTimeout(timer)
    pipe.destroy()
  }
}

/** The first line that comes. */
function answer(pipe: ReturnType<typeof connect>, path: string): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  return new Promise((resolve, reject) => {
    const fail = (sentence: string) => reject(new Failure(EXIT.failed, sentence))
    pipe.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (chunk.includes(10)) resolve(Buffer.concat(chunks).toString('utf8'))
      else if (bytes > MAX_ANSWER_BYTES) fail(`the answer at '${path}' has no end`)
    })
    pipe.once('error', error => {
      const { code } = ((isPipeError(error) ? error.cause : undefined) ?? {}) as { code?: string }
      const gone = code === 'ENOENT' || code === 'ECONNREFUSED'
      const denied = code === 'EACCES' || code === 'EPERM'
      if (gone) reject(new NobodyThere(path))
      else if (denied) fail(`'${path}' belongs to another user`)
      else fail(`no answer at '${path}': it closed, or it has readers enough`)
    })
    pipe.once('close', () => fail(`no answer at '${path}'`))
    pipe.once('end', () => fail(`no answer at '${path}': it has readers enough`))
    pipe.write(Buffer.from(`${REQUEST}\n`))
  })
}

/** The socket is this user's own, so what comes is trusted to be what it says it is. */
function read(line: string, path: string): Snapshot {
  let snapshot: Partial<Snapshot> | null = null
  try {
    snapshot = JSON.parse(line) as Partial<Snapshot> | null
  } catch {
    // not JSON: not a snapshot
  }
  if (snapshot?.format === SNAPSHOT_FORMAT) return snapshot as Snapshot
  throw new Failure(EXIT.failed, `what answers at '${path}' is not this version of striper`)
}
