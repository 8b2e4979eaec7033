// Files that hold a secret: read by their owner alone, and never written over by accident.

import { mkdirSync, openSync, readSync, closeSync, fstatSync, renameSync, rmSync } from 'node:fs'
import { existsSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { Failure, EXIT, UsageError } from './exit.ts'
import { parseSecret, type Secret, withoutSecrets } from './secret.ts'

const STDIN = 0
const MAX_KEY_BYTES = 4096
const OWNER_ONLY = 0o600
const OTHERS = 0o077
const PERMISSIONS = process.platform !== 'win32' // which has others

/** Where a key is unless somebody says otherwise: `striper/key` in XDG_CONFIG_HOME, or in
 *  `.config` of the home folder. */
export function defaultKeyFile(env: NodeJS.ProcessEnv): string {
  const base = env.XDG_CONFIG_HOME?.startsWith('/') ? env.XDG_CONFIG_HOME : undefined
  return join(base ?? join(homedir(), '.config'), 'striper', 'key')
}

/** Writes a secret to a file that only its owner can read, in a folder that is made if it is not
 *  there. Throws a UsageError where the file is there, unless it may be written over. */
export function writeKey(path: string, secret: Secret, overwrite: boolean): void {
  const text = `${secret.reveal()}\n`
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    if (overwrite) replace(path, text)
    else writeFileSync(path, text, { flag: 'wx', mode: OWNER_ONLY })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && existsSync(path)) {
      throw new UsageError(`'${path}' is there already; --overwrite replaces it`, { cause: error })
    }
    throw new Failure(EXIT.failed, `cannot write '${path}': ${code ?? message}`, { cause: error })
  }
}

/** The new file is whole before it takes the old one's name. */
function replace(path: string, text: string): void {
  const draft = `${path}.${process.pid}`
  try {
    writeFileSync(draft, text, { flag: 'wx', mode: OWNER_ONLY })
    renameSync(draft, path)
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Reads a secret from a file, or from stdin for `-`. Throws a UsageError for a file that others
 *  may read, or that holds no secret. */
export function readKey(path: string): Secret {
  if (withoutSecrets(path) !== path) {
    throw new UsageError('that is a secret, where a file is wanted; it is now in your history')
  }
  const text = path === '-' ? readAll(STDIN) : readPrivate(path)
  try {
    return parseSecret(text)
  } catch (error) {
    const where = path === '-' ? 'what came on stdin' : `'${path}'`
    throw new UsageError(`${where}: ${(error as Error).message}`, { cause: error })
  }
}

function readPrivate(path: string): string {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const what = code === 'ENOENT' ? 'there is no such file' : `cannot be read: ${code}`
    throw new UsageError(`'${path}': ${what}; striper key new makes one`, { cause: error })
  }
  try {
    // Of the file that is open, not of what has its name by now.
    const { mode } = fstatSync(file)
    if (PERMISSIONS && (mode & OTHERS) !== 0) {
      throw new UsageError(`'${path}' can be read by others than its owner: chmod 600 '${path}'`)
    }
    return readAll(file)
  } finally {
    closeSync(file)
  }
}

/** What there is, as far as a key could go: what is longer is none. */
function readAll(file: number): string {
  const buffer = Buffer.alloc(MAX_KEY_BYTES)
  let bytes = 0
  try {
    while (bytes < buffer.length) {
      const read = readSync(file, buffer, bytes, buffer.length - bytes, null)
      if (read === 0) break
      bytes += read
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new UsageError(`cannot read the key: ${code ?? message}`, { cause: error })
  }
  return buffer.toString('utf8', 0, bytes)
}
