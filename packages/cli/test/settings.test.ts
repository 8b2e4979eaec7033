// What server and client run with: checked to the end before anything is opened, and never less
// secure than what was asked for.

import { totalmem } from 'node:os'
import { inspect } from 'node:util'
import { StripePipe } from 'striper'
import { expect, test } from 'vitest'
import { UsageError } from '../src/exit.ts'
import { parseCommandLine, valuesOf } from '../src/option.ts'
import { newSecret } from '../src/secret.ts'
import { CLIENT_OPTIONS, clientSettings } from '../src/tunnel-options.ts'
import { SERVER_OPTIONS, serverSettings } from '../src/tunnel-options.ts'
import { file } from './world.ts'

const secret = newSecret()
const ENV = { STRIPER_KEY: secret.reveal(), XDG_RUNTIME_DIR: '/run/user/7' }

function server(...args: string[]) {
  return serverSettings(valuesOf(SERVER_OPTIONS, parseCommandLine(SERVER_OPTIONS, args).given), {
    ...ENV,
  })
}

function client(...args: string[]) {
  return clientSettings(valuesOf(CLIENT_OPTIONS, parseCommandLine(CLIENT_OPTIONS, args).given), {
    ...ENV,
  })
}

test('a server with nothing said takes lanes at port 7000, and does nothing for anybody', () => {
  const settings = server()
  expect(settings).toMatchObject({
    role: 'server',
    listen: [{ port: 7000 }],
    allow: [],
    allowListen: [],
    security: { by: 'key', keys: [{ id: secret.id }] },
    socket: `/run/user/7/striper/server-${process.pid}.sock`,
    windowBytes: 16 * 2 ** 20,
    maxParcelBytes: undefined,
    keepAliveMs: 60_000,
    connectTimeoutMs: 15_000,
    noLaneTimeoutMs: 60_000,
    idleTimeoutMs: 3_600_000,
    halfOpenTimeoutMs: 300_000,
    handshakeTimeoutMs: 10_000,
    penaltyMs: 5000,
    maxChannels: 4096,
    maxSessions: 1000,
    maxLanes: 32,
  })
  expect(settings.maxConnections).toBeGreaterThan(0)
  expect(settings.maxConnections).toBeLessThanOrEqual(10_000)
  expect(settings.memoryBytes).toBeGreaterThan(2 ** 24)
  expect(settings.memoryBytes).toBeLessThanOrEqual(totalmem() / 2)
})

test.each([
  ['512Ki', true],
  ['524287', false],
  ['1Gi', true],
  ['1073741825', false],
])('--window %s: the command takes it if a stripe does: %s', (size, takes) => {
  const settings = () => server('--window', size).windowBytes
  if (takes) new StripePipe({ windowBytes: settings() }).destroy()
  else expect(settings).toThrow(UsageError)
  if (!takes) expect(() => new StripePipe({ windowBytes: Number(size) })).toThrow(RangeError)
})

test('every limit that is said takes effect', () => {
  const said = server(
    ...['--window', '1Mi', '--connect-timeout', '1s', '--no-lane-timeout', 'off'],
    ...['--idle-timeout', 'off', '--half-open-timeout', '2s', '--handshake-timeout', '3s'],
    ...['--penalty', 'off', '--max-parcel', '4Ki', '--keep-alive', '5m'],
    ...['--max-channels', '1', '--max-sessions', '2', '--max-lanes', '3', '--max-connections', '4'],
    ...['--socket', 'here.sock', '--memory', '64Mi'],
  )
  expect(said).toMatchObject({
    windowBytes: 2 ** 20,
    connectTimeoutMs: 1000,
    noLaneTimeoutMs: 0,
    idleTimeoutMs: 0,
    halfOpenTimeoutMs: 2000,
    handshakeTimeoutMs: 3000,
    penaltyMs: 0,
    maxParcelBytes: 4096,
    keepAliveMs: 300_000,
    maxChannels: 1,
    maxSessions: 2,
    maxLanes: 3,
    maxConnections: 4,
    memoryBytes: 64 * 2 ** 20,
    socket: 'here.sock',
  })
})

