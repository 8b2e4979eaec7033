// Configurations of other programs: what comes out is one of ours, and says what did not come over.

import { expect, test } from 'vitest'
import { parseConfig } from '../src/config.ts'
import { valuesOf } from '../src/option.ts'
import { CLIENT_OPTIONS, SERVER_OPTIONS } from '../src/tunnel-options.ts'
import { file, run } from './world.ts'

const MTCP = {
  host: 'far.example',
  host_port: 10_000,
  remote_port: 22,
  local_port: 2222,
  somaxconn: 10,
}

/** As the program's own example, with a token in it. */
const NEO = {
  MaxPacketBodyLength: 4096,
  EConnWriteConfig: {
    WriteBufMaxLen: 8192,
    WriteBufStopRemoteThreshold: 16,
    WriteBufStartRemoteThreshold: 1,
    OptimizationMode: false,
  },
  PConnAuthToken: 'canary',
  PConnBindingAddresses: [
    ...['192.168.1.11', '192.168.1.12:0', '[fd00::7]:0', '192.168.1.12'],
    ...['192.168.1.11:5000', '192.168.1.11:5001', '[fd00::7]:5000'],
  ],
  PConnReusePort: true,
  PConnKeepAlive: 300_000_000_000,
  EConnBindingAddr: '192.168.1.11:10181',
  ServerAddr: '12.34.56.78:10181',
  DestAddr: '12.34.56.78:1080',
}

const converted = (from: string, config: unknown, ...args: string[]) => {
  const text = typeof config === 'string' ? config : JSON.stringify(config)
  return run(['convert', from, file(text, 'config.json'), ...args])
}

async function asClient(from: string, config: unknown, ...args: string[]) {
  const { code, output } = await converted(from, config, ...args)
  expect(code).toBe(0)
  return { output, values: valuesOf(CLIENT_OPTIONS, parseConfig(CLIENT_OPTIONS, output, 'out')) }
}

async function asServer(from: string, config: unknown, ...args: string[]) {
  const { code, output } = await converted(from, config, '--role', 'server', ...args)
  expect(code).toBe(0)
  return { output, values: valuesOf(SERVER_OPTIONS, parseConfig(SERVER_OPTIONS, output, 'out')) }
}

test('the client of an mtcp configuration dials its host, and forwards its local port', async () => {
  const { values, output } = await asClient('mtcp', MTCP)
  expect(values).toMatchObject({
    server: [{ host: 'far.example', port: 10_000 }],
    forward: [
      { listen: { host: '127.0.0.1', port: 2222 }, target: { host: '127.0.0.1', port: 22 } },
    ],
    lanes: 10,
  })
  expect(output).toContain('striper key new')
  expect(output).toContain('"*:2222:127.0.0.1:22"')
})

test('the server of an mtcp configuration listens at its port, and opens its target', async () => {
  const { values } = await asServer('mtcp', MTCP)
  expect(values).toMatchObject({
    listen: [{ port: 10_000 }],
    allow: [{ text: '127.0.0.1:22', port: 22 }],
  })
})

test('mtcp: more sockets than lanes, none, an IPv6 host, ports as texts, a strange key', async () => {
  const many = await asClient('mtcp', {
    ...MTCP,
    somaxconn: 100,
    host: 'fd00::7',
    local_port: '2222',
  })
  expect(many.values).toMatchObject({ lanes: 32, server: [{ host: 'fd00::7' }] })
  expect(many.output).toContain('It was 100; there are 32 at most.')
  const { somaxconn, ...none } = MTCP
  expect(somaxconn).toBe(10)
  const strange = await asClient('mtcp', { ...none, colour: 'blue' })
  expect(strange.values.lanes).toBe(undefined)
  expect(strange.output).toContain('# colour: not a key of mtcp; left out.')
})

