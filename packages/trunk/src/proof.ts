// PROOF: how a lane with secrecy shows that it belongs to its session. Its first message, before
// HELLO, from the dialling end.
//
//   ┌──────┬───────┬──────┬──────────────────────┐
//   │ 0x18 │ flags │ mac  │ secret               │   the secret only where the lane may open the
//   └──────┴───────┴──────┴──────────────────────┘   session: bit 0 of flags says so
//   0      1       2      34                     66
//
//   id  = HMAC-SHA256(secret, "striper session"), the first 16 bytes: in clear in every greeting
//   mac = HMAC-SHA256(secret, "striper lane, dial" ‖ version ‖ id ‖ exporter value of this lane)
//
// The exporter value (RFC 8446, 7.5) is new for each connection, from both ends: so a PROOF is good
// for its own lane, and needs no nonce and no further round trip. The id is made from the secret:
// whoever sees it cannot open a session under it, or get into one.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { type MessagePipe, PipeError, type Secured, securedBy } from '@striper/core'
import { SESSION_ID_BYTES, type StripePipe } from '@striper/stripe'

export const PROOF = 0x18
const VERSION = 1
const WITH_SECRET = 1
const KEY_BYTES = 32
const EXPORTER = 'EXPORTER-striper-lane'
/** The type of the message that tells the dialling end that the session is there. */
const HELLO = 0x10

/** The first message of a lane with secrecy. */
export interface Proof {
  readonly mac: Buffer
  /** Where the lane may open the session. */
  readonly secret: Buffer | undefined
}

/** What is known of a session that was opened with a proof. */
export interface Owner {
  readonly secret: Buffer
  /** Whom the lane came from that opened it. */
  readonly peer: string
}

/** The id of the session with that secret. */
export function idOf(secret: Buffer): Buffer {
  return hmac(secret, Buffer.from('striper session')).subarray(0, SESSION_ID_BYTES)
}

/** The PROOF of one lane. */
export function encodeProof(secret: Buffer, lane: Secured, mayOpen: boolean): Buffer {
  const head = Buffer.from([PROOF, mayOpen ? WITH_SECRET : 0])
  const mac = macOf(secret, idOf(secret), lane)
  return Buffer.concat(mayOpen ? [head, mac, secret] : [head, mac])
}

/** Reads one; throws ERR_PIPE_AUTH where a message is none. */
export function decodeProof(message: Buffer): Proof {
  const withSecret = message[1] === WITH_SECRET
  const known = withSecret || message[1] === 0
  const length = 2 + KEY_BYTES * (withSecret ? 2 : 1)
  if (message[0] !== PROOF || !known || message.length !== length) {
    throw new PipeError('ERR_PIPE_AUTH', 'a lane with secrecy that does not begin with a proof')
  }
  const mac = Buffer.from(message.subarray(2, 2 + KEY_BYTES))
  return { mac, secret: withSecret ? Buffer.from(message.subarray(2 + KEY_BYTES)) : undefined }
}

const NOBODY: Owner = { secret: randomBytes(KEY_BYTES), peer: '' }

/**
 * Whom a lane proves to be of: the owner of the session, or the owner to be where it has none yet
 * and the lane may open it; undefined where it proves nothing. The work is the same whatever the
 * session, the mac and the peer.
 */
export function ownerBy(
  proof: Proof,
  id: Buffer,
  lane: Secured,
  known: Owner | undefined,
): Owner | undefined {
  const claimed = proof.secret ? { secret: proof.secret, peer: lane.peer } : NOBODY
  const owner = known ?? claimed
  const rightMac = timingSafeEqual(macOf(owner.secret, id, lane), proof.mac)
  const rightId = timingSafeEqual(idOf(owner.secret), id)
  return rightMac && rightId && owner.peer === lane.peer ? owner : undefined
}

/** Proves the lanes of one trunk. */
export class Prover {
  readonly #secret = randomBytes(KEY_BYTES)
  /** The id of the session that its lanes are of. */
  readonly session = idOf(this.#secret)
  #secured: boolean | undefined
  #welcomed = false // the session is there: no lane may open it any more

  /** To be called before the stripe gets the lane: where it has secrecy, it says PROOF as it opens.
   *  Where some lanes of a trunk have secrecy and some have not, the trunk fails: the plain ones
   *  would carry what the others hide. */
  prove(lane: MessagePipe, trunk: StripePipe): void {
    const secured = securedBy(lane)
    this.#secured ??= secured !== undefined
    if (this.#secured !== (secured !== undefined)) {
      const sentence = 'some of its lanes have secrecy and some have not'
      trunk.destroy(new PipeError('ERR_PIPE_AUTH', sentence, { label: trunk.label }))
    } else if (secured) {
      if (lane.pending) lane.once('ready', () => this.#say(lane, secured))
      else this.#say(lane, secured)
    }
  }

  #say(lane: MessagePipe, secured: Secured): void {
    lane.once('data', (message: Buffer) => (this.#welcomed ||= message[0] === HELLO))
    try {
      lane.write(encodeProof(this.#secret, secured, !this.#welcomed))
    } catch (error) {
      // What is below was lost in this very moment, and has no keys: the lane has not heard yet.
      lane.destroy(PipeError.from(error, lane.label))
    }
  }
}

/** What a lane of the session `id` shows that its end knows the secret. */
export function macOf(secret: Buffer, id: Buffer, lane: Secured): Buffer {
  const exported = lane.exportKeyingMaterial(EXPORTER, KEY_BYTES)
  const head = Buffer.from(`striper lane, dial${String.fromCharCode(VERSION)}`, 'latin1')
  return hmac(secret, Buffer.concat([head, id, exported]))
}

function hmac(key: Buffer, text: Buffer): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
