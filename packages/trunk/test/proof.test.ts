// A lane with secrecy proves that it belongs to its session. A7 and so on are the threats' numbers
// in docs/security.md.

import { type BytePipe, memoryPair, type MessagePipe, ready, securedBy } from '@striper/core'
import { stack, WrapPipe } from '@striper/core'
import { frame } from '@striper/frame'
import { reassemble } from '@striper/reassemble'
import { cut, latency, rng } from '@striper/testkit'
import { newSecret, type Secret, tlsClient, tlsServer } from '@striper/tls'
import { type Gatherer, type GatherOptions, greet, trunk } from '@striper/trunk'
import { expect, test, vi } from 'vitest'
import * as wire from '../../stripe/src/pure/wire.ts'
import { decodeProof, encodeProof, idOf, macOf, PROOF } from '../src/proof.ts'
import { closed, exchange, framed, joined, listening, settled } from './scene.ts'

const SECRET = Buffer.alloc(32, 7)
const OTHER = Buffer.alloc(32, 8)
const ABORT_1 = Buffer.of(wire.ABORT, wire.NO_SESSION)

function secrecy(key: Secret = newSecret()) {
  return { key, near: tlsClient({ key }), far: tlsServer({ keys: key }) }
}

/** A gatherer whose lanes have secrecy, for some keys. */
function secured(keys: Secret[], options: Partial<GatherOptions> = {}) {
  const layers = (bytes: BytePipe) => stack(bytes, tlsServer({ keys }), frame())
  return listening({ layers, ...options })
}

interface Knock {
  key: Secret
  /** The session's secret, as the knocker believes, and its id. */
  secret?: Buffer
  id?: Buffer
  number?: number
  mayOpen?: boolean
  /** What it says in place of its PROOF. */
  proof?: Buffer
}

const hello = (session: Buffer, lane: number, mayOpen: boolean) =>
  wire.encodeHello({ mayOpen, lane, session, limit: wire.INITIAL_CREDIT })

/** A lane that says what it is told to, and the first message that comes back. */
async function knock(gatherer: Gatherer, options: Knock) {
  const { key, secret = SECRET, id = idOf(secret), number = 0, mayOpen = true } = options
  const [near, far] = memoryPair()
  gatherer.accept(far)
  const lane: MessagePipe = stack(near, greet(id), tlsClient({ key }), frame())
  lane.on('error', () => undefined)
  await ready(lane)
  const mac = macOf(secret, id, securedBy(lane)!) // for that id, whatever the secret's own
  const proof = Buffer.concat([
    Buffer.of(PROOF, mayOpen ? 1 : 0),
    mac,
    mayOpen ? secret : id.subarray(0, 0),
  ])
  const answer = new Promise<Buffer | undefined>(resolve => {
    lane.once('data', resolve).once('close', () => resolve(undefined))
  })
  lane.write(options.proof ?? proof)
  lane.write(hello(id, number, mayOpen))
  lane.on('end', () => lane.end())
  return { lane, proof, answer: await answer }
}

test('a trunk over lanes with secrecy: all that is said arrives, and the session knows its peer', async () => {
  const made = secrecy()
  const peers: unknown[] = []
  const scene = joined({ lanes: 4, secrecy: made })
  const session = await scene.far
  peers.push(scene.gatherer.peerOf(session))
  await exchange(scene, 500_000)
  expect(peers).toEqual([made.key.id])
})

test('whoever takes a session is told its peer, or that there is none', async () => {
  const key = newSecret()
  const peers: unknown[] = []
  const onSession: GatherOptions['onSession'] = (_session, peer) => peers.push(peer)
  const { gatherer } = secured([key], { onSession })
  await knock(gatherer, { key })
  const plain = listening({ onSession })
  trunk({ lanes: [dialler(plain.gatherer)] }).on('error', () => undefined)
  await vi.waitFor(() => expect(peers).toEqual([key.id, undefined]))
  for (const each of [gatherer, plain.gatherer]) each.destroy()
})

/** Dials a gatherer through memory. */
function dialler(gatherer: Gatherer, key?: Secret) {
  return (greet: (below: BytePipe) => BytePipe) => {
    const [near, far] = memoryPair()
    gatherer.accept(far)
    return key ? stack(near, greet, tlsClient({ key }), frame()) : stack(near, greet, frame())
  }
}

