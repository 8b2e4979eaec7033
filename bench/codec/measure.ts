// What a message costs from one end of a layer to the other, in CPU time: other programs on the
// machine cost less of it than of the time by the clock.

import type { Layered } from './layers.ts'

const WARM_MESSAGES = 3000
const BATCH_CPU_MS = 150

/** Nanoseconds of CPU a message of `bytes`, both ends together. Collecting garbage is part of it.
 *  */
export async function costOf({ open }: Layered, bytes: number): Promise<number> {
  const [near, far] = await open()
  const unit = Buffer.alloc(bytes, 'x')
  let missing = 0
  let arrived: () => void = () => undefined
  far.on('data', (chunk: Buffer) => {
    missing -= chunk.length
    if (missing === 0) arrived()
  })
  const send = async (count: number) => {
    missing = count * bytes
    const all = new Promise<void>(resolve => (arrived = resolve))
    for (let sent = 0; sent < count; sent++) {
      if (!near.write(unit)) await new Promise(resolve => near.once('drain', resolve))
    }
    await all
  }
  await send(WARM_MESSAGES)
  const cost = await timed(send, WARM_MESSAGES / 10)
  const count = Math.ceil((BATCH_CPU_MS * 1e6) / cost)
  const measured = await timed(send, count)
  for (const end of [near, far]) end.on('error', () => undefined).destroy()
  return measured
}

async function timed(send: (count: number) => Promise<void>, count: number): Promise<number> {
  const before = process.cpuUsage()
  await send(count)
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1000) / count
}
