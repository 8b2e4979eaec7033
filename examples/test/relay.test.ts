// examples/relay.ts as a child process, between a server and clients in this one.

import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { Program } from '../lib/program.ts'
import { closed, closedPort, collect, dial, serve, start, sockets } from './scene.ts'

async function startRelay(targetPort: number): Promise<{ relay: Program; port: number }> {
  const relay = start('relay', '--listen', '127.0.0.1:0', '--to', `127.0.0.1:${targetPort}`)
  const [, port] = await relay.printed(/relay: 127\.0\.0\.1:(\d+) to/)
  return { relay, port: Number(port) }
}

/** Answers each conversation, when its question has ended, with the question twice. */
const twice = (socket: Socket) =>
  void collect(socket).then(question => socket.end(Buffer.concat([question, question])))

test('bytes go both ways, and a late answer comes after a half-close', async () => {
  const { relay, port } = await startRelay(await serve(twice))
  const questions = [Buffer.alloc(3_000_000, 'abc'), Buffer.from('short'), Buffer.alloc(0)]
  const answers = questions.map(question => {
    const client = dial(port)
    client.end(question)
    return collect(client)
  })
  for (const [index, answer] of (await Promise.all(answers)).entries()) {
    expect(answer.equals(Buffer.concat([questions[index]!, questions[index]!]))).toBe(true)
  }
  await relay.printed(/127\.0\.0\.1:\d+ connected/)
  await relay.printed(/ended; 3\.0 MB up, 6\.0 MB down in .+ × congested/)
})

test('a target that refuses resets the client, and one line says why', async () => {
  const { relay, port } = await startRelay(await closedPort())
  const client = dial(port)
  await closed(client)
  expect(client.errored).toMatchObject({ code: 'ECONNRESET' })
  await relay.printed(/failed: target: cannot connect to 127\.0\.0\.1:\d+: ECONNREFUSED/)
})

test('a client that resets has its target reset, never ended', async () => {
  const events: string[] = []
  let abort: () => void = () => undefined
  const targetPort = await serve(socket => {
    for (const name of ['end', 'error']) socket.on(name, () => events.push(name))
    socket.once('data', () => abort())
  })
  const { relay, port } = await startRelay(targetPort)
  const client = dial(port)
  client.write('half an uplo')
  abort = () => client.resetAndDestroy()
  await relay.printed(/failed: client: /)
  await Promise.all([...sockets].map(closed))
  expect(events).toEqual(['error'])
})

test('the first SIGINT lets a conversation end, and exits with 0', async () => {
  const { relay, port } = await startRelay(await serve(twice))
  const client = dial(port)
  client.write('one ')
  await relay.printed(/connected/)
  relay.signal('SIGINT')
  await relay.printed(/listening no more; 1 still open/)
  const late = dial(port)
  await closed(late)
  expect(late.errored).toMatchObject({ code: 'ECONNREFUSED' })
  client.end('two ')
  expect((await collect(client)).toString()).toBe('one two one two ')
  expect(await relay.exit).toBe(0)
  expect(relay.errors).toBe('')
})

for (const [name, code] of [['SIGINT', 130] as const, ['SIGTERM', 143] as const]) {
  test(`the second ${name} aborts what is left, and exits with ${code}`, async () => {
    const { relay, port } = await startRelay(await serve(socket => socket.resume()))
    const client = dial(port)
    await relay.printed(/connected/)
    relay.signal(name)
    await relay.printed(/listening no more; 1 still open/)
    relay.signal(name)
    await closed(client)
    expect(client.errored).toMatchObject({ code: 'ECONNRESET' })
    expect(await relay.exit).toBe(code)
  })
}

test('with nothing open one SIGTERM is the end of it', async () => {
  const { relay } = await startRelay(1)
  relay.signal('SIGTERM')
  expect(await relay.exit).toBe(0)
  expect(relay.output).toMatch(/listening no more\n$/)
})

test('a port in use is one sentence and exit code 1', async () => {
  const port = await serve(() => undefined)
  const relay = start('relay', '--listen', `127.0.0.1:${port}`)
  expect(await relay.exit).toBe(1)
  expect(relay.errors).toBe(
    `relay: cannot listen at 127.0.0.1:${port}: EADDRINUSE (another program listens there)\n`,
  )
})

test('a wrong command line is one sentence and exit code 2', async () => {
  const wrong = [['--bogus'], ['--to', 'nonsense'], ['--listen', '127.0.0.1:99999']]
  const relays = wrong.map(args => start('relay', ...args))
  expect(await Promise.all(relays.map(relay => relay.exit))).toEqual([2, 2, 2])
  const [bogus, nonsense, port] = relays.map(relay => relay.errors)
  expect(bogus).toBe("relay: Unknown option '--bogus'; --help says more\n")
  expect(nonsense).toMatch(/^relay: --to: 'nonsense' is not an address: .*\n$/)
  expect(port).toMatch(/^relay: --listen: '127.0.0.1:99999': a port is 0..65535.*\n$/)
})

test('--help says what there is, and exits with 0', async () => {
  const relay = start('relay', '--help')
  expect(await relay.exit).toBe(0)
  for (const word of ['--listen', '--to', '55555', 'ctrl-C']) expect(relay.output).toContain(word)
})