test('lanes that are dialled at once are all let in, whichever comes first', async () => {
  const slow = (ms: number) => ({ near: latency({ ms }) })
  for (const order of ['first', 'last']) {
    const scene = joined({
      lanes: 4,
      secrecy: secrecy(),
      weather: lane => slow(order === 'first' ? 10 * lane : 40 - 10 * lane),
    })
    const session = await scene.far
    while (session.lanes.length < 4) await new Promise(resolve => session.once('laneUp', resolve))
    await exchange(scene, 100_000)
  }
})

test('lanes that are lost and dialled again prove themselves again', async () => {
  const scene = joined({
    lanes: 3,
    secrecy: secrecy(),
    weather: (_, dial) => (dial < 3 ? { near: cut({ afterBytes: 30_000 }) } : {}),
  })
  await exchange(scene, 500_000)
  expect(Math.min(...scene.dials)).toBeGreaterThan(1)
})

/** Bytes that claim secrecy, and have none. */
class Sealed extends WrapPipe<'bytes'> {
  readonly peer = 'somebody'

  exportKeyingMaterial(_label: string, length: number): Buffer {
    return Buffer.alloc(length, 5)
  }
}

test('the secret goes only on lanes that may open the session', async () => {
  const fars: MessagePipe[] = []
  const proofs: Buffer[] = []
  const dial = (greet: (below: BytePipe) => BytePipe) => {
    const [near, far] = memoryPair()
    far.once('data', () => {
      const lane = framed(far) // what comes after the greeting
      fars.push(lane)
      lane.on('error', () => undefined).once('data', (message: Buffer) => proofs.push(message))
    })
    const sealed = new Sealed(greet(near), { kind: 'bytes', label: 'sealed' })
    return stack(sealed, frame())
  }
  const pipe = trunk({ lanes: [dial], random: () => 0 })
  await vi.waitFor(() => expect(proofs).toHaveLength(1))
  fars[0]!.write(hello(pipe.session, 0, false))
  await vi.waitFor(() => expect(pipe.below[0]!.stats.messagesIn).toBe(1))
  fars[0]!.destroy()
  await vi.waitFor(() => expect(proofs).toHaveLength(2))
  const [first, second] = proofs.map(decodeProof)
  expect(idOf(first!.secret!).equals(pipe.session)).toBe(true)
  expect(second!.secret).toBeUndefined()
  pipe.on('error', () => undefined).destroy()
})

test('A7: hundreds of strangers during a conversation: none joins, and it arrives whole', async () => {
  const scene = joined({ lanes: 2, secrecy: secrecy(), gather: { penaltyMs: 0 } })
  const session = await scene.far
  const chance = rng(5)
  const over = exchange(scene, 500_000)
  const gone: Promise<void>[] = []
  for (let i = 0; i < 300; i++) {
    const [near, far] = memoryPair()
    near.on('error', () => undefined).resume()
    scene.gatherer.accept(far)
    if (i % 2) near.write(Buffer.concat([Buffer.from('STRIPER\x01'), session.session]))
    near.end(chance.bytes(chance.integer(0, 300)))
    gone.push(closed(near))
    if (i % 20 === 0) await new Promise(setImmediate)
    expect(session.lanes.length).toBeLessThanOrEqual(2)
  }
  await over
  await Promise.all(gone)
})

test('A8: another key that is let in does not get into a session, even with its id and secret', async () => {
  const [key, other] = [newSecret(), newSecret()]
  const { gatherer, far } = secured([key, other])
  await knock(gatherer, { key })
  const session = await far
  for (const mayOpen of [true, false]) {
    const { answer } = await knock(gatherer, { key: other, number: 1, mayOpen })
    expect(answer).toEqual(ABORT_1)
  }
  expect(session.destroyed).toBe(false)
  expect(session.lanes.map(({ number }) => number)).toEqual([0])
  expect((await knock(gatherer, { key, number: 1 })).answer?.[0]).toBe(wire.HELLO)
  gatherer.destroy()
})

