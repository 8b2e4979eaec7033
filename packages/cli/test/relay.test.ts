// striper relay as a child process, between a server and clients in this one.

import { once } from 'node:events'
import type { Socket } from 'node:net'
import { expect, test, vi } from 'vitest'
import type { Program } from '../../../examples/lib/program.ts'
import { closed, closedPort, collect, dial, serve, start } from '../../../examples/test/scene.ts'
import { asksIn, SHARES_PORTS } from '../../tcp/test/kernel.ts'
import { file } from './world.ts'

vi.setConfig({ testTimeout: 60_000 }) // a process starts in seconds where others do too

const LINUX = process.platform === 'linux'

async function startRelay(targetPort: number, ...args: string[]) {
  const to = `127.0.0.1:${targetPort}`
  const at = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0']
  const relay: Program = start('striper', 'relay', ...at, '--to', to, ...args)
  const [, port] = await relay.printed(/127\.0\.0\.1:(\d+) to/)
  return { relay, port: Number(port) }
}

/** Answers each conversation, when its question has ended, with the question twice. */
const twice = (socket: Socket) =>
  void collect(socket).then(question => socket.end(Buffer.concat([question, question])))

test('a late answer comes after a half-close; counters at its end and when all is over', async () => {
  const { relay, port } = await startRelay(await serve(twice))
  const client = dial(port)
  const question = Buffer.alloc(3_000_000, 'abc')
  client.end(question)
  expect((await collect(client)).equals(Buffer.concat([question, question]))).toBe(true)
  await relay.printed(/127\.0\.0\.1:\d+ connected/)
  await relay.printed(/ended; 3\.0 MB up, 6\.0 MB down in .+, congested \d+ times/)
  relay.signal('SIGTERM')
  expect(await relay.exit).toBe(0)
  expect(relay.errors).toMatch(/1 conversation, 9\.0 MB in all\n$/)
  expect(relay.output).toBe('')
})

test('a target that refuses resets the client; as JSON, and with options from a file', async () => {
  const config = file(`to: 127.0.0.1:1\nlog: json\nhalf-open-timeout: 1s\n`, 'relay.yaml')
  const { relay, port } = await startRelay(await closedPort(), '--config', config)
  const client = dial(port)
  await closed(client)
  expect(client.errored).toMatchObject({ code: 'ECONNRESET' })
  await relay.printed(/"event":"failed"/)
  await relay.stop()
  const events = relay.errors
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { event: string })
  expect(events.map(({ event }) => event)).toEqual([
    ...['listening', 'opened', 'failed', 'stopping', 'stopped'],
  ])
  expect(events[2]).toMatchObject({
    level: 'warning',
    up: 0,
    down: 0,
    reason: expect.stringMatching(/^target: cannot connect to .*: ECONNREFUSED$/) as string,
  })
})

test.runIf(LINUX)('--keep-alive is of both connections of a conversation', async () => {
  const accepted: Socket[] = []
  const target = await serve(socket => {
    accepted.push(socket)
    socket.pipe(socket)
  })
  const { port } = await startRelay(target, '--keep-alive', '5m')
  const client = dial(port)
  client.write('x')
  await once(client, 'data')
  for (const { localPort, remotePort } of [client, accepted[0]!]) {
    const left = () => asksIn(remotePort!, localPort!)
    await expect.poll(left, { timeout: 10_000 }).toBeDefined()
    expect(left()).toBeLessThanOrEqual(300)
    expect(left()).toBeGreaterThan(150)
  }
})

test.runIf(SHARES_PORTS)(
  '--reuse-port: relays share a port, and each has conversations',
  async () => {
    const target = await serve(twice)
    const one = await startRelay(target, '--reuse-port')
    const other = await startRelay(target, '--reuse-port', '--listen', `127.0.0.1:${one.port}`)
    expect(other.port).toBe(one.port)
    // Which of the two it is comes from a hash of both ends: 40 do not all come to one.
    for (let i = 0; i < 40; i++) {
      const client = dial(one.port)
      client.end('word')
      expect((await collect(client)).toString()).toBe('wordword')
    }
    for (const { relay } of [one, other]) {
      await relay.printed(/ended; 4 B up, 8 B down/)
      await relay.stop()
    }
  },
)

test.runIf(LINUX && !SHARES_PORTS)(
  '--reuse-port where Node.js has none is a sentence, exit code 3',
  async () => {
    const relay: Program = start('striper', 'relay', '--listen', '127.0.0.1:0', '--reuse-port')
    expect(await relay.exit).toBe(3)
    expect(relay.errors).toMatch(
      /^striper relay: cannot listen at 127\.0\.0\.1:0: no reusePort in Node/,
    )
  },
)

for (const [option, sentence] of [
  ['--idle-timeout', /failed: idle for 300 ms/],
  ['--half-open-timeout', /failed: half-open and idle for 300 ms/],
] as const) {
  test(`${option} aborts a conversation that is silent`, async () => {
    const { relay, port } = await startRelay(
      await serve(socket => socket.resume()),
      option,
      '300ms',
    )
    const client = dial(port)
    client.write('x')
    if (option === '--half-open-timeout') client.end()
    await relay.printed(sentence)
    await closed(client)
    expect(client.errored).toMatchObject({ code: 'ECONNRESET' })
  })
}

test('one connection more than --max-connections is closed as it comes', async () => {
  const { relay, port } = await startRelay(
    await serve(socket => void socket.pipe(socket)),
    ...['--max-connections', '1'],
  )
  const first = dial(port)
  first.write('x')
  await relay.printed(/connected/)
  const second = dial(port)
  second.resume()
  second.on('end', () => second.destroy())
  await closed(second)
  first.end()
  expect((await collect(first)).toString()).toBe('x')
})

for (const [name, code] of [['SIGINT', 130] as const, ['SIGTERM', 143] as const]) {
  test(`the first ${name} waits, the second aborts what is left, exit code ${code}`, async () => {
    const { relay, port } = await startRelay(await serve(socket => socket.resume()))
    const client = dial(port)
    await relay.printed(/connected/)
    relay.signal(name)
    await relay.printed(/listening no more; 1 still open/)
    expect(client.destroyed).toBe(false)
    relay.signal(name)
    await closed(client)
    expect(client.errored).toMatchObject({ code: 'ECONNRESET' })
    expect(await relay.exit).toBe(code)
    expect(relay.errors).toMatch(
      /failed: the relay was stopped; .*\n.* 1 conversation, 0 B in all\n$/,
    )
  })
}
