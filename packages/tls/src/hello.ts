// The ClientHello: whether a handshake that begins with it asks for no second one.
//
//   record  ┌────┬─────────┬────────┬──────┬──────────────┬─────────────────────────────────── … ─┐
//           │ 22 │ version │ length │ 1    │ length (u24) │ version, random, session, suites, …   │
//           └────┴─────────┴────────┴──────┴──────────────┴─────────────────────────────────── … ─┘
//           0    1         3        5      6              9
//
// A server that takes one group for the exchange of keys, and is offered a key of that group, never
// says HelloRetryRequest (RFC 8446, 4.1.4). So all that a client may claim in the clear is in this
// message, and OpenSSL may have the rest unseen (claims.ts).
//
// Pure.

import { MAX_CLAIM_BYTES } from './claims.ts'

/** The group, as OpenSSL writes it, and its number (RFC 8446, 4.2.7). */
export const GROUP = 'X25519'
const X25519 = 0x001d

const HEAD_BYTES = 9
const HANDSHAKE = 22
const CLIENT_HELLO = 1
const KEY_SHARE = 51

/** What the first bytes from a client are: `more` have to come, before it can be said; a hello that
 *  is `plain`: whole, in a record of its own, its only key of our group; or `other`. */
export function judgeHello(bytes: Buffer): 'more' | 'plain' | 'other' {
  if (bytes.length > 0 && bytes[0] !== HANDSHAKE) return 'other'
  if (bytes.length < HEAD_BYTES) return 'more'
  const record = bytes.readUInt16BE(3)
  const message = bytes.readUIntBE(6, 3)
  if (bytes[5] !== CLIENT_HELLO || record !== message + 4 || message > MAX_CLAIM_BYTES) {
    return 'other'
  }
  if (bytes.length < HEAD_BYTES + message) return 'more'
  try {
    return offersOnly(X25519, bytes.subarray(HEAD_BYTES, HEAD_BYTES + message)) ? 'plain' : 'other'
  } catch {
    return 'other' // a length that leads beyond the end
  }
}

function offersOnly(group: number, hello: Buffer): boolean {
  let at = 2 + 32 // version, random
  at += 1 + hello.readUInt8(at) // session
  at += 2 + hello.readUInt16BE(at) // suites
  at += 1 + hello.readUInt8(at) // compression
  for (at += 2; at < hello.length;) {
    const type = hello.readUInt16BE(at)
    const bytes = hello.readUInt16BE(at + 2)
    at += 4
    if (type === KEY_SHARE) {
      const [shares, first, key] = [0, 2, 4].map(offset => hello.readUInt16BE(at + offset))
      return shares === bytes - 2 && first === group && key === shares - 4
    }
    at += bytes
  }
  return false
}
