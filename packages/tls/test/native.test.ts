// TLS on a socket itself: when it is, and that nothing is lost by it.

import { addressOf, type BytePipe, layer, ready, stack } from '@striper/core'
import { frame } from '@striper/frame'
import { connect } from '@striper/tcp'
import { rng, slices } from '@striper/testkit'
import { newSecret, tlsClient, tlsServer } from '@striper/tls'
import net, { type AddressInfo } from 'node:net'
import tls from 'node:tls'
import { greet, GreetedPipe } from '../../trunk/src/greeting.ts'
import { expect, test } from 'vitest'
import { groupsOffered } from '../src/hello.ts'
import { SETTINGS } from '../src/terms.ts'
import { failureOf, over, read, tcpPair, withCertificates, withSecret } from './scene.ts'

/** The first bytes that a client of Node's says. */
async function helloOf(options: tls.ConnectionOptions = {}): Promise<Buffer> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const node = tls.connect({ ...SETTINGS, ...options, host: '127.0.0.1', port })
  node.on('error', () => undefined)
  const socket = await new Promise<net.Socket>(resolve => server.once('connection', resolve))
  const hello = await new Promise<Buffer>(resolve => socket.once('data', resolve))
  node.destroy()
  socket.destroy()
  server.close()
  return hello
}

const changed = (bytes: Buffer, at: number, value: number) => {
  const copy = Buffer.from(bytes)
  copy[at] = value
  return copy
}

/** What a pipe is on: its socket itself, or records over whatever pipe. */
const isNative = (pipe: BytePipe) => !pipe.below[0]!.label.startsWith('records')

test('a hello is known by all of its bytes and not by one less, whatever is behind it', async () => {
  const hello = await helloOf({ ecdhCurve: 'X25519' })
  for (let bytes = 0; bytes < hello.length; bytes++) {
    expect(groupsOffered(hello.subarray(0, bytes))).toBeUndefined()
  }
  expect(groupsOffered(hello)).toEqual(['X25519'])
  expect(groupsOffered(Buffer.concat([hello, rng(1).bytes(50)]))).toEqual(['X25519'])
})

test('what is no hello, no whole one or offers another key is none that needs no second', async () => {
  const hello = await helloOf({ ecdhCurve: 'X25519' })
  expect(groupsOffered(await helloOf({ ecdhCurve: 'P-256' }))).toEqual([])
  expect(groupsOffered(Buffer.from('GET / HTTP/1.1'))).toEqual([])
  expect(groupsOffered(changed(hello, 5, 2))).toEqual([])
  expect(groupsOffered(changed(hello, 4, hello[4]! + 1))).toEqual([]) // more in the record
  expect(groupsOffered(changed(hello, 6, 1))).toEqual([]) // claims more than its record has
  expect(groupsOffered(Buffer.from('160301400401004000', 'hex'))).toBeUndefined() // 16 KiB
  expect(groupsOffered(Buffer.from('160301400501004001', 'hex'))).toEqual([]) // a byte more
  expect(groupsOffered(changed(hello, 9 + 2 + 32, 255))).toEqual([]) // a length beyond the end
  for (let at = 9; at < hello.length; at++) {
    expect(groupsOffered(changed(hello, at, 255))).toBeInstanceOf(Array)
  }
})

for (const [name, sides] of Object.entries({ withSecret, withCertificates })) {
  test(`over a socket, and behind a greeting, it is on the socket itself (${name})`, async () => {
    const [left, right] = await tcpPair()
    const { client, server } = sides()
    const session = rng(1).bytes(16)
    const near = stack(left, greet(session), tlsClient(client))
    const greeted = new GreetedPipe(right)
    await ready(greeted)
    const far = tlsServer(server)(greeted)
    await Promise.all([ready(near), ready(far)])
    expect([isNative(near), isNative(far)]).toEqual([true, true])
    expect(greeted.session.equals(session)).toBe(true)
    expect(addressOf(near)).toEqual({
      local: addressOf(far)!.remote,
      remote: addressOf(far)!.local,
    })
    const text = rng(2).bytes(300_000)
    near.end(text)
    far.end(text)
    const heard = await Promise.all([read(far), read(near)])
    expect(heard.map(each => each.equals(text))).toEqual([true, true])
    for (const end of [left, right]) {
      expect(end.stats.bytesIn).toBeGreaterThan(300_000)
      expect(end.stats.bytesOut).toBeGreaterThan(300_000)
    }
  })
}

test('over any other pipe it is not, at the one end or the other, and they understand each other', async () => {
  const plain = layer('plain', () => ({
    encode: unit => [unit as Buffer],
    decode: (chunk, give) => give(chunk),
    finish: () => undefined,
  }))
  for (const native of [0, 1]) {
    const ends = await tcpPair()
    ends[1 - native] = plain(ends[1 - native]!)
    const pair = over(...ends, withSecret())
    await Promise.all(pair.map(ready))
    expect(pair.map(isNative)).toEqual([native === 0, native === 1])
    pair[0].end('hello')
    pair[1].end('you')
    expect(String(await Promise.all([read(pair[1]), read(pair[0])]))).toBe('hello,you')
  }
})

