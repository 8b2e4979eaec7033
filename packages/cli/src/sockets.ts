// Where the processes of this user answer `striper status`: one Unix socket each, in a folder that
// nobody else may enter; on Windows a named pipe each.
//
//   $XDG_RUNTIME_DIR/striper/client-4242.sock        or /tmp/striper-1000/client-4242.sock

import { chmodSync, lstatSync, mkdirSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { EXIT, Failure } from './exit.ts'

const WINDOWS = process.platform === 'win32'
const PIPES = '\\\\.\\pipe\\'
const NAME = /^(?:striper-)?(server|client)-(\d+)(?:\.sock)?$/

/** The path of this process. */
export function socketPath(role: 'server' | 'client', env: NodeJS.ProcessEnv): string {
  if (WINDOWS) return `${PIPES}striper-${role}-${process.pid}`
  return join(socketFolder(env), `${role}-${process.pid}.sock`)
}

/** The paths of all processes of this user, those included that have died without a word. */
export function socketPaths(env: NodeJS.ProcessEnv): string[] {
  const folder = WINDOWS ? PIPES : socketFolder(env)
  try {
    return readdirSync(folder)
      .filter(name => NAME.test(name))
      .sort()
      .map(name => (WINDOWS ? PIPES + name : join(folder, name)))
  } catch {
    return [] // there is no such folder: nobody has run
  }
}

/** Makes the folder of a socket, where it is the one of `socketPath`. Throws a Failure where it is
 *  there and is not ours alone. */
export function prepareFolder(path: string, env: NodeJS.ProcessEnv): void {
  const folder = dirname(path)
  if (WINDOWS || folder !== socketFolder(env)) return
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const { uid, mode } = lstatSync(folder)
  const ours = uid === process.getuid?.() && lstatSync(folder).isDirectory()
  if (!ours) throw new Failure(EXIT.cannotStart, `'${folder}' belongs to somebody else`)
  if ((mode & 0o077) !== 0) chmodSync(folder, 0o700)
}

function socketFolder(env: NodeJS.ProcessEnv): string {
  const runtime = env.XDG_RUNTIME_DIR
  if (runtime?.startsWith('/')) return join(runtime, 'striper')
  return join(tmpdir(), `striper-${process.getuid?.() ?? 0}`)
}
