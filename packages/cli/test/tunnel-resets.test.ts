// A connection through the tunnel that is reset, by either side, at each point of its life: it
// arrives at the other side as a reset, a connection beside it notices nothing, nothing is left.

import { once } from 'node:events'
import type { Socket } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { dial, serve } from '../../../examples/test/scene.ts'
import { killAll, resetOf, tunnel } from './tunnel-scene.ts'

afterEach(killAll)

/** The two sides of a connection through the tunnel: who resets it, and who is to hear. */
interface Sides {
  mine: Socket
  theirs: Socket
}

const PATIENCE_MS = 30_000
vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 })
const MiB = Buffer.alloc(1024 * 1024)

/** How a connection is brought to a point of its life. */
const points: Record<string, (sides: Sides) => Promise<unknown>> = {
  'before a byte': () => Promise.resolve(),
  'behind its first byte': ({ mine, theirs }) => {
    mine.write('x')
    return once(theirs, 'data')
  },
  'behind a byte from each': async ({ mine, theirs }) => {
    mine.write('x')
    await once(theirs, 'data')
    theirs.write('y')
    await once(mine, 'data')
  },
  'in a transfer that it sends, and nobody reads': async ({ mine, theirs }) => {
    theirs.pause()
    for (let i = 0; i < 32; i++) mine.write(MiB)
    await vi.waitFor(() => expect(theirs.bytesRead).toBeGreaterThan(0), PATIENCE_MS)
  },
  'in a transfer that it gets': ({ mine, theirs }) => {
    for (let i = 0; i < 32; i++) theirs.write(MiB)
    return once(mine, 'data')
  },
  'behind its end': async ({ mine, theirs }) => {
    mine.end('x')
    theirs.resume()
    await once(theirs, 'end')
    theirs.write('y')
    await once(mine, 'data')
  },
  "behind the other's end": async ({ mine, theirs }) => {
    theirs.end('y')
    mine.resume()
    await once(mine, 'end')
    mine.write('x')
    await once(theirs, 'data')
  },
}

/** A tunnel, a connection beside the one in question, and how to open that one. */
async function scene() {
  const accepted: Socket[] = []
  const target = await serve(socket => {
    if (accepted.push(socket) === 1) socket.pipe(socket) // the bystander
  })
  const both = await tunnel(target)
  const bystander = dial(both.port)
  const echo = async () => {
    bystander.write('still here')
    await once(bystander, 'data')
  }
  await echo()
  const open = async (): Promise<[Socket, Socket]> => {
    const near = dial(both.port)
    await vi.waitFor(() => expect(accepted).toHaveLength(2), PATIENCE_MS)
    return [near, accepted[1]!]
  }
  const settled = () =>
    vi.waitFor(() => {
      for (const end of [both.server, both.client]) {
        expect(end.snapshot().open).toMatchObject({ sessions: 1, channels: 1 })
      }
    }, PATIENCE_MS)
  return { ...both, accepted, open, echo, settled }
}

for (const who of ['client', 'target'] as const) {
  for (const [point, reach] of Object.entries(points)) {
    test(`F22: the ${who} resets ${point}: the other side is reset, a connection beside it goes on`, async () => {
      const { open, echo, settled } = await scene()
      const [near, far] = await open()
      const sides = who === 'client' ? { mine: near, theirs: far } : { mine: far, theirs: near }
      await reach(sides)
      const heard = resetOf(sides.theirs)
      sides.mine.resetAndDestroy()
      sides.theirs.resume() // a reset is heard by who reads
      // Behind an end there is nothing to be heard, but by who writes (rule 6 of the contract).
      const say = () => point === 'behind its end' && sides.theirs.write('z')
      const saying = setInterval(say, 5)
      expect(['ECONNRESET', ...(point === 'behind its end' ? ['EPIPE'] : [])]).toContain(
        await heard,
      )
      clearInterval(saying)
      await echo()
      await settled()
    })
  }
}

test('F22: a client that resets while the target is dialled, or at once: nothing is left of it', async () => {
  const { port, echo, settled, accepted } = await scene()
  for (let turns = 0; turns < 10; turns++) {
    const socket = dial(port)
    await once(socket, 'connect')
    for (let i = 0; i < turns; i++) await new Promise(setImmediate)
    socket.resetAndDestroy()
    await echo()
  }
  await settled()
  for (const socket of accepted.slice(1)) socket.resume()
  await Promise.all(accepted.slice(1).map(resetOf))
})