test('a client that offers another key gets in, and what it claims is looked at', async () => {
  const [left, right] = await tcpPair()
  const key = newSecret()
  const far = tlsServer({ keys: key })(right)
  const node = tls.connect({
    ...SETTINGS,
    ecdhCurve: 'P-256',
    socket: (left as unknown as { lower: net.Socket }).lower,
    checkServerIdentity: () => undefined,
    pskCallback: () => ({ psk: key.preSharedKey(''), identity: key.identity }),
  })
  node.on('error', () => undefined)
  left.on('error', () => undefined)
  await ready(far)
  expect(isNative(far)).toBe(false)
  far.on('error', () => undefined).destroy()
})

test('a hello that comes in single bytes is put back whole', async () => {
  const [left, right] = await tcpPair()
  const [client, server] = over(slices({ seed: 1, maxBytes: 1 })(left), right, withSecret())
  client.end('hello')
  expect((await read(server)).toString()).toBe('hello')
  expect(isNative(server)).toBe(true)
  client.destroy()
  server.on('error', () => undefined).destroy()
})

test('nine bytes of a stranger claim nothing over a socket either, nor does a hello that ends', async () => {
  for (const [bytes, code] of [
    ['160303000901' + '0200000000000000', 'ERR_PIPE_PROTOCOL'], // 128 KiB
    ['16030300f8010000f40303', 'ERR_PIPE_TRUNCATED'],
  ] as const) {
    const [left, right] = await tcpPair()
    const failure = failureOf(tlsServer({ keys: newSecret() })(right))
    left.on('error', () => undefined).resume()
    left.end(Buffer.from(bytes, 'hex'))
    expect(await failure).toMatchObject({ code })
  }
})

/** A server's pipe, and a client whose last bytes on the wire get lost: its end comes without. */
async function cut(lastBytes: number, text: Buffer): Promise<BytePipe> {
  const [left, right] = await tcpPair()
  const key = newSecret()
  const middle = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await new Promise(resolve => middle.once('listening', resolve))
  const { port } = middle.address() as AddressInfo
  const client = tlsClient({ key })(connect({ host: '127.0.0.1', port }))
  const near = await new Promise<net.Socket>(resolve => middle.once('connection', resolve))
  middle.close()
  const chunks: Buffer[] = []
  let up = false
  left.on('data', (chunk: Buffer) => near.write(chunk))
  near.on('data', (chunk: Buffer) => (up ? chunks.push(chunk) : left.write(chunk)))
  near.once('end', () => {
    const all = Buffer.concat(chunks)
    left.end(all.subarray(0, all.length - lastBytes))
  })
  near.on('error', () => undefined)
  left.on('error', () => undefined)
  const server = tlsServer({ keys: key })(right)
  client.on('error', () => undefined)
  await Promise.all([ready(client), ready(server)])
  up = true
  client.end(text)
  server.once('close', () => {
    client.destroy()
    near.destroy()
  })
  return server
}

test('an end of the connection is none of the peer, wherever it is, and whether one reads or not', async () => {
  const text = rng(5).bytes(100_000)
  for (const lastBytes of [1, 24, 25, 5000]) {
    for (const slowly of [false, true]) {
      const server = await cut(lastBytes, text)
      expect(isNative(server)).toBe(true)
      let heard = Buffer.alloc(0)
      let ended = false
      server.on('end', () => (ended = true))
      server.on('data', (chunk: Buffer) => {
        heard = Buffer.concat([heard, chunk])
        if (slowly) server.pause()
        if (slowly) setImmediate(() => server.resume())
      })
      expect(await failureOf(server)).toMatchObject({ code: 'ERR_PIPE_TRUNCATED' })
      expect(ended).toBe(false)
      expect(heard.equals(text.subarray(0, heard.length))).toBe(true)
    }
  }
})

test('a close_notify is an end, together with the end of the connection or without', async () => {
  const server = await cut(0, rng(5).bytes(100_000))
  expect((await read(server)).length).toBe(100_000)
  server.on('error', () => undefined).destroy()
})

test('who destroys what is below resets the peer, and is told above with the reason', async () => {
  for (const atServer of [false, true]) {
    const [left, right] = await tcpPair()
    const pair = over(left, right, withSecret())
    await Promise.all(pair.map(ready))
    const failures = pair.map(each => failureOf(stack(each, frame()).resume()))
    const [below, mine, peers] = atServer ? [right, 1, 0] : [left, 0, 1]
    below.destroy(new Error('a reason of the test'))
    expect(await failures[mine]).toMatchObject({ code: 'ERR_PIPE_CLOSED' })
    expect((await failures[mine])!.message).toContain('a reason of the test')
    expect(await failures[peers]).toMatchObject({ code: 'ERR_PIPE_RESET' })
    expect(left.closed && right.closed).toBe(true)
  }
})

test('regression: to destroy it in the very tick in which it opens does not end the process', async () => {
  for (let i = 0; i < 5; i++) {
    const [client, server] = over(...(await tcpPair()), withSecret())
    const failures = [failureOf(client), failureOf(server)]
    server.once('ready', () => server.destroy())
    expect(await failures[1]).toBeUndefined()
    expect(await failures[0]).toMatchObject({ code: 'ERR_PIPE_RESET' })
  }
})

test('regression: an end in the very tick in which it opens is an end to the peer', async () => {
  for (let i = 0; i < 5; i++) {
    const [client, server] = over(...(await tcpPair()), withSecret())
    server.once('ready', () => server.end())
    client.once('ready', () => client.end())
    const heard = await Promise.all([read(client), read(server)])
    expect(heard.map(each => each.length)).toEqual([0, 0])
  }
})