const NEAR = ['--server', 'far.example:7000', '-L', '8080:127.0.0.1:80']

test('a client has its servers, its forwards both ways, and four lanes', () => {
  const settings = client(...NEAR, '-R', '9090:localhost:90', '--server', '[fd00::7]:7000')
  expect(settings).toMatchObject({
    role: 'client',
    servers: [
      { host: 'far.example', port: 7000 },
      { host: 'fd00::7', port: 7000 },
    ],
    forwards: [{ listen: { host: '127.0.0.1', port: 8080 } }],
    reverses: [{ target: { host: 'localhost', port: 90 } }],
    places: [{ from: '', count: 4 }],
    schedule: 'soonest',
  })
  expect(client(...NEAR, '--lanes', '8').places).toEqual([{ from: '', count: 8 }])
  const bound = client(...NEAR, '--bind', 'eth0*30', '--bind', '192.0.2.7*2')
  expect(bound.places.map(place => place.count)).toEqual([30, 2])
})

const CLIENTS: readonly [string[], RegExp][] = [
  [[], /--server says whom/],
  [['--server', 'a:1'], /nothing to forward/],
  [[...NEAR, '--server', 'a:0'], /port 0/],
  [[...NEAR, '--bind', 'eth0', '--lanes', '4'], /--lanes is for want of --bind/],
  [[...NEAR, '--bind', 'eth0*30', '--bind', 'eth1*3'], /asks for 33 lanes/],
  [[...NEAR, '--max-parcel', '1023'], /--max-parcel: '1023' is not from 1Ki to 64Ki/],
  [[...NEAR, '--max-parcel', '65537'], /--max-parcel: '65537' is not from 1Ki to 64Ki/],
  [[...NEAR, '--keep-alive', '500ms'], /--keep-alive: '500ms' is not from 1s to 9h, or off/],
  [[...NEAR, '--bind', '10.0.0.1:70000'], /--bind: '10.0.0.1:70000': a port is 0\.\.65535/],
  [[...NEAR, '--schedule', 'fastest'], /soonest, round-robin, until-congested/],
]

test.each(CLIENTS)('the client %j is refused in a sentence', (args, sentence) => {
  expect(() => client(...args)).toThrow(UsageError)
  expect(() => client(...args)).toThrow(sentence)
})

test('regression: a place that is named twice is refused in a sentence, and not with a stack', () => {
  const twice = () => client(...NEAR, '--bind', 'eth0*2', '--bind', 'eth0')
  expect(twice).toThrow(new UsageError("--bind: 'eth0' is named twice; write eth0*2"))
  const ports = client(...NEAR, '--bind', '192.0.2.7:5000', '--bind', '192.0.2.7:5001')
  expect(ports.places.map(({ port }) => port)).toEqual([5000, 5001])
})

test('a key comes from the files that are named; else the environment; else the default file', () => {
  const [one, two] = [newSecret(), newSecret()]
  const [a, b] = [file(`${one.reveal()}\n`), file(two.reveal())]
  const both = server('--key-file', a, '--key-file', b).security
  expect(both).toMatchObject({ keys: [{ id: one.id }, { id: two.id }] })
  expect(client(...NEAR, '--key-file', a).security).toMatchObject({ keys: [{ id: one.id }] })
  expect(() => client(...NEAR, '--key-file', a, '--key-file', b)).toThrow(/a client has one key/)
  const values = valuesOf(SERVER_OPTIONS, new Map())
  const none = () => serverSettings(values, { XDG_CONFIG_HOME: '/nowhere' })
  expect(none).toThrow("'/nowhere/striper/key': there is no such file; striper key new makes one")
})

