// Batches: what is written to a TLSSocket at once. Node encrypts all of it before it asks whether
// anybody takes it.

const BATCH_BYTES = 256 * 1024

/** Chunks in batches of at most `BATCH_BYTES`; what is larger is cut. */
export function inBatches(chunks: readonly Buffer[]): Buffer[][] {
  const batches: Buffer[][] = []
  let batch: Buffer[] = []
  let room = BATCH_BYTES
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + room)
      batch.push(piece)
      at += piece.length
      room -= piece.length
      if (room > 0) continue
      batches.push(batch)
      batch = []
      room = BATCH_BYTES
    }
  }
  if (batch.length > 0) batches.push(batch)
  return batches
}
