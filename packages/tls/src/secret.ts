// A secret: what two ends share, as one line of text, and what TLS needs of it.
//
//   striper1_<32 bytes in base64url>_<4 characters of checksum>
//
//   secret ── HKDF (RFC 5869), SHA-256, salt "striper/1" ──┬─▶ id, 8 bytes: public, for logs
//                                                          └─▶ a PSK for each name of a server
//
// It shows its id where somebody prints it, logs it or makes JSON of it, and itself only by
// reveal().

import { createHash, hkdfSync, randomBytes } from 'node:crypto'

const PREFIX = 'striper1_'
const SECRET_BYTES = 32
const TEXT = /^striper1_(?<bytes>[\w-]{43})_(?<sum>[\w-]{4})$/

/** A secret that nobody has had before: 32 random bytes. */
export function newSecret(): Secret {
  return new Secret(randomBytes(SECRET_BYTES))
}

/**
 * Reads what `reveal()` wrote; blanks and a line's end around it are let pass. Throws a RangeError
 * that says what is wrong, and does not repeat the text. Nothing but 32 bytes is taken: with a
 * pre-shared key, who sees one handshake can try short ones at leisure.
 */
export function parseSecret(text: string): Secret {
  const trimmed = text.trim()
  if (!trimmed.startsWith(PREFIX)) {
    throw new RangeError(`a secret begins with ${PREFIX}, and this does not`)
  }
  const { bytes = '', sum } = TEXT.exec(trimmed)?.groups ?? {}
  if (sum === undefined) {
    const whole = PREFIX.length + 43 + 1 + 4
    const got = `${trimmed.length} of ${whole} characters`
    throw new RangeError(`this is no whole secret: ${got}, or one that is in no secret`)
  }
  const secret = Buffer.from(bytes, 'base64url')
  if (secret.toString('base64url') !== bytes || checksum(secret) !== sum) {
    throw new RangeError('this secret is damaged: its checksum does not fit')
  }
  return new Secret(secret)
}

/** A secret that two ends share. Made by `newSecret` and `parseSecret`. */
export class Secret {
  readonly #bytes: Buffer
  /** Its name: 16 hex digits, the same at both ends. Public. */
  readonly id: string

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.id = this.#derive('keyid', 8).toString('hex')
  }

  /** The identity that a client says in clear: `s1.<id>`. */
  get identity(): string {
    return `s1.${this.id}`
  }

  /** The key of TLS between a client and the server of that name. That name is in it so that what
   *  a node says to another cannot be turned back at the node itself (Selfie: Drucker and Gueron,
   *  2019; RFC 9257). */
  preSharedKey(server: string): Buffer {
    return this.#derive(`tls13-psk sha256|${server}`, 32)
  }

  /** The secret itself, as text. */
  reveal(): string {
    return `${PREFIX}${this.#bytes.toString('base64url')}_${checksum(this.#bytes)}`
  }

  toString(): string {
    return `[secret ${this.id}]`
  }

  toJSON(): string {
    return this.toString()
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }

  #derive(info: string, bytes: number): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#bytes, 'striper/1', info, bytes))
  }
}

/** Three bytes of a hash: against slips of the pen, and of no help in guessing. */
function checksum(secret: Buffer): string {
  const hash = createHash('sha256').update('striper/1 checksum').update(secret).digest()
  return hash.subarray(0, 3).toString('base64url')
}
