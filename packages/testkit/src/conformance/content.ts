// What the suite sends, and how it compares what arrived: every byte depends on its place, so the
// first wrong one can be named, and bytes that were lost, doubled or moved never look right by
// luck.

import type { Kind, MessagePipe, Pipe } from '@striper/core'
import { rng } from '../rng.ts'

/** Makes the next so many bytes of an endless text; another seed is another text. */
export type Source = (bytes: number) => Buffer

/** The text of a seed, from its beginning. */
export function source(seed: number): Source {
  let place = 0
  return bytes => {
    const unit = Buffer.allocUnsafe(bytes)
    for (let i = 0; i < bytes; i++, place++) {
      const word = Math.imul((place >>> 2) + seed, 0x9e3779b1)
      unit[i] = word >>> ((place & 3) << 3)
    }
    return unit
  }
}

/** The largest message of a pipe, in bytes; undefined for a byte pipe, which has none. */
export function largestMessage(pipe: Pipe): number | undefined {
  return pipe.kind === 'bytes' ? undefined : (pipe as MessagePipe).maxMessageBytes
}

/** The largest unit that the suite writes many of: what one message may hold, 64 KiB at most. */
export function largestUnit(pipe: Pipe): number {
  return Math.min(largestMessage(pipe) ?? 65536, 65536)
}

/** Units of many sizes, empty ones too, about `total` bytes together. */
export function units(pipe: Pipe, seed: number, total: number): Buffer[] {
  const chance = rng(seed)
  const next = source(seed)
  const most = largestUnit(pipe)
  const all: Buffer[] = []
  for (let left = total; left > 0;) {
    const bytes = chance.chance(0.3) ? chance.integer(0, 9) : chance.integer(0, most)
    all.push(next(Math.min(bytes, left)))
    left -= bytes
  }
  return all
}

/** Throws, and says what is wrong first, unless what was got is what was sent: the same bytes, the
 *  same messages, or the same parcels in any order. */
export function compare(kind: Kind, sent: readonly Buffer[], got: readonly Buffer[]): void {
  if (kind === 'bytes') sameBytes(Buffer.concat(sent), Buffer.concat(got), 'the stream')
  else if (kind === 'messages') sameMessages(sent, got)
  else sameParcels(sent, got)
}

/** The same for a conversation that was cut short: what was got is how it began. Parcels may be any
 *  of those that were sent. */
export function compareBeginning(kind: Kind, sent: readonly Buffer[], got: readonly Buffer[]) {
  if (kind === 'bytes') {
    const all = Buffer.concat(got)
    sameBytes(Buffer.concat(sent).subarray(0, all.length), all, 'the stream')
  } else if (kind === 'messages') {
    sameMessages(sent.slice(0, got.length), got)
  } else {
    countParcels(sent, got)
  }
}

function sameBytes(sent: Buffer, got: Buffer, what: string): void {
  if (sent.equals(got)) return
  let place = 0
  while (place < sent.length && sent[place] === got[place]) place++
  if (place === sent.length || place === got.length) {
    throw new Error(`${what} has ${got.length} bytes, ${sent.length} were sent`)
  }
  throw new Error(`${what} is wrong from byte ${place} of ${sent.length}`)
}

function sameMessages(sent: readonly Buffer[], got: readonly Buffer[]): void {
  for (let i = 0; i < Math.min(sent.length, got.length); i++) {
    sameBytes(sent[i]!, got[i]!, `message ${i}`)
  }
  if (sent.length !== got.length) {
    throw new Error(`${got.length} messages came, ${sent.length} were sent`)
  }
}

function sameParcels(sent: readonly Buffer[], got: readonly Buffer[]): void {
  const missing = countParcels(sent, got)
  if (missing > 0) throw new Error(`${missing} of ${sent.length} parcels did not come`)
}

/** How many parcels have not come. Throws where one came that was not sent, or came twice. */
function countParcels(sent: readonly Buffer[], got: readonly Buffer[]): number {
  const owed = new Map<string, number>()
  for (const parcel of sent) {
    const key = parcel.toString('latin1')
    owed.set(key, (owed.get(key) ?? 0) + 1)
  }
  for (const parcel of got) {
    const key = parcel.toString('latin1')
    const left = owed.get(key) ?? 0
    if (left === 0)
      throw new Error(`a parcel of ${parcel.length} bytes was not sent, or came twice`)
    owed.set(key, left - 1)
  }
  return sent.length - got.length
}
