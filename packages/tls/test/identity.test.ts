// Who is let in, and who is not. A3 and so on are the threats' numbers in docs/security.md.

import { type BytePipe, memoryPair, ready } from '@striper/core'
import { fingerprintOf, Keyring, newSecret, tlsClient, tlsServer } from '@striper/tls'
import type { TlsPipe } from '@striper/tls'
import { constants } from 'node:crypto'
import tls from 'node:tls'
import { expect, test } from 'vitest'
import { faultOfClient } from '../src/socket.ts'
import { faultWithCertificate, faultWithKey, keyFor, NO_CERTIFICATES } from '../src/terms.ts'
import { refuseCertificate, SETTINGS, withCertificates as terms } from '../src/terms.ts'
import { certificates, failureOf, over, overMemory, type Sides, tcpPair } from './scene.ts'
import { withCertificates, withSecret } from './scene.ts'

/** How both ends of a pair fail, or 'open' where one opens. It says something, and waits. */
async function outcome([client, server]: [TlsPipe, TlsPipe]): Promise<unknown[]> {
  const heard = [client, server].map(
    pipe =>
      new Promise(resolve => {
        pipe.once('data', () => resolve('open'))
        void failureOf(pipe).then(failure =>
          resolve((failure as { code?: string } | undefined)?.code),
        )
        pipe.write('hello')
      }),
  )
  const all = await Promise.all(heard)
  for (const each of [client, server]) each.destroy()
  return all
}

const REFUSED = ['ERR_PIPE_AUTH', 'ERR_PIPE_AUTH']
/** Node judges a certificate when OpenSSL is done, and tells nobody but us: the other is aborted */
const BY_CLIENT = ['ERR_PIPE_AUTH', 'ERR_PIPE_RESET']
const BY_SERVER = ['ERR_PIPE_RESET', 'ERR_PIPE_AUTH']

test('with the same secret, and with certificates of one authority, both ends know each other', async () => {
  const sides = withSecret()
  const [client, server] = overMemory(sides)
  await Promise.all([ready(client), ready(server)])
  expect([client.peer, server.peer]).toEqual([sides.key.id, sides.key.id])
  const other = overMemory(withCertificates())
  await Promise.all(other.map(ready))
  expect(other.map(each => each.peer)).toEqual([
    fingerprintOf(certificates('ours-server').cert),
    fingerprintOf(certificates('ours-client').cert),
  ])
  for (const each of [client, server, ...other]) each.on('error', () => undefined).destroy()
})

test('a name of the server that both ends know is part of the key, and lets them in', async () => {
  const key = newSecret()
  const sides = { client: { key, server: 'home' }, server: { keys: key, server: 'home' } }
  expect(await outcome(overMemory(sides))).toEqual(['open', 'open'])
})

const strangers: Record<string, () => Sides> = {
  'another secret': () => ({ client: { key: newSecret() }, server: { keys: newSecret() } }),
  'no secret at all at the server': () => ({ client: { key: newSecret() }, server: { keys: [] } }),
  "another name of the server's (A11)": () => {
    const key = newSecret()
    return { client: { key, server: 'exit' }, server: { keys: key, server: 'home' } }
  },
  'a name of the server that only one end knows': () => {
    const key = newSecret()
    return { client: { key }, server: { keys: key, server: 'home' } }
  },
  'a secret at one end and certificates at the other': () => ({
    client: { key: newSecret() },
    server: certificates('ours-server'),
  }),
  'certificates at one end and a secret at the other': () => ({
    client: withCertificates().client,
    server: { keys: newSecret() },
  }),
  'a client of another authority': () => ({
    client: { ...certificates('other-client'), servername: 'exit.test' },
    server: certificates('ours-server'),
  }),
  'a server of another authority': () => ({
    client: { ...certificates('ours-client'), servername: 'exit.test' },
    server: certificates('other-server'),
  }),
  'a server of another name': () => ({
    client: { ...certificates('ours-client'), servername: 'other.test' },
    server: certificates('ours-server'),
  }),
  "a client that shows a server's certificate": () => ({
    client: { ...certificates('ours-server'), servername: 'exit.test' },
    server: certificates('ours-server'),
  }),
}

const judged: Record<string, string[]> = {
  'a secret at one end and certificates at the other': BY_CLIENT,
  'a server of another authority': BY_CLIENT,
  'a server of another name': BY_CLIENT,
  'a client of another authority': BY_SERVER,
  "a client that shows a server's certificate": BY_SERVER,
}

for (const [name, sides] of Object.entries(strangers)) {
  test(`A4: ${name}: neither end lets the other in`, async () => {
    const expected = judged[name] ?? REFUSED
    for (let i = 0; i < 10; i++) expect(await outcome(overMemory(sides()))).toEqual(expected)
    for (let i = 0; i < 10; i++) {
      expect(await outcome(over(...(await tcpPair()), sides()))).toEqual(expected)
    }
  })
}

