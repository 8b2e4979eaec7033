// Part of a handshake without the key: what a stranger may say, and then says no more.

/** Near the longest message of a handshake that the server lets pass, in bytes. */
const MESSAGE_BYTES = 16_000

/** A record of TLS (RFC 8446, 5.1) with most of a ClientHello, the end of which never comes. */
export function mostOfAHello(): Buffer {
  const record = Buffer.alloc(5 + MESSAGE_BYTES - 100)
  record.set([22, 3, 1])
  record.writeUInt16BE(MESSAGE_BYTES, 3)
  record[5] = 1
  record.writeUIntBE(MESSAGE_BYTES - 4, 6, 3)
  return record
}
