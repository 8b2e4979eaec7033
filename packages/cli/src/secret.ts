// A secret as text: `striper1_<32 bytes in base64url>_<4 characters of checksum>`. What has one
// cannot print it by accident: only `reveal()` gives the text.

import { createHash, hkdfSync, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'

const SECRET_BYTES = 32
const HIDDEN = 'striper1_(hidden)'
const PATTERN = /^striper1_([\w-]{43})_([\w-]{4})$/
const ANYWHERE = /striper1_[\w-]+/g

/** A secret that hides itself from printing, logging and JSON. */
export class Secret {
  readonly #bytes: Buffer
  /** What may be shown and logged: 16 hex digits that say which secret it is, and nothing of it. */
  readonly id: string

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.id = Buffer.from(hkdfSync('sha256', bytes, 'stripe/1', 'keyid', 8)).toString('hex')
  }

  /** The text itself, for the one file that keeps it. */
  reveal(): string {
    return `striper1_${this.#bytes.toString('base64url')}_${checksum(this.#bytes)}`
  }

  toString(): string {
    return HIDDEN
  }

  toJSON(): string {
    return HIDDEN
  }

  [inspect.custom](): string {
    return HIDDEN
  }
}

/** A secret that nobody had before. */
export function newSecret(): Secret {
  return new Secret(randomBytes(SECRET_BYTES))
}

/** Reads the text of a secret. Throws a RangeError that says what is wrong, and nothing of the
 *  text. */
export function parseSecret(text: string): Secret {
  const [, encoded, sum] = PATTERN.exec(text.trim()) ?? []
  if (encoded === undefined) {
    throw new RangeError("not a secret: it is 'striper1_', 43 characters, '_' and 4 characters")
  }
  const bytes = Buffer.from(encoded, 'base64url')
  if (checksum(bytes) !== sum) throw new RangeError('a damaged secret: its checksum is wrong')
  return new Secret(bytes)
}

/** The text with whatever looks like a secret hidden: somebody typed one where it does not belong,
 *  and the complaint must not repeat it. */
export function withoutSecrets(text: string): string {
  return text.replace(ANYWHERE, HIDDEN)
}

function checksum(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64url').slice(0, 4)
}