/** One end of ours against a TLS of Node's with other settings. */
function nodeServer(options: tls.SecureContextOptions & { requestCert?: boolean }) {
  const [left, right] = memoryPair()
  left.on('error', () => undefined)
  const secureContext = tls.createSecureContext(options)
  const node = new tls.TLSSocket(left, { ...options, isServer: true, secureContext })
  node.on('error', () => undefined).on('_tlsError' as 'error', () => undefined)
  return right
}

function nodeClient(options: tls.ConnectionOptions) {
  const [left, right] = memoryPair()
  left.on('error', () => undefined)
  const secureContext = tls.createSecureContext(options)
  const node = tls.connect({ ...options, socket: left, secureContext })
  node.on('error', () => undefined)
  return { node, right }
}

async function refusedBy(pipe: BytePipe): Promise<void> {
  expect(await failureOf(pipe)).toMatchObject({ code: 'ERR_PIPE_AUTH' })
}

test('A3: a client with a secret takes no certificate, whoever signed it', async () => {
  const right = nodeServer(certificates('ours-server'))
  await refusedBy(tlsClient({ key: newSecret() })(right))
})

test('A3: each of the checks is enough by itself', () => {
  const good = { protocol: 'TLSv1.3', fromKey: true, certificate: undefined }
  expect(faultWithKey(good)).toBeUndefined()
  expect(faultWithKey({ ...good, protocol: 'TLSv1.2' })).toBeDefined()
  expect(faultWithKey({ ...good, protocol: null })).toBeDefined()
  expect(faultWithKey({ ...good, fromKey: false })).toBeDefined()
  expect(faultWithKey({ ...good, certificate: 'AA:BB' })).toBeDefined()
  expect(NO_CERTIFICATES.ca).toEqual([])
  expect(refuseCertificate('', { subject: {} })).toBeInstanceOf(Error)
  expect(refuseCertificate('', {})).toBeUndefined()
  expect(refuseCertificate('', undefined)).toBeUndefined()
  const other = { protocol: 'TLSv1.3', fromKey: false, certificate: 'AA:BB' }
  expect(faultWithCertificate(other)).toBeUndefined()
  expect(faultWithCertificate({ ...other, protocol: 'TLSv1.2' })).toBeDefined()
  expect(faultWithCertificate({ ...other, certificate: undefined })).toBeDefined()
  expect(faultWithCertificate({ ...other, fromKey: true })).toBeDefined()
})

test('A4: where Node does not say what it thinks of a certificate, nobody is let in', () => {
  for (const handle of [undefined, null, {}, { verifyError: true }]) {
    const socket = { _handle: handle } as unknown as tls.TLSSocket
    expect(faultOfClient(socket)).toBeDefined()
  }
  const socket = { _handle: { verifyError: () => null } } as unknown as tls.TLSSocket
  expect(faultOfClient(socket)).toBeUndefined()
})

test('A4: a server of certificates lets nobody in who shows none', async () => {
  const ca = certificates('ours-client').ca
  const { right } = nodeClient({ ca, servername: 'exit.test' })
  await refusedBy(tlsServer(certificates('ours-server'))(right))
})

