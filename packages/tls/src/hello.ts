// The ClientHello: whether a handshake that begins with it asks for no second one.
//
//   record  ┌────┬─────────┬────────┬──────┬──────────────┬─────────────────────────────────── … ─┐
//           │ 22 │ version │ length │ 1    │ length (u24) │ version, random, session, suites, …   │
//           └────┴─────────┴────────┴──────┴──────────────┴─────────────────────────────────── … ─┘
//           0    1         3        5      6              9
//
// A server that takes no groups for the exchange of keys but those of which it is offered one never
// says HelloRetryRequest (RFC 8446, 4.1.4). So all that a client may claim in the clear is in this
// message, and OpenSSL may have the rest unseen (claims.ts).
//
// Pure.

import { MAX_CLAIM_BYTES } from './claims.ts'

/** Groups by number (RFC 8446, 4.2.7; draft-ietf-tls-ecdhe-mlkem), with their names in OpenSSL. */
const GROUPS: ReadonlyMap<number, string> = new Map([
  [0x001d, 'X25519'],
  [0x11ec, 'X25519MLKEM768'],
])

const HEAD_BYTES = 9
const HANDSHAKE = 22
const CLIENT_HELLO = 1
const KEY_SHARE = 51

/**
 * Of which groups the first bytes from a client offer keys, by OpenSSL's names; undefined where
 * more bytes have to come, before that can be said. None where they are no whole ClientHello in a
 * record of its own, one that claims too much, or offer nothing that is known here.
 */
export function groupsOffered(bytes: Buffer): readonly string[] | undefined {
  if (bytes.length > 0 && bytes[0] !== HANDSHAKE) return []
  if (bytes.length < HEAD_BYTES) return undefined
  const record = bytes.readUInt16BE(3)
  const message = bytes.readUIntBE(6, 3)
  if (bytes[5] !== CLIENT_HELLO || record !== message + 4 || message > MAX_CLAIM_BYTES) return []
  if (bytes.length < HEAD_BYTES + message) return undefined
  try {
    return readGroups(bytes.subarray(HEAD_BYTES, HEAD_BYTES + message))
  } catch {
    return [] // a length that leads beyond the end
  }
}

function readGroups(hello: Buffer): readonly string[] {
  let at = 2 + 32 // version, random
  at += 1 + hello.readUInt8(at) // session
  at += 2 + hello.readUInt16BE(at) // suites
  at += 1 + hello.readUInt8(at) // compression
  for (at += 2; at < hello.length;) {
    const type = hello.readUInt16BE(at)
    const end = at + 4 + hello.readUInt16BE(at + 2)
    if (type === KEY_SHARE) return groupsOf(hello.subarray(at + 6, end))
    at = end
  }
  return []
}

function groupsOf(shares: Buffer): readonly string[] {
  const numbers = new Set<number>()
  for (let at = 0; at < shares.length; at += 4 + shares.readUInt16BE(at + 2)) {
    numbers.add(shares.readUInt16BE(at))
  }
  return [...GROUPS].filter(([number]) => numbers.has(number)).map(([, name]) => name)
}