test('A9: a wrong mac, a wrong secret and an unknown session are answered alike', async () => {
  const key = newSecret()
  const { gatherer, far } = secured([key])
  const { proof } = await knock(gatherer, { key })
  const session = await far
  const id = idOf(SECRET)
  const flipped = Buffer.from(proof)
  flipped[20]! ^= 1
  const answers = [
    await knock(gatherer, { key, number: 1, proof: flipped }),
    await knock(gatherer, { key, number: 1, id, secret: OTHER }),
    await knock(gatherer, { key, number: 1, id, secret: OTHER, mayOpen: false }),
    await knock(gatherer, { key, number: 1, secret: OTHER, mayOpen: false }),
  ]
  for (const { answer } of answers) expect(answer).toEqual(ABORT_1)
  expect(gatherer.sessions).toEqual([session])
  expect(session.lanes).toHaveLength(1)
  gatherer.destroy()
})

test('A10: a proof of one lane is worth nothing on another', async () => {
  const key = newSecret()
  const { gatherer, far } = secured([key])
  const { proof } = await knock(gatherer, { key })
  const session = await far
  const { answer } = await knock(gatherer, { key, number: 1, proof })
  expect(answer).toEqual(ABORT_1)
  expect(session.lanes).toHaveLength(1)
  gatherer.destroy()
})

test('an id that was seen on the wire opens no session for whoever has no secret to it', async () => {
  const key = newSecret()
  const { gatherer } = secured([key])
  const { answer } = await knock(gatherer, { key, id: idOf(SECRET), secret: OTHER })
  expect(answer).toEqual(ABORT_1)
  expect(gatherer.sessions).toEqual([])
})

test("A11: what a node dials does not come in at its own door, where servers' names differ", async () => {
  const key = newSecret()
  let opened = 0
  const gatherer = listening({
    layers: bytes => stack(bytes, tlsServer({ keys: key, server: 'home' }), frame()),
    onSession: () => opened++,
  }).gatherer
  const [near, far] = memoryPair()
  gatherer.accept(far)
  const lane = stack(near, greet(idOf(SECRET)), tlsClient({ key, server: 'exit' }), frame())
  await expect(settled(lane)).rejects.toMatchObject({ code: 'ERR_PIPE_AUTH' })
  expect(opened).toBe(0)
})