test('A5: TLS 1.2 is refused at either end, with a certificate that would do', async () => {
  const old = { maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2' } as const
  const server = nodeServer({ ...certificates('ours-server'), ...old, requestCert: true })
  await refusedBy(tlsClient(withCertificates().client)(server))
  const client = nodeClient({ ...withCertificates().client, ...old })
  await refusedBy(tlsServer(certificates('ours-server'))(client.right))
  expect([SETTINGS.minVersion, SETTINGS.maxVersion]).toEqual(['TLSv1.3', 'TLSv1.3'])
})

test('both suites are agreed on, and keys are exchanged anew: a stolen secret opens no recording', async () => {
  for (const suite of ['TLS_AES_128_GCM_SHA256', 'TLS_CHACHA20_POLY1305_SHA256']) {
    const key = newSecret()
    const made = { ca: [], ciphers: `${suite}:PSK` }
    const psk = { psk: key.preSharedKey(''), identity: key.identity }
    const asking = { pskCallback: () => psk, checkServerIdentity: () => undefined }
    // A curve by itself: of the hybrid that Node.js 22 prefers it says nothing, or another word.
    const options = { ...made, ...asking, ecdhCurve: 'X25519' }
    const { node, right } = nodeClient(options)
    const server = tlsServer({ keys: key })(right)
    await ready(server)
    expect(node.getCipher().standardName).toBe(suite)
    expect(node.getEphemeralKeyInfo()).toMatchObject({ type: 'ECDH' })
    server.on('error', () => undefined).destroy()
  }
})

test('A6: a handshake that was recorded lets nobody in', async () => {
  const sides = withSecret()
  const [left, right] = memoryPair()
  const said: Buffer[] = []
  right.on('data', (chunk: Buffer) => said.push(Buffer.from(chunk)))
  const pair = over(left, right, sides)
  await Promise.all(pair.map(ready))
  pair[0].write('do it again')
  await new Promise(resolve => pair[1].once('data', resolve))
  for (const each of pair) each.on('error', () => undefined).destroy()

  const [again, fresh] = memoryPair()
  again.on('error', () => undefined).resume()
  const server = tlsServer(sides.server)(fresh)
  let heard = 0
  server.on('data', () => heard++)
  for (const chunk of said) again.write(chunk)
  await refusedBy(server)
  expect(heard).toBe(0)
})

test('A12: a key that is deleted lets nobody in, a session of before included; others go on', async () => {
  const [gone, stays] = [newSecret(), newSecret()]
  const keys = new Keyring([gone, stays])
  const settings = {
    ca: [],
    ciphers: 'TLS_AES_128_GCM_SHA256:PSK',
    checkServerIdentity: () => undefined,
  }
  const psk = { psk: gone.preSharedKey(''), identity: gone.identity }
  const first = nodeClient({ ...settings, pskCallback: () => psk })
  const sessions: Buffer[] = []
  first.node.on('session', session => sessions.push(session))
  const serve = tlsServer({ keys })
  const server = serve(first.right)
  server.write('hello')
  await new Promise(resolve => first.node.once('data', resolve))
  await new Promise(setImmediate)
  server.on('error', () => undefined).destroy()

  // Whatever it has to come back by, it is of no use.
  keys.delete(gone.id)
  for (const session of [undefined, ...sessions]) {
    const again = nodeClient({ ...settings, ...(session && { session }) })
    await refusedBy(serve(again.right))
  }
  const sides = (key: typeof gone) => ({ client: { key }, server: { keys } })
  expect(await outcome(overMemory(sides(gone)))).toEqual(REFUSED)
  expect(await outcome(overMemory(sides(stays)))).toEqual(['open', 'open'])
  keys.add(gone)
  expect(await outcome(overMemory(sides(gone)))).toEqual(['open', 'open'])
})

test('A12: a key that is deleted during a handshake does not count any more', async () => {
  const key = newSecret()
  const keys = new Keyring([key])
  const pair = overMemory({ client: { key }, server: { keys } })
  const find = keys.find.bind(keys)
  keys.find = identity => {
    const found = find(identity)
    keys.delete(key.id)
    return found
  }
  const [, server] = pair
  pair[0].on('error', () => undefined)
  await refusedBy(server)
})

const identities: Record<string, string> = {
  'of 128 characters': 'x'.repeat(128),
  'with a NUL': 's1.\0',
  'that is a name of Object': '__proto__',
  'of one character': 's',
  'that is nobody': 's1.0000000000000000',
}

for (const [name, identity] of Object.entries(identities)) {
  test(`A13: an identity ${name} is refused like any other, and the next one is let in`, async () => {
    const key = newSecret()
    const pskCallback = () => ({ psk: key.preSharedKey(''), identity })
    const settings = { ca: [], ciphers: SETTINGS.ciphers, checkServerIdentity: () => undefined }
    const { right } = nodeClient({ ...settings, pskCallback })
    await refusedBy(tlsServer({ keys: key })(right))
    const next = overMemory({ client: { key }, server: { keys: key } })
    expect(await outcome(next)).toEqual(['open', 'open'])
  })
}

test('A13: whatever is asked of the keys, the answer is a key or nothing', () => {
  const key = newSecret()
  const keys = new Keyring([key])
  for (const identity of [undefined, null, 7, {}, '', 'x'.repeat(1e6), '\ufffd\ufffd']) {
    expect(keyFor(keys, '', identity)).toBeUndefined()
  }
  expect(keyFor(keys, 'exit', key.identity)?.psk).toEqual(key.preSharedKey('exit'))
})

test('every context, of either kind, gives out no ticket and speaks the two suites only', () => {
  for (const each of [NO_CERTIFICATES, terms(certificates('ours-server'))]) {
    expect(each).toMatchObject(SETTINGS)
    expect(each.secureOptions).toBe(constants.SSL_OP_NO_TICKET)
  }
  expect(SETTINGS.ciphers.split(':')).toEqual([
    'TLS_AES_128_GCM_SHA256',
    'TLS_CHACHA20_POLY1305_SHA256',
    'PSK',
  ])
})