test('a client of NEO-181 dials from each address, and listens where it listened', async () => {
  const { values, output } = await asClient('neo', NEO)
  expect(values).toMatchObject({
    server: [{ host: '12.34.56.78', port: 10_181 }],
    forward: [
      {
        listen: { host: '192.168.1.11', port: 10_181 },
        target: { host: '12.34.56.78', port: 1080 },
      },
    ],
    bind: [
      { from: '192.168.1.11', count: 1 },
      { from: '192.168.1.12', count: 2 },
      { from: 'fd00::7', count: 1 },
      { from: '192.168.1.11', port: 5000, count: 1 },
      { from: '192.168.1.11', port: 5001, count: 1 },
      { from: 'fd00::7', port: 5000, count: 1 },
    ],
    'max-parcel': 4096,
    'keep-alive': 300_000,
  })
  for (const key of ['EConnWriteConfig', 'PConnReusePort']) {
    expect(output.replace(/\n# /g, ' ')).toMatch(
      new RegExp(`${key} has no counterpart: [a-z ,]+\\.`),
    )
  }
  expect(output).toContain('PConnAuthToken is a password')
  expect(output).not.toContain('canary')
})

test('a server of NEO-181 listens where lanes came in, and opens its target', async () => {
  const { values } = await asServer('neo', NEO)
  expect(values).toMatchObject({
    listen: [{ host: '12.34.56.78', port: 10_181 }],
    allow: [{ text: '12.34.56.78:1080' }],
    'allow-listen': [],
    'max-parcel': 4096,
    'keep-alive': 300_000,
  })
})

test('NEO-181: a chunk size and a keep-alive beyond our limits come to the next within, and say so', async () => {
  const both = async (MaxPacketBodyLength: unknown, PConnKeepAlive: unknown) => {
    const { values, output } = await asClient('neo', {
      ...NEO,
      ...{ MaxPacketBodyLength, PConnKeepAlive },
    })
    return [values['max-parcel'], values['keep-alive'], output.match(/(?<=^# ).* was .*$/gm)]
  }
  expect(await both(1, 1_500_000_000)).toEqual([
    ...[1024, 2000],
    [
      'MaxPacketBodyLength was 1; here it is 1024 to 65536.',
      'PConnKeepAlive was 1.5 s; here it is whole seconds, 1 to 32400.',
    ],
  ])
  expect(await both(65_500, 1e14)).toEqual([
    ...[65_500, 32_400_000],
    ['PConnKeepAlive was 100000 s; here it is whole seconds, 1 to 32400.'],
  ])
  expect(await both(undefined, 0)).toEqual([undefined, 0, null])
  expect(await both(undefined, -1)).toEqual([undefined, 0, null])
  expect(await both(undefined, undefined)).toEqual([undefined, 60_000, null])
})

test('with -S of NEO-181 the server listens for applications, and the client connects', async () => {
  const client = await asClient('neo', NEO, '--swap')
  expect(client.values).toMatchObject({ forward: [], reverse: [{ listen: { port: 10_181 } }] })
  const server = await asServer('neo', NEO, '--swap')
  expect(server.values).toMatchObject({
    allow: [],
    'allow-listen': [{ text: '192.168.1.11:10181' }],
  })
})

test('NEO-181: keys in any case, as Go reads them, and an address with no host', async () => {
  const loud = Object.fromEntries(
    Object.entries(NEO).map(([key, each]) => [key.toUpperCase(), each]),
  )
  const { values } = await asClient('neo', { ...loud, ECONNBINDINGADDR: ':1', DESTADDR: ':2' })
  expect(values.forward).toEqual([
    { listen: { host: '', port: 1 }, target: { host: '127.0.0.1', port: 2 } },
  ])
})

const WRONG: readonly [string, unknown, RegExp][] = [
  ['mtcp', '{"host": canary', /'.*config.json' is not JSON/],
  ['mtcp', [], /config.json: it has to be an object/],
  ['mtcp', {}, /'host' is missing; it is a text/],
  ['mtcp', { ...MTCP, host: 7 }, /'host' has to be a text/],
  ['mtcp', { ...MTCP, host_port: 0 }, /'host_port' has to be a port, 1 to 65535/],
  ['mtcp', { ...MTCP, remote_port: 65_536 }, /'remote_port' has to be a port/],
  ['mtcp', { ...MTCP, local_port: 'http' }, /'local_port' has to be a port/],
  ['mtcp', { ...MTCP, somaxconn: 0 }, /'somaxconn' has to be a whole number from 1 on/],
  ['neo', { ...NEO, PConnBindingAddresses: [] }, /'PConnBindingAddresses' has to be a list/],
  ['neo', { ...NEO, PConnBindingAddresses: ['eth0'] }, /'eth0' is not an address/],
  ['neo', { ...NEO, PConnBindingAddresses: ['10.0.0.1:70000'] }, /a port is 0\.\.65535/],
  ['neo', { ...NEO, MaxPacketBodyLength: 0 }, /'MaxPacketBodyLength' has to be a whole number/],
  ['neo', { ...NEO, PConnKeepAlive: '300s' }, /'PConnKeepAlive' has to be a whole number/],
  ['neo', { ...NEO, ServerAddr: 'far.example' }, /'ServerAddr': 'far.example' is not an address/],
  ['neo', { ...NEO, ServerAddr: ':10181' }, /'ServerAddr' has no host/],
  ['neo', { ...NEO, DestAddr: '/a/socket' }, /'DestAddr': '\/a\/socket' is not HOST:PORT/],
  [
    'neo',
    { ...NEO, PConnBindingAddresses: Array(33).fill('10.0.0.1') },
    /a number of lanes, 1\.\.32/,
  ],
]

test.each(WRONG)('%s: %j is refused in a sentence, exit code 2', async (from, config, sentence) => {
  const { code, output, errors } = await converted(from, config)
  expect([code, output]).toEqual([2, ''])
  expect(errors).toMatch(sentence)
  expect(errors).not.toContain('canary')
})

test('convert says what it reads, where it is asked for something else', async () => {
  expect((await converted('mtpc', MTCP)).errors).toMatch(/reads mtcp or neo, .* mean 'mtcp'/)
  expect((await run(['convert', 'neo'])).errors).toMatch(/needs a FILE/)
  expect((await run(['convert', 'neo', '/nowhere'])).errors).toMatch(/cannot read '\/nowhere'/)
  expect((await converted('mtcp', MTCP, '--swap')).errors).toMatch(/--swap is for neo/)
})