test('a lane with secrecy that says HELLO at once, or half a proof, is aborted', async () => {
  const key = newSecret()
  const { gatherer } = secured([key])
  const short = Buffer.alloc(33, PROOF)
  for (const proof of [hello(idOf(SECRET), 0, true), short, Buffer.alloc(0), Buffer.of(PROOF)]) {
    const { lane, answer } = await knock(gatherer, { key, proof })
    await closed(lane)
    expect(answer).toBeUndefined()
    expect(lane.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
  }
  expect([gatherer.strangers, gatherer.sessions.length]).toEqual([0, 0])
})

test('a plain lane does not get into a session with secrecy, nor one with secrecy into a plain one', async () => {
  const key = newSecret()
  let plain = false
  const server = tlsServer({ keys: key })
  const { gatherer, far } = listening({
    layers: bytes => (plain ? stack(bytes, frame()) : stack(bytes, server, frame())),
  })
  await knock(gatherer, { key })
  const session = await far
  const plainly = async (number: number, id: Buffer) => {
    plain = true
    const [near, far] = memoryPair()
    gatherer.accept(far)
    const lane = stack(near, greet(id), frame())
    lane.write(hello(id, number, true))
    lane.on('error', () => undefined).on('end', () => lane.end())
    const answer = await new Promise<Buffer>(resolve => lane.once('data', resolve))
    plain = false
    return answer
  }
  expect(await plainly(1, idOf(SECRET))).toEqual(ABORT_1)
  expect(session.lanes).toHaveLength(1)
  expect((await plainly(0, idOf(OTHER)))[0]).toBe(wire.HELLO)
  expect((await knock(gatherer, { key, secret: OTHER, number: 1 })).answer).toEqual(ABORT_1)
  expect(gatherer.sessions.map(each => each.lanes.length)).toEqual([1, 1])
  gatherer.destroy()
})

test('where proof is required, a plain lane is aborted, and one that proves itself is let in', async () => {
  const plain = listening({ requireProof: true })
  const [near, far] = memoryPair()
  plain.gatherer.accept(far)
  const lane = stack(near, greet(idOf(SECRET)), frame())
  lane.write(hello(idOf(SECRET), 0, true))
  await expect(settled(lane)).rejects.toMatchObject({ code: 'ERR_PIPE_RESET' })
  expect(plain.gatherer.sessions).toEqual([])
  const key = newSecret()
  const { gatherer } = secured([key], { requireProof: true })
  expect((await knock(gatherer, { key })).answer?.[0]).toBe(wire.HELLO)
  gatherer.destroy()
})

test('a trunk some of whose lanes have secrecy and some have not fails before it says a word', async () => {
  const key = newSecret()
  for (const keys of [
    [undefined, key],
    [key, undefined],
  ]) {
    const { gatherer } = listening({ layers: framed })
    const pipe = trunk({ lanes: keys.map(each => dialler(gatherer, each)) })
    await expect(settled(pipe)).rejects.toMatchObject({ code: 'ERR_PIPE_AUTH' })
    expect(gatherer.sessions).toEqual([])
    gatherer.destroy()
  }
})

test('A12: to revoke a peer ends its sessions, and nobody else notices', async () => {
  const [key, other] = [newSecret(), newSecret()]
  const { gatherer } = secured([key, other])
  const theirs = await knock(gatherer, { key })
  await knock(gatherer, { key: other, secret: OTHER })
  expect(gatherer.revoke(key.id)).toBe(1)
  await closed(theirs.lane)
  expect(gatherer.sessions.map(each => gatherer.peerOf(each))).toEqual([other.id])
  expect(gatherer.revoke(key.id)).toBe(0)
  expect(gatherer.sessions[0]!.destroyed).toBe(false)
  gatherer.destroy()
})

test('that a session ended well is told to its owner only', async () => {
  const made = secrecy()
  const other = newSecret()
  const scene = joined({
    secrecy: { near: made.near, far: tlsServer({ keys: [made.key, other] }) },
  })
  const { near, gatherer } = scene
  const first = near.below[0]!
  const proofOf = new Promise<Buffer>(resolve => {
    const write = first.write.bind(first)
    first.write = ((unit: Buffer, ...rest: never[]) => {
      if (unit[0] === PROOF) resolve(unit)
      return write(unit, ...rest)
    }) as typeof first.write
  })
  const secret = decodeProof(await proofOf).secret!
  const session = await scene.far
  await exchange(scene, 1000)
  expect([session.readableEnded, session.writableFinished]).toEqual([true, true])
  const finished = Buffer.of(wire.ABORT, wire.FINISHED)
  expect((await knock(gatherer, { key: made.key, secret, number: 9 })).answer).toEqual(finished)
  expect((await knock(gatherer, { key: other, secret, number: 9 })).answer).toEqual(ABORT_1)
  const id = idOf(secret)
  const lie = await knock(gatherer, { key: made.key, id, secret: OTHER, number: 9 })
  expect(lie.answer).toEqual(ABORT_1)
})

test('T12: who has shaken hands and says no HELLO is aborted when his time is up', async () => {
  const key = newSecret()
  const { gatherer } = secured([key])
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  try {
    const [near, far] = memoryPair()
    gatherer.accept(far)
    const lane = stack(near, greet(idOf(SECRET)), tlsClient({ key }), frame())
    const failure = settled(lane)
    failure.catch(() => undefined)
    await ready(lane)
    lane.write(encodeProof(SECRET, securedBy(lane)!, true))
    await vi.advanceTimersByTimeAsync(9_900)
    expect(gatherer.strangers).toBe(1)
    await vi.advanceTimersByTimeAsync(200)
    await expect(failure).rejects.toMatchObject({ code: 'ERR_PIPE_RESET' })
    expect([gatherer.strangers, vi.getTimerCount()]).toEqual([0, 0])
  } finally {
    vi.useRealTimers()
  }
})

test('a stream over a trunk with secrecy is as whole as one without', async () => {
  const scene = joined({ lanes: 3, secrecy: secrecy() })
  const near = stack(scene.near, reassemble())
  near.end('all there is')
  const far = stack(await scene.far, reassemble())
  far.end()
  const heard: Buffer[] = []
  far.on('data', (chunk: Buffer) => heard.push(chunk))
  near.resume()
  await Promise.all([settled(near), settled(far)])
  expect(Buffer.concat(heard).toString()).toBe('all there is')
})