test('the environment has the key no more once it was read, and a damaged one is refused', () => {
  const env = { ...ENV }
  serverSettings(valuesOf(SERVER_OPTIONS, new Map()), env)
  expect(env).not.toHaveProperty('STRIPER_KEY')
  const damaged = secret.reveal().replace(/.{4}$/, 'AAAA')
  const read = (STRIPER_KEY: string) =>
    serverSettings(valuesOf(SERVER_OPTIONS, new Map()), { ...ENV, STRIPER_KEY })
  expect(() => read(damaged)).toThrow(
    'STRIPER_KEY: this secret is damaged: its checksum does not fit',
  )
  // Empty is not absent.
  expect(() => read('')).toThrow('STRIPER_KEY: a secret begins with striper1_')
})

const PLAIN = '--insecure-plaintext'
const OTHER: readonly [string[], boolean][] = [
  [['--listen', '127.0.0.1:0'], true],
  [['--listen', '127.8.8.8:0'], true],
  [['--listen', '[::1]:0'], true],
  [['--listen', '[::ffff:127.0.0.1]:0'], true],
  [['--listen', 'localhost:0'], true],
  [['--listen', './lanes.sock'], true],
  [[], false],
  [['--listen', ':7000'], false],
  [['--listen', '0.0.0.0:7000'], false],
  [['--listen', '192.0.2.7:7000'], false],
  [['--listen', 'localhost.example:7000'], false],
  [['--listen', '127.0.0.1:0', '--listen', ':7000'], false],
]

test.each(OTHER)('plain text for a server %j: %s, unless insisted on', (args, allowed) => {
  const settings = () => server(PLAIN, ...args)
  if (allowed) expect(settings().security).toEqual({ by: 'nothing' })
  else expect(settings).toThrow(/--insecure-anywhere insists/)
  expect(server(PLAIN, '--insecure-anywhere', ...args).security).toEqual({ by: 'nothing' })
})

test.each([
  [':7000', true],
  ['127.0.0.1:7000', true],
  ['far.example:7000', false],
  ['10.0.0.1:7000', false],
])('plain text for a client of %s: %s', (address, allowed) => {
  const settings = () => client(PLAIN, '--server', address, '-L', '1:b:2')
  if (allowed) expect(settings().security).toEqual({ by: 'nothing' })
  else expect(settings).toThrow(/--insecure-anywhere insists/)
})

test('certificates are read, all three or none', () => {
  const cert = file('-----BEGIN CERTIFICATE-----\n')
  const certKey = file('-----BEGIN EC PRIVATE KEY-----\n')
  const all = ['--cert', cert, '--cert-key', certKey, '--ca', cert]
  expect(server(...all).security).toMatchObject({ by: 'certificate', ca: /CERTIFICATE/ })
  for (const at of [0, 2, 4]) {
    expect(() => server(...all.toSpliced(at, 2))).toThrow(/all of --cert, --cert-key and --ca/)
  }
  expect(() => server(...all.with(3, cert))).toThrow(/has no PRIVATE KEY in PEM/)
  expect(() => server(...all.with(1, '/nowhere'))).toThrow(
    /cannot read '\/nowhere': there is no such file/,
  )
})

test('two kinds of security at once are refused, whichever they are', () => {
  const key = file(secret.reveal())
  const excluded = /exclude each other/
  expect(() => server('--key-file', key, PLAIN, '--listen', '127.0.0.1:0')).toThrow(excluded)
  expect(() => server('--key-file', key, '--ca', key)).toThrow(excluded)
  expect(() => server(PLAIN, '--ca', key, '--listen', '127.0.0.1:0')).toThrow(excluded)
  expect(() => server('--insecure-anywhere')).toThrow(/needs --insecure-plaintext/)
})

test('settings can be printed, logged and sent as JSON, and nobody sees the key', () => {
  const settings = server()
  for (const text of [JSON.stringify(settings), inspect(settings, { depth: 9 }), String(secret)]) {
    expect(text).not.toContain(secret.reveal().slice(9, 20))
  }
  expect(JSON.stringify(settings)).toContain(`[secret ${secret.id}]`)
})
