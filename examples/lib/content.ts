// Bytes to send: as good as random, so that nothing can compress them or take one for another, and
// the same each time, so that both ends know their hash.

import { createCipheriv, createHash } from 'node:crypto'
import type { BytePipe } from 'striper'

const PIECE_BYTES = 64 * 1024

/** So many bytes, in pieces. Another seed gives others. */
export function* content(bytes: number, seed = 0): Generator<Buffer> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, `seed ${seed}`), Buffer.alloc(16))
  const zeros = Buffer.alloc(PIECE_BYTES)
  for (let left = bytes; left > 0; left -= PIECE_BYTES) {
    yield cipher.update(zeros.subarray(0, Math.min(left, PIECE_BYTES)))
  }
}

/** The SHA-256 of that content. */
export function hashOf(bytes: number, seed = 0): string {
  const hash = createHash('sha256')
  for (const piece of content(bytes, seed)) hash.update(piece)
  return hash.digest('hex')
}

/** Writes all pieces as fast as the pipe takes them, and ends it. Gives up where it fails. */
export async function send(pieces: Iterable<Buffer>, pipe: BytePipe): Promise<void> {
  let goOn: () => void = () => undefined
  pipe.on('drain', () => goOn()).on('close', () => goOn())
  for (const piece of pieces) {
    if (!pipe.write(piece)) await new Promise<void>(resolve => (goOn = resolve))
    if (pipe.destroyed) return
  }
  pipe.end()
}

/** Reads to the end, and resolves with the SHA-256 of what came; rejects where the pipe fails
 *  before. Tells how many bytes have come. */
export function receive(pipe: BytePipe, onBytes?: (bytes: number) => void): Promise<string> {
  const hash = createHash('sha256')
  let bytes = 0
  return new Promise((resolve, reject) => {
    pipe.on('data', (chunk: Buffer) => {
      hash.update(chunk)
      bytes += chunk.length
      onBytes?.(bytes)
    })
    pipe.once('end', () => resolve(hash.digest('hex'))).once('error', reject)
  })
}
