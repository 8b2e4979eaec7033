// How large the parcels are that whatever stands on a stripe cuts its bytes to: as the lanes are
// measured, and no larger than was said.

import { once } from 'node:events'
import { type Message, sizeOf } from '@striper/core'
import { mux } from '@striper/mux'
import { reassemble } from '@striper/reassemble'
import { stripe, type StripePipe } from '@striper/stripe'
import { describe, expect, test } from 'vitest'
import { openStripes, tcpLanes } from './scene.ts'

/** What there is room for beside the bytes: the headers of what stands on the stripe. */
const HEADERS_BYTES = 64
const BYTES = 3_000_000
const text = Buffer.from(Array.from({ length: BYTES }, (_, i) => (i * i) % 251))

/** The size of each parcel that is written to a stripe, from now on. */
function sizesOf(pipe: StripePipe): number[] {
  const sizes: number[] = []
  for (const way of ['write', 'writeUrgent'] as const) {
    const write = pipe[way].bind(pipe) as (message: Message, ...more: unknown[]) => boolean
    Object.assign(pipe, {
      [way]: (message: Message, ...more: unknown[]) => {
        sizes.push(sizeOf(message))
        return write(message, ...more)
      },
    })
  }
  return sizes
}

const users: Record<string, (near: StripePipe, far: StripePipe) => Promise<Buffer>> = {
  async 'a stream'(near, far) {
    const [one, other] = [reassemble()(near), reassemble()(far)]
    const chunks: Buffer[] = []
    other.on('data', (chunk: Buffer) => chunks.push(chunk)).end()
    one.resume().end(text)
    await once(other, 'end')
    return Buffer.concat(chunks)
  },
  async 'a channel of a mux'(near, far) {
    const one = mux(near, { role: 'dial' })
    const heard = new Promise<Buffer>((resolve, reject) => {
      mux(far, {
        role: 'accept',
        onChannel: channel => {
          const chunks: Buffer[] = []
          channel.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject)
          channel.on('end', () => resolve(Buffer.concat(chunks)))
          channel.end()
        },
      })
    })
    one.open().resume().end(text)
    const all = await heard
    await one.drain()
    return all
  },
}

describe.each(Object.entries(users))('%s', (_, carry) => {
  test.each([1024, 4096, 65_536])('over a stripe of at most %i bytes a parcel', async most => {
    const [near, far] = await openStripes(await tcpLanes(4), { maxParcelBytes: most })
    const [there, back] = [sizesOf(near), sizesOf(far)]
    expect((await carry(near, far)).equals(text)).toBe(true)
    expect(Math.max(...there)).toBeLessThanOrEqual(most + HEADERS_BYTES)
    expect(there.length).toBeGreaterThan(BYTES / (most + HEADERS_BYTES))
    expect(Math.max(...back)).toBeLessThanOrEqual(most + HEADERS_BYTES)
  })
})

test('below the most it is what the lanes are measured to want', () => {
  const preferred = (maxParcelBytes?: number) => {
    const pipe = stripe(maxParcelBytes === undefined ? {} : { maxParcelBytes })
    pipe.destroy()
    return pipe.preferredMessageBytes
  }
  expect(preferred(65_536)).toBe(preferred())
  expect(preferred(4096)).toBe(4096 + HEADERS_BYTES)
  expect(preferred()).toBeGreaterThan(4096 + HEADERS_BYTES)
})
