// What tls promises, one test for each of the pitfalls that were met: secrecy, endings, time.

import { type BytePipe, type Done, memoryPair, ready, securedBy, stack } from '@striper/core'
import { WrapPipe } from '@striper/core'
import { frame } from '@striper/frame'
import { newSecret, tlsClient, tlsServer } from '@striper/tls'
import { corrupt, rng, slices } from '@striper/testkit'
import { afterEach, expect, test, vi } from 'vitest'
import { cutShort, failureOf, over, overMemory, read, tcpPair } from './scene.ts'
import { withCertificates, withSecret } from './scene.ts'

afterEach(() => {
  vi.useRealTimers()
})

/** A pair over memory, and all that went by below the client, each way. */
async function tapped(sides: Parameters<typeof overMemory>[0]) {
  const [left, right] = memoryPair()
  const seen: Buffer[] = []
  left.on('data', (chunk: Buffer) => seen.push(Buffer.from(chunk)))
  right.on('data', (chunk: Buffer) => seen.push(Buffer.from(chunk)))
  const pair = over(left, right, sides)
  await Promise.all(pair.map(ready))
  return { pair, seen: () => Buffer.concat(seen) }
}

/** Whether any 16 bytes in a row of one are in the other. */
function leaks(secret: Buffer, wire: Buffer): boolean {
  for (let at = 0; at + 16 <= secret.length; at++) {
    if (wire.includes(secret.subarray(at, at + 16))) return true
  }
  return false
}

test('the tap sees what goes by: without tls it finds the text', async () => {
  const [left, right] = memoryPair()
  const seen: Buffer[] = []
  left.on('error', () => undefined)
  right.on('data', (chunk: Buffer) => seen.push(chunk))
  const text = rng(1).bytes(4000)
  left.end(text)
  await new Promise(resolve => right.once('end', resolve))
  expect(leaks(text, Buffer.concat(seen))).toBe(true)
  right.destroy()
})

for (const [name, sides] of Object.entries({ withSecret, withCertificates })) {
  test(`A1: on the wire is no 16 bytes of the text, nor of any key (${name})`, async () => {
    const made = sides()
    const { pair, seen } = await tapped(made)
    const [up, down] = [rng(1).bytes(4000), rng(2).bytes(4000)]
    pair[0].end(up)
    pair[1].end(down)
    const heard = await Promise.all([read(pair[1]), read(pair[0])])
    expect(heard.map(each => each.length)).toEqual([4000, 4000])
    expect(heard[0].equals(up) && heard[1].equals(down)).toBe(true)
    const wire = seen()
    expect(wire.length).toBeGreaterThan(8000)
    expect(leaks(up, wire) || leaks(down, wire)).toBe(false)
    if ('key' in made && 'id' in made.key) {
      const secret = Buffer.from(made.key.reveal().split('_')[1]!, 'base64url')
      expect(leaks(secret, wire) || leaks(made.key.preSharedKey(''), wire)).toBe(false)
    }
  })

  test(`A2: any one bit that is changed on the wire ends both, and nothing wrong is read (${name})`, async () => {
    const text = rng(3).bytes(20_000)
    for (let seed = 1; seed <= 12; seed++) {
      const damaged = corrupt({ seed, everyBytes: 3000 })
      const [client, server] = overMemory(sides(), damaged)
      const failures = Promise.all([failureOf(client), failureOf(server)])
      let heard = Buffer.alloc(0)
      server.on('data', (chunk: Buffer) => (heard = Buffer.concat([heard, chunk])))
      client.resume().write(text)
      for (const failure of await failures) expect(failure).toMatchObject({ name: 'PipeError' })
      expect(heard.length).toBeLessThan(text.length)
      expect(heard.equals(text.subarray(0, heard.length))).toBe(true)
    }
  })
}

test('a byte that is changed after the handshake is ERR_PIPE_PROTOCOL where it is read', async () => {
  const [left, right] = memoryPair()
  const [client, server] = over(left, right, withSecret())
  await Promise.all([ready(client), ready(server)])
  const failures = [failureOf(client), failureOf(server)] as const
  client.resume()
  left.write(Buffer.from('1703030013aabbccddeeff00112233445566778899aabbcc', 'hex'))
  expect(await failures[1]).toMatchObject({ code: 'ERR_PIPE_PROTOCOL' })
  expect(await failures[0]).toMatchObject({ name: 'PipeError' })
})

