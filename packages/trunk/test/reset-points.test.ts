// A lane's connection is reset, over TCP, at each point of its life: while it is dialled, in the
// greeting, in the handshake, in PROOF and HELLO, in a parcel, behind a half-close, at the end, and
// again as it comes back. It costs no byte, the process lives, and no socket is left.

import type { ByteDuplex, BytePipe, Layer } from '@striper/core'
import { reassemble } from '@striper/reassemble'
import type { GatherOptions } from '@striper/trunk'
import { cut } from '@striper/testkit'
import { afterEach, expect, test, vi } from 'vitest'
import { closed, converse, text } from './scene.ts'
import { overTcp, type Places, type TcpScene } from './secured-tcp.ts'

const BYTES = 300_000
const GREETING = 24
/** Lengths of messages on a lane, each with the 4 bytes of its frame. */
const PROOF = 4 + 66
const HELLO = 4 + 30

const unhandled: unknown[] = []
const note = (error: unknown) => unhandled.push(error)
process.on('uncaughtExceptionMonitor', note).on('unhandledRejection', note)
afterEach(() => {
  expect(unhandled.splice(0)).toEqual([])
})

/** A fault that says when it has happened. */
interface Point {
  /** Whether the fault is at the connection of that number. */
  at: (connection: number) => boolean
  places: (happened: () => void) => Places
}

const first = (connection: number): boolean => connection === 0
const second = (connection: number): boolean => connection === 1

/** Cuts after so many bytes, both ways together. */
const cutAt =
  (afterBytes: number, happened: () => void): Layer =>
  (below: ByteDuplex): BytePipe =>
    cut({ afterBytes })(below).once('error', happened)

/** Destroys a pipe when it is ready, before anybody has written to it. */
const whenReady =
  (happened: () => void): Layer =>
  below => {
    const pipe = below as BytePipe
    pipe.once('ready', () => {
      happened()
      pipe.destroy()
    })
    return pipe
  }

const at = (place: keyof Places, afterBytes: number, who = first): Point => ({
  at: who,
  places: happened => ({ [place]: cutAt(afterBytes, happened) }),
})

/** Destroys a connection in the tick in which it is made. */
const atOnce =
  (happened: () => void): Layer =>
  below => {
    happened()
    return (below as BytePipe).destroy()
  }

const points: Record<string, Point> = {
  '1 dialling': { at: first, places: happened => ({ near: atOnce(happened) }) },
  '1 dialled': { at: first, places: happened => ({ near: whenReady(happened) }) },
  '2 accepting': { at: first, places: happened => ({ far: atOnce(happened) }) },
  '3 in the greeting, near': at('near', 12),
  '3 in the greeting, far': at('far', 12),
  '3 before TLS, near': at('near', GREETING),
  '3 before TLS, far': at('far', GREETING),
  '4 in the handshake, near': at('near', GREETING + 100),
  '4 in the handshake, far': at('far', GREETING + 100),
  '4 in the answer to it, far': at('far', GREETING + 420),
  '5 before PROOF, far': { at: first, places: happened => ({ farClear: whenReady(happened) }) },
  '5 in PROOF, near': at('nearClear', 20),
  '5 in PROOF, far': at('farClear', 20),
  '6 before HELLO, near': at('nearClear', PROOF),
  '6 before HELLO, far': at('farClear', PROOF),
  '7 behind HELLO, near': at('nearClear', PROOF + HELLO),
  '7 behind HELLO, far': at('farClear', PROOF + HELLO),
  '7 in the answer to HELLO, far': at('farClear', PROOF + HELLO + 10),
  '8 in PROOF of a lane that joins, near': at('nearClear', 20, second),
  '8 in PROOF of a lane that joins, far': at('farClear', 20, second),
  '8 behind HELLO of a lane that joins, far': at('farClear', PROOF + HELLO, second),
  '9 at the first byte, near': at('nearClear', PROOF + 2 * HELLO + 14),
  '9 at the first byte, far': at('farClear', PROOF + 2 * HELLO + 14),
  '10 in a parcel, near': at('nearClear', 50_000),
  '10 in a parcel, far': at('farClear', 50_000),
  '11 both again and again as they come back, near': {
    at: connection => connection < 6,
    places: happened => ({ nearClear: cutAt(30_000, happened) }),
  },
  '11 both again and again as they come back, in PROOF': {
    at: connection => connection >= 2 && connection < 6,
    places: happened => ({ farClear: cutAt(20, happened) }),
  },
}

/** What is left when a conversation is over. */
async function nothingLeft({ gatherer, server, dialled, near }: TcpScene): Promise<void> {
  await vi.waitFor(() => {
    expect([gatherer.strangers, gatherer.sessions.length, server.connections.size]).toEqual([
      ...[0, 0, 0],
    ])
  }, 10_000)
  expect(near.closed).toBe(true)
  expect(dialled.filter(pipe => !pipe.closed)).toEqual([])
  await server.close()
}

