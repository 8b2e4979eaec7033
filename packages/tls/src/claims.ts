// Claims: how long the messages of a handshake say that they are, while it is in the clear
// (RFC 8446, 4 and 5.1).
//
//   record   ┌────┬─────────┬────────┬───────────────────────────── … ─┐
//            │ 22 │ version │ length │ message: type, length (u24), …  │
//            └────┴─────────┴────────┴───────────────────────────── … ─┘
//            0    1         3        5
//
// OpenSSL makes room for a whole message as soon as it has read its length, and takes a ClientHello
// of 128 KiB: nine bytes from somebody unknown would cost 170 KiB. An honest one has less than
// 2 KiB. Records that are no handshake's end it: from then on all is encrypted, or OpenSSL fails.
//
// Pure.

/** The longest message that may be claimed, in bytes. */
export const MAX_CLAIM_BYTES = 16 * 1024

const HANDSHAKE = 22
const CHANGE_CIPHER_SPEC = 20
const RECORD_HEAD_BYTES = 5
const MESSAGE_HEAD_BYTES = 4

/** Looks at what comes from a peer in a handshake. */
export class Claims {
  #recordHead = Buffer.alloc(0)
  #messageHead = Buffer.alloc(0)
  #recordLeft = 0
  #messageLeft = 0
  #over = false

  /** Takes the next bytes. The length of a message that is too long; else undefined. */
  tooLong(chunk: Buffer): number | undefined {
    let rest = chunk
    while (rest.length > 0 && !this.#over) {
      if (this.#recordLeft === 0) {
        rest = this.#readRecordHead(rest)
        continue
      }
      const part = rest.subarray(0, this.#recordLeft)
      rest = rest.subarray(part.length)
      this.#recordLeft -= part.length
      const length = this.#recordHead[0] === HANDSHAKE ? this.#readMessages(part) : undefined
      if (this.#recordLeft === 0) this.#recordHead = Buffer.alloc(0)
      if (length !== undefined) return length
    }
    return undefined
  }

  #readRecordHead(bytes: Buffer): Buffer {
    const missing = RECORD_HEAD_BYTES - this.#recordHead.length
    this.#recordHead = Buffer.concat([this.#recordHead, bytes.subarray(0, missing)])
    if (this.#recordHead.length === RECORD_HEAD_BYTES) {
      const [type] = this.#recordHead
      this.#over = type !== HANDSHAKE && type !== CHANGE_CIPHER_SPEC
      this.#recordLeft = this.#recordHead.readUInt16BE(3)
      if (this.#recordLeft === 0) this.#over = true // empty ones are not allowed here
    }
    return bytes.subarray(missing)
  }

  #readMessages(part: Buffer): number | undefined {
    let rest = part
    while (rest.length > 0) {
      if (this.#messageLeft > 0) {
        const some = Math.min(this.#messageLeft, rest.length)
        this.#messageLeft -= some
        rest = rest.subarray(some)
        continue
      }
      const missing = MESSAGE_HEAD_BYTES - this.#messageHead.length
      this.#messageHead = Buffer.concat([this.#messageHead, rest.subarray(0, missing)])
      rest = rest.subarray(missing)
      if (this.#messageHead.length < MESSAGE_HEAD_BYTES) return undefined
      this.#messageLeft = this.#messageHead.readUIntBE(1, 3)
      this.#messageHead = Buffer.alloc(0)
      if (this.#messageLeft > MAX_CLAIM_BYTES) return this.#messageLeft
    }
    return undefined
  }
}