test('what is wrong before a server of certificates has said a word is ERR_PIPE_AUTH: it may not have taken us', async () => {
  for (const heard of [false, true]) {
    const [left, right] = memoryPair()
    const [client, server] = over(left, right, withCertificates())
    await Promise.all([ready(client), ready(server)])
    const failure = failureOf(client)
    server.on('error', () => undefined)
    if (heard) {
      server.write('welcome')
      await new Promise(resolve => client.once('data', resolve))
    }
    client.resume()
    right.write(Buffer.from('1703030013aabbccddeeff00112233445566778899aabbcc', 'hex'))
    const code = heard ? 'ERR_PIPE_PROTOCOL' : 'ERR_PIPE_AUTH'
    expect(await failure).toMatchObject({ code })
  }
})

test('an end without a close_notify is ERR_PIPE_TRUNCATED, wherever it is, and never an end', async () => {
  const text = Buffer.alloc(50_000, 'text')
  // In a header, in a record, between two: the handshake of the client has 350 bytes or so.
  const places = [0, 1, 2, 3, 4, 5, 6, 100, 300, 400, 500, 1000, 16_700, 30_000, 50_150]
  for (const afterBytes of places) {
    const [client, server] = overMemory(withSecret(), cutShort(afterBytes))
    const failure = failureOf(server)
    let ended = false
    server.on('data', () => undefined).once('end', () => (ended = true))
    client
      .on('error', () => undefined)
      .resume()
      .end(text)
    expect(await failure, `after ${afterBytes} bytes`).toMatchObject({ code: 'ERR_PIPE_TRUNCATED' })
    expect(ended).toBe(false)
    client.destroy()
  }
})

test('so it is where the reader comes late, and there is only the end left to cut', async () => {
  const [left, right] = memoryPair()
  const [client, server] = over(left, right, withSecret())
  await Promise.all([ready(client), ready(server)])
  const failure = failureOf(server)
  client.on('error', () => undefined).write('all there is')
  for (let i = 0; i < 5; i++) await new Promise(setImmediate)
  left.end() // below it: no close_notify
  for (let i = 0; i < 5; i++) await new Promise(setImmediate)
  server.resume()
  expect(await failure).toMatchObject({ code: 'ERR_PIPE_TRUNCATED' })
  client.destroy()
})

test('a late answer arrives after the end of the other direction, over a socket too', async () => {
  const [client, server] = over(...(await tcpPair()), withSecret())
  server.once('data', () => undefined)
  server.once('end', () => server.end('the answer'))
  client.end('the question')
  expect((await read(client)).toString()).toBe('the answer')
})

test('an abort over TCP is a reset to the peer, and what is above hears of it with its cause', async () => {
  const [client, server] = over(...(await tcpPair()), withSecret())
  await Promise.all([ready(client), ready(server)])
  const top = stack(server, frame())
  const failure = failureOf(top.resume())
  client.destroy()
  expect(await failure).toMatchObject({
    code: 'ERR_PIPE_RESET',
    cause: { label: server.label, cause: { code: 'ERR_PIPE_RESET' } },
  })
})

test('a handshake is read in single bytes', async () => {
  const [client, server] = overMemory(withSecret(), slices({ seed: 1, maxBytes: 1 }))
  client.end('hello')
  expect((await read(server)).toString()).toBe('hello')
  client.destroy()
  server.on('error', () => undefined).destroy()
})

test('both ends have the same exporter value, each connection another, and none before it is open', async () => {
  const sides = withSecret()
  const values: string[] = []
  for (let i = 0; i < 2; i++) {
    const [client, server] = overMemory(sides)
    expect(() => client.exportKeyingMaterial('EXPORTER-x', 32)).toThrow(TypeError)
    expect(() => client.peer).toThrow(TypeError)
    await Promise.all([ready(client), ready(server)])
    const [mine, yours] = [client, server].map(each => each.exportKeyingMaterial('EXPORTER-x', 32))
    expect(mine!.equals(yours!)).toBe(true)
    expect(mine!.equals(client.exportKeyingMaterial('EXPORTER-y', 32))).toBe(false)
    values.push(mine!.toString('hex'))
    for (const each of [client, server]) each.on('error', () => undefined).destroy()
    expect(() => client.exportKeyingMaterial('EXPORTER-x', 32)).toThrow(TypeError)
  }
  expect(new Set(values).size).toBe(2)
})

