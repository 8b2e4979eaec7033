import { memoryPair, stack, type MessagePipe } from '@striper/core'
import { frame } from '@striper/frame'
import { stripe } from '@striper/stripe'
import { gather, type Gatherer, greet } from '@striper/trunk'
import { expect, test } from 'vitest'
import * as wire from '../../stripe/src/pure/wire.ts'
import { closed, exchange, framed, joined, listening, settled } from './scene.ts'

const id = (number: number) => Buffer.alloc(16, number)

/** A lane to a gatherer; nobody has said anything on it but the greeting. */
function lane(gatherer: Gatherer, session: Buffer): MessagePipe {
  const [near, far] = memoryPair()
  gatherer.accept(far)
  const lane = stack(near, greet(session), frame())
  lane.on('error', () => undefined)
  return lane
}

/** A lane that has said HELLO, and what it was answered: a HELLO or an ABORT; undefined for
 *  nothing. */
async function knock(gatherer: Gatherer, session: Buffer, number = 0, mayOpen = true) {
  const knocking = lane(gatherer, session)
  const hello = { mayOpen, lane: number, session, limit: wire.INITIAL_CREDIT }
  const answered = new Promise<number | undefined>(resolve => {
    knocking.once('data', (message: Buffer) => resolve(message[0]))
    knocking.once('close', () => resolve(undefined))
  })
  knocking.write(wire.encodeHello(hello))
  const answer = await answered
  knocking.on('end', () => knocking.end())
  return { knocking, answer }
}

test('lanes that name one session become one session; those of another, another', async () => {
  const sessions: Buffer[] = []
  const gatherer = gather({ layers: framed, onSession: ({ session }) => sessions.push(session) })
  for (const [session, number] of [
    [1, 0],
    [2, 0],
    [1, 1],
  ] as const) {
    expect((await knock(gatherer, id(session), number)).answer).toBe(wire.HELLO)
  }
  expect(sessions).toEqual([id(1), id(2)])
  expect(gatherer.sessions.map(each => each.lanes.length)).toEqual([2, 1])
  expect(gatherer.strangers).toBe(0)
  gatherer.destroy()
  await Promise.all(gatherer.sessions.map(closed))
  expect(gatherer.sessions).toEqual([])
})

test('a stripe whose session is refused fails with ERR_PIPE_RESET', async () => {
  const { gatherer } = listening({ maxSessions: 0 })
  const near = stripe({ session: id(1), lanes: [lane(gatherer, id(1))] })
  near.write(Buffer.from('a few words'))
  await expect(settled(near)).rejects.toMatchObject({ code: 'ERR_PIPE_RESET' })
  expect(near.errored?.message).toContain('no such session')
})

test('a lane that may not open a session joins one, and opens none', async () => {
  const { gatherer } = listening()
  expect((await knock(gatherer, id(1), 0, false)).answer).toBe(wire.ABORT)
  await knock(gatherer, id(1), 0, true)
  expect((await knock(gatherer, id(1), 1, false)).answer).toBe(wire.HELLO)
  expect(gatherer.sessions.map(each => each.lanes.length)).toEqual([2])
  gatherer.destroy()
})

test('a late lane does not open again a session that is over', async () => {
  const { gatherer, far } = listening()
  await knock(gatherer, id(1))
  const session = await far
  session.destroy()
  await closed(session)
  expect((await knock(gatherer, id(1), 1)).answer).toBe(wire.ABORT)
  expect(gatherer.sessions).toEqual([])
})

test('a session that ended well is not opened again either', async () => {
  const scene = joined()
  await exchange(scene, 1000)
  expect((await knock(scene.gatherer, scene.near.session, 9)).answer).toBe(wire.ABORT)
})

test('a session that is destroyed as it opens is an abort to the end that dialled it', async () => {
  const scene = joined({ gather: { onSession: session => session.destroy() } })
  await expect(settled(scene.near)).rejects.toMatchObject({ code: 'ERR_PIPE_RESET' })
  expect(scene.gatherer.sessions).toEqual([])
})

test('as many sessions as allowed, and not one more, until one is over', async () => {
  const { gatherer } = listening({ maxSessions: 3 })
  for (const number of [1, 2, 3]) {
    expect((await knock(gatherer, id(number))).answer).toBe(wire.HELLO)
  }
  expect((await knock(gatherer, id(4))).answer).toBe(wire.ABORT)
  expect(gatherer.sessions).toHaveLength(3)
  const [first] = gatherer.sessions
  first!.destroy()
  await closed(first!)
  expect((await knock(gatherer, id(5))).answer).toBe(wire.HELLO)
  gatherer.destroy()
})

test('a function says what each session is made with, and refuses those that it has nothing for', async () => {
  const limits = [{ windowBytes: 2 ** 20 }, undefined, { windowBytes: 2 ** 19 }]
  const { gatherer } = listening({ stripe: () => limits.shift() })
  expect((await knock(gatherer, id(1))).answer).toBe(wire.HELLO)
  expect((await knock(gatherer, id(1), 1)).answer, 'the same session').toBe(wire.HELLO)
  expect((await knock(gatherer, id(2))).answer).toBe(wire.ABORT)
  expect((await knock(gatherer, id(3))).answer).toBe(wire.HELLO)
  expect(gatherer.sessions.map(({ session }) => session[0])).toEqual([1, 3])
  gatherer.destroy()
})

test('as many lanes as allowed, and not one more, until one has gone', async () => {
  const { gatherer, far } = listening({ maxLanes: 2 })
  const first = await knock(gatherer, id(1), 0)
  await knock(gatherer, id(1), 1)
  expect((await knock(gatherer, id(1), 2)).answer).toBeUndefined()
  const session = await far
  expect(session.lanes.map(({ number }) => number)).toEqual([0, 1])
  const down = new Promise(resolve => session.once('laneDown', resolve))
  first.knocking.destroy()
  await down
  expect((await knock(gatherer, id(1), 3)).answer).toBe(wire.HELLO)
  expect(session.lanes.map(({ number }) => number)).toEqual([1, 3])
  gatherer.destroy()
})

test('a session whose last words were lost ends well for the end that dials again', async () => {
  const { near, far, gatherer } = joined({ lanes: 1 })
  const session = await far
  session.resume()
  near.resume()
  near.end(Buffer.from('all there is'))
  await new Promise(resolve => session.once('end', resolve))
  session.end()
  // The far end is done when it hears that its END arrived. Its farewell, with the ACK of ours,
  // is lost with the lane.
  session.once('finish', () => near.below[0]?.below[0]?.destroy())
  await Promise.all([closed(session), settled(near)])
  expect(near.writableFinished).toBe(true)
  expect(gatherer.sessions).toEqual([])
})