function conversation({ near, far }: TcpScene) {
  const [up, down] = [text(1, 0, BYTES), text(2, 0, BYTES)]
  const ends = { near: reassemble()(near), far: far.then(each => reassemble()(each)) }
  const over = Promise.all([
    converse(ends.near, up, down),
    ends.far.then(each => converse(each, down, up)),
  ])
  return { ...ends, over }
}

for (const [name, { at: who, places }] of Object.entries(points)) {
  test(`F22: ${name}: reset, and not a byte is lost`, async () => {
    let happened = 0
    const again = name.startsWith('11 both') && name.endsWith('PROOF')
    const scene = await overTcp(2, connection => {
      if (again && connection < 2) return { nearClear: cutAt(30_000, () => undefined) }
      return who(connection) ? places(() => happened++) : {}
    })
    await conversation(scene).over
    expect(happened).toBeGreaterThan(0)
    await nothingLeft(scene)
  })
}

test('regression: TLS that is lost in the tick in which it opens costs its lane, and not the process', async () => {
  let happened = 0
  const nearClear = whenReady(() => happened++)
  const scene = await overTcp(2, connection => (connection === 0 ? { nearClear } : {}))
  await conversation(scene).over
  expect(happened, 'F22: 5 before PROOF, near').toBe(1)
  await nothingLeft(scene)
})

test('F22: 12 one direction has ended, and the lanes that carry the other are reset', async () => {
  const scene = await overTcp(2)
  const [up, down] = [text(1, 0, BYTES), text(2, 0, BYTES)]
  const near = reassemble()(scene.near)
  const far = reassemble()(await scene.far)
  near.end(up)
  let heard = Buffer.alloc(0)
  let resets = 0
  near.on('data', (bytes: Buffer) => {
    heard = Buffer.concat([heard, bytes])
    // One of the two lanes each time: the answer goes on by the other.
    if (resets++ % 4 === 0) scene.near.below[resets % 2]?.destroy()
  })
  await new Promise(resolve => far.resume().once('end', resolve))
  for (let sent = 0; sent < BYTES; sent += 10_000) {
    if (!far.write(down.subarray(sent, sent + 10_000))) {
      await new Promise(resolve => far.once('drain', resolve))
    }
    await new Promise(setImmediate)
  }
  far.end()
  await Promise.all([closed(near), closed(far)])
  expect([near.errored, far.errored]).toEqual([null, null])
  expect(heard.equals(down)).toBe(true)
  expect(resets).toBeGreaterThan(4)
  await nothingLeft(scene)
})

/** A few words both ways, and both ends have read the other's end; then one end's lanes are reset,
 *  before its farewell has gone. */
async function farewell(end: 'near' | 'far', options: Partial<GatherOptions> = {}) {
  const scene = await overTcp(2, undefined, options)
  const session = await scene.far
  for (const pipe of [scene.near, session]) pipe.resume().end(Buffer.from('all there is'))
  const mine = end === 'near' ? scene.near : session
  await new Promise(resolve => mine.once('end', resolve))
  for (const lane of mine.below) lane.destroy()
  await Promise.all([closed(scene.near), closed(session)])
  expect([scene.near.readableEnded, session.readableEnded]).toEqual([true, true])
  await nothingLeft(scene)
  return [scene.near.errored, session.errored]
}

test('F22: 13 the last words of the listening end are lost: the other dials again, and both end well', async () => {
  expect(await farewell('far')).toEqual([null, null])
})

test('F22: 13 the last words of the dialling end are lost: nobody dials again, and the other says so if it is not sure', async () => {
  const [near, far] = await farewell('near', { stripe: { noLaneTimeoutMs: 200 } })
  expect(near).toBeNull()
  // They may have arrived all the same: they went when it had read the other's end.
  if (far) expect(far).toMatchObject({ code: 'ERR_PIPE_NO_LANES' })
})

for (const end of ['near', 'far'] as const) {
  test(`F22: 14 a session that is aborted while its lanes are reset, at the ${end} end, is a reset to the other`, async () => {
    const scene = await overTcp(2)
    const session = await scene.far
    const { over } = conversation(scene)
    over.catch(() => undefined)
    await new Promise(resolve => session.once('data', resolve))
    const mine = end === 'near' ? scene.near : session
    mine.below[0]!.destroy()
    mine.destroy()
    await Promise.all([closed(scene.near), closed(session)])
    const other = end === 'near' ? session : scene.near
    expect(other.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
    await expect(over).rejects.toMatchObject({ name: 'PipeError' })
    await nothingLeft(scene)
  })
}
