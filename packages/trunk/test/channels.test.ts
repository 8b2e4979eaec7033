// All of a tunnel but the command: many channels of a mux over eight lanes with TLS over TCP.
//
// `npm run bench -- tunnel` has the same with 1,000 channels and 1 MiB each way.

import { createHash } from 'node:crypto'
import { type Channel, mux } from '@striper/mux'
import { cut, rng } from '@striper/testkit'
import { expect, test, vi } from 'vitest'
import { overTcp } from './secured-tcp.ts'

const KiB = 1024
const BYTES = 64 * KiB
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

/** Says a text to its end, and reads the peer's: what it hashes to, and how long it was. */
async function exchange(channel: Channel, says: Buffer): Promise<string> {
  const hash = createHash('sha256')
  channel.on('data', (bytes: Buffer) => hash.update(bytes))
  channel.end(says)
  await new Promise<void>((resolve, reject) => {
    channel.once('error', reject).once('close', resolve)
  })
  return hash.digest('hex')
}

for (const [what, lossy] of [
  ['', false],
  [', while lanes are reset', true],
] as const) {
  test(`100 channels at once carry 64 KiB each way over 8 lanes with TLS, no byte wrong${what}`, async () => {
    const chance = rng(7)
    const scene = await overTcp(8, () =>
      lossy ? { near: cut({ afterBytes: chance.integer(300_000, 1_500_000) }) } : {},
    )
    const texts = Array.from({ length: 200 }, (_, i) => rng(i + 1).bytes(BYTES))
    const hashes = texts.map(sha256)
    const answers: Promise<void>[] = []
    const far = mux(await scene.far, {
      role: 'accept',
      onChannel: channel => {
        const i = Number(String(channel.header))
        const heard = exchange(channel, texts[100 + i]!)
        answers.push(heard.then(hash => expect(hash, `channel ${i}, up`).toBe(hashes[i])))
      },
    })
    const near = mux(scene.near, { role: 'dial' })
    const asked = texts.slice(0, 100).map(async (text, i) => {
      const channel = near.open({ header: Buffer.from(String(i)) })
      expect(await exchange(channel, text), `channel ${i}, down`).toBe(hashes[100 + i])
    })
    await Promise.all(asked)
    await Promise.all(answers)
    expect(answers).toHaveLength(100)
    if (lossy) expect(scene.dialled.length, 'lanes dialled').toBeGreaterThan(8)
    else expect(scene.dialled).toHaveLength(8)
    await Promise.all([near.drain(), far.done])
    for (const end of [near, far]) {
      expect(end.muxStats).toMatchObject({ channels: 0, heldBytes: 0, queuedBytes: 0 })
    }
    await vi.waitFor(() => expect(scene.server.connections.size).toBe(0), 10_000)
    expect(scene.gatherer.sessions).toEqual([])
    await scene.server.close()
  }, 120_000)
}
