// How lanes are made secret: with a key by default, with certificates, or not at all where the user
// spells it out.

import { UsageError } from './exit.ts'
import { readText } from './config.ts'
import { defaultKeyFile, readKey } from './key-file.ts'
import { flag, list, optional, type Values } from './option.ts'
import { parseSecret } from './secret.ts'
import type { Security } from './settings.ts'
import { path } from './values.ts'

const MAX_PEM_BYTES = 1024 * 1024
const KEY_VARIABLE = 'STRIPER_KEY'

export const SECURITY_OPTIONS = {
  'key-file': list('FILE', path, 'the key, - for stdin (STRIPER_KEY, or ~/.config/striper/key)'),
  cert: optional('FILE', path, 'certificates instead of a key: our own, in PEM'),
  'cert-key': optional('FILE', path, 'the private key of --cert'),
  ca: optional('FILE', path, "who signs the other end's certificate"),
  'insecure-plaintext': flag('no secrecy, and no proof of who is there; on this machine alone'),
  'insecure-anywhere': flag('with --insecure-plaintext: beyond this machine as well'),
}

type SecurityValues = Values<typeof SECURITY_OPTIONS>

/**
 * Which of the three it is. `isPrivate`: whether every address of it is of this machine. Throws a
 * UsageError where two are asked for, where none is to be had, or where plain text would leave the
 * machine: it never falls back to less than was asked for.
 */
export function readSecurity(
  values: SecurityValues,
  env: NodeJS.ProcessEnv,
  isPrivate: boolean,
): Security {
  const { cert, 'cert-key': certKey, ca } = values
  const plain = values['insecure-plaintext']
  const anywhere = values['insecure-anywhere']
  const byCertificate = cert !== undefined || certKey !== undefined || ca !== undefined
  const asked = [
    values['key-file'].length > 0 ? '--key-file' : '',
    byCertificate ? '--cert, --cert-key and --ca' : '',
    plain ? '--insecure-plaintext' : '',
  ].filter(each => each !== '')
  if (asked.length > 1) throw new UsageError(`${asked.join(' and ')} exclude each other`)
  if (anywhere && !plain) throw new UsageError('--insecure-anywhere needs --insecure-plaintext')
  if (plain) {
    if (isPrivate || anywhere) return { by: 'nothing' }
    throw new UsageError(
      '--insecure-plaintext is for addresses of this machine (127.0.0.1, [::1], a path); ' +
        'whoever is on the way could read and change everything: --insecure-anywhere insists',
    )
  }
  if (!byCertificate) return { by: 'key', keys: readKeys(values['key-file'], env) }
  if (cert === undefined || certKey === undefined || ca === undefined) {
    throw new UsageError('certificates need all of --cert, --cert-key and --ca')
  }
  return {
    by: 'certificate',
    cert: readPem(cert, 'CERTIFICATE'),
    certKey: readPem(certKey, 'PRIVATE KEY'),
    ca: readPem(ca, 'CERTIFICATE'),
  }
}

/** The keys of the files; else that of the environment; else that of the default file. */
function readKeys(files: readonly string[], env: NodeJS.ProcessEnv) {
  if (files.length > 0) return files.map(readKey)
  const text = env[KEY_VARIABLE]
  if (text === undefined) return [readKey(defaultKeyFile(env))]
  Reflect.deleteProperty(env, KEY_VARIABLE) // nobody whom we start needs it
  try {
    return [parseSecret(text)]
  } catch (error) {
    throw new UsageError(`${KEY_VARIABLE}: ${(error as Error).message}`, { cause: error })
  }
}

function readPem(path: string, what: string): string {
  const text = readText(path, MAX_PEM_BYTES)
  if (text.includes(`${what}-----`)) return text
  throw new UsageError(`'${path}' has no ${what} in PEM`)
}

/** How lanes are secured, in words, with nothing that is secret. */
export function formatSecurity(security: Security): string {
  if (security.by === 'nothing') return 'nothing'
  if (security.by === 'certificate') return 'certificate'
  return `key ${security.keys.map(key => key.id).join(', ')}`
}