test('what stands on it finds it below; without it, or over several pipes, there is nothing', () => {
  const [left, right] = memoryPair()
  const secured = tlsClient({ key: newSecret() })(left)
  const [framed, plain] = [stack(secured, frame()), frame()(right)]
  expect(securedBy(framed)).toBe(secured)
  expect(securedBy(plain)).toBeUndefined()
  const many = { label: 'many', below: [secured, secured] } as unknown as BytePipe
  expect(securedBy(many)).toBeUndefined()
  for (const each of [framed, plain]) each.on('error', () => undefined).destroy()
})

test('T12: who does not shake hands in time is aborted: silent, or a byte now and then', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  for (const drips of [false, true]) {
    const [left, right] = memoryPair()
    const server = tlsServer({ keys: newSecret() })(right)
    const failures = [failureOf(server), failureOf(left)] as const
    left.resume()
    const hello = Buffer.from('16030100f8010000f40303', 'hex')
    let at = 0
    const drip = setInterval(() => left.write(hello.subarray(at, ++at)), 50)
    if (!drips) clearInterval(drip)
    await vi.advanceTimersByTimeAsync(9_900)
    expect(server.destroyed).toBe(false)
    clearInterval(drip)
    await vi.advanceTimersByTimeAsync(200)
    expect(await failures[0]).toMatchObject({ code: 'ERR_PIPE_TIMEOUT' })
    expect(await failures[1]).toMatchObject({ code: 'ERR_PIPE_RESET' })
    expect(vi.getTimerCount()).toBe(0)
  }
})

/** A byte pipe that opens when it is told to. */
class Late extends WrapPipe<'bytes'> {
  opened: Done | undefined

  protected override open(done: Done): void {
    this.opened = done
  }
}

test('the time for the handshake begins when what is below is open', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const [left, right] = memoryPair()
  right.on('error', () => undefined).resume()
  const late = new Late(left, { kind: 'bytes', label: 'late' })
  const failure = failureOf(tlsClient({ key: newSecret(), handshakeTimeoutMs: 500 })(late))
  await vi.advanceTimersByTimeAsync(60_000)
  late.opened!()
  await vi.advanceTimersByTimeAsync(490)
  expect(late.destroyed).toBe(false)
  await vi.advanceTimersByTimeAsync(20)
  expect(await failure).toMatchObject({ code: 'ERR_PIPE_TIMEOUT' })
})

test('a client waits no longer either, and a handshake that is done leaves no timer', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const [left, right] = memoryPair()
  const client = tlsClient({ key: newSecret(), handshakeTimeoutMs: 500 })(left)
  const failure = failureOf(client)
  right.on('error', () => undefined).resume()
  await vi.advanceTimersByTimeAsync(501)
  expect(await failure).toMatchObject({ code: 'ERR_PIPE_TIMEOUT' })
  const pair = overMemory(withSecret())
  await Promise.all(pair.map(ready))
  expect(vi.getTimerCount()).toBe(0)
  for (const each of pair) each.on('error', () => undefined).destroy()
})

test('who ends with close_notify and never with his connection is aborted after a while', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const [left, right] = memoryPair()
  const destroy = left.destroy.bind(left)
  // The client's close_notify goes by; the end below it does not.
  Object.assign(left, { end: (done: () => void) => done(), destroy: () => left })
  const [client, server] = over(left, right, withSecret())
  const failure = failureOf(left)
  client.on('error', () => undefined)
  const gone = failureOf(server)
  const done = ['end', 'finish'].map(name => new Promise(resolve => server.once(name, resolve)))
  client.resume().end('last words')
  server.resume().end()
  await Promise.all(done)
  await vi.advanceTimersByTimeAsync(4_900)
  expect(right.destroyed).toBe(false)
  await vi.advanceTimersByTimeAsync(200)
  expect(right.destroyed).toBe(true)
  expect(await gone).toBeUndefined()
  client.destroy()
  destroy()
  await failure
})

test('options that cannot be right are refused at once', () => {
  const key = newSecret()
  expect(() => tlsClient({ key, handshakeTimeoutMs: 0 })).toThrow(RangeError)
  const client = { ...withCertificates().client, servername: '' }
  expect(() => tlsClient(client)).toThrow(/servername/)
  expect(() => tlsServer({ ...withCertificates().server, cert: 'no certificate' })).toThrow()
})
