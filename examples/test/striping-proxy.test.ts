// examples/striping-proxy.ts as two child processes, between a server and clients in this one.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { content } from '../lib/content.ts'
import { Program } from '../lib/program.ts'
import { closed, closedPort, collect, dial, serve, servers, start } from './scene.ts'

function startRole(role: 'entry' | 'exit', to: string, ...more: string[]): Program {
  return start('striping-proxy', '--role', role, '--listen', '127.0.0.1:0', '--to', to, ...more)
}

const portOf = (address: string) => Number(address.split(':').pop())

/** An exit to a server on `targetPort`, and an entry to it. */
async function startPair(targetPort: number, ...entryArgs: string[]) {
  const exit = startRole('exit', `127.0.0.1:${targetPort}`)
  const lanePort = portOf(await exit.address())
  const entry = startRole('entry', `127.0.0.1:${lanePort}`, ...entryArgs)
  return { entry, exit, lanePort, port: portOf(await entry.address()) }
}

const bytesOf = (bytes: number, seed: number) => Buffer.concat([...content(bytes, seed)])
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

/** Gives back what comes, as it comes. */
const echo = (socket: Socket) => socket.pipe(socket)

/** Gives back what came, when all of it has. */
const late = (socket: Socket) => {
  collect(socket).then(
    question => socket.end(question),
    () => undefined, // it was reset
  )
}

/** Stands before a port, and keeps the sockets of whoever comes that way, and from where. */
async function watch(port: number) {
  const sockets: Socket[] = []
  const from: (string | undefined)[] = []
  const listening = await serve(socket => {
    sockets.push(socket)
    from.push(socket.remoteAddress)
    const onward = dial(port)
    socket.pipe(onward).pipe(socket)
    socket.once('close', () => onward.destroy())
    onward.once('close', () => socket.destroy())
  })
  return { port: listening, sockets, from }
}

test('megabytes go both ways at once, over lanes of two local addresses', async () => {
  const down = bytesOf(4_000_000, 1)
  const up = bytesOf(3_000_000, 2)
  let received: Promise<Buffer> | undefined
  const target = await serve(socket => {
    received = collect(socket)
    socket.end(down)
  })
  const exit = startRole('exit', `127.0.0.1:${target}`)
  const lanes = await watch(portOf(await exit.address()))
  const binds = ['--bind', '127.0.0.1', '--bind', '127.0.0.2']
  const entry = startRole('entry', `127.0.0.1:${lanes.port}`, '--lanes', '3', ...binds)
  const client = dial(portOf(await entry.address()))
  client.end(up)
  expect(sha256(await collect(client))).toBe(sha256(down))
  expect(sha256(await received!)).toBe(sha256(up))
  await entry.printed(/127\.0\.0\.1:\d+ ended; 3\.0 MB up, 4\.0 MB down in .+, 0 lanes lost/)
  await exit.printed(/session \w{8} ended; 3\.0 MB up, 4\.0 MB down in .+, 0 lanes lost/)
  const { from } = lanes
  expect(from.filter(address => address === '127.0.0.1')).toHaveLength(3)
  expect(from.filter(address => address === '127.0.0.2')).toHaveLength(3)
})

test('a lane that is reset on the way is dialled again, and no byte is lost', async () => {
  const down = bytesOf(4_000_000, 5)
  let goOn: () => void = () => undefined
  const target = await serve(socket => {
    socket.write(down.subarray(0, 2_000_000))
    goOn = () => socket.end(down.subarray(2_000_000))
  })
  const exit = startRole('exit', `127.0.0.1:${target}`)
  const lanes = await watch(portOf(await exit.address()))
  const entry = startRole('entry', `127.0.0.1:${lanes.port}`, '--lanes', '2')
  const client = dial(portOf(await entry.address()))
  const answer = collect(client)
  await once(client, 'data')
  lanes.sockets[0]!.resetAndDestroy()
  while (lanes.sockets.length < 3) await once(servers.at(-1)!, 'connection')
  goOn()
  expect((await answer).equals(down)).toBe(true)
  client.end()
  await entry.printed(/ended; 0 B up, 4\.0 MB down in .+, 1 lanes lost/)
})

test('a late answer comes after a half-close, in many conversations at once', async () => {
  const { port } = await startPair(await serve(late))
  const questions = Array.from({ length: 20 }, (_, i) => bytesOf(i * 5000, i))
  const answers = questions.map(question => {
    const client = dial(port)
    client.end(question)
    return collect(client)
  })
  const equal = (await Promise.all(answers)).map((answer, i) => answer.equals(questions[i]!))
  expect(equal).toEqual(questions.map(() => true))
})

test('a target that refuses resets the client, and a line at each end says so', async () => {
  const { entry, exit, port } = await startPair(await closedPort())
  const client = dial(port)
  await closed(client)
  expect(client.errored).toMatchObject({ code: 'ECONNRESET' })
  await exit.printed(/failed: target: cannot connect to 127\.0\.0\.1:\d+: ECONNREFUSED/)
  await entry.printed(/failed: exit: the peer aborted/)
})

test('a reset crosses both proxies, from either side, and is never an end', async () => {
  const events: string[] = []
  const arrived: ((socket: Socket) => void)[] = []
  const target = await serve(socket => {
    for (const name of ['end', 'error']) socket.on(name, () => events.push(`target ${name}`))
    socket.once('data', () => arrived.shift()?.(socket))
  })
  const { port } = await startPair(target)
  for (const abort of ['client', 'target']) {
    const client = dial(port)
    for (const name of ['end', 'error']) client.on(name, () => events.push(`client ${name}`))
    client.write('half an uplo')
    const there = await new Promise<Socket>(resolve => arrived.push(resolve))
    const [near, far] = abort === 'client' ? [client, there] : [there, client]
    near.resetAndDestroy()
    await closed(far)
  }
  expect(events).toEqual(['target error', 'client error'])
})

test('what is no lane is turned away at the lane port, and nobody else notices', async () => {
  const { exit, lanePort, port } = await startPair(await serve(echo))
  const client = dial(port)
  const answer = collect(client)
  const question = bytesOf(2_000_000, 3)
  client.write(question.subarray(0, 1_000_000))
  await exit.printed(/opened/)

  const noise = bytesOf(100_000, 4)
  const tlsHello = Buffer.from('16030100c8010000c40303', 'hex')
  const greetingOfAnotherVersion = Buffer.from('STRIPER\x09aaaaaaaaaaaaaaaa', 'latin1')
  const tooLong = Buffer.concat([
    Buffer.from('STRIPER\x01'),
    noise.subarray(0, 16),
    Buffer.alloc(4, 255),
  ])
  const nothing = dial(lanePort)
  for (const bytes of [
    'GET / HTTP/1.1\r\n\r\n',
    tlsHello,
    noise,
    greetingOfAnotherVersion,
    tooLong,
  ]) {
    const stranger = dial(lanePort)
    stranger.write(bytes)
    stranger.resume()
    await closed(stranger)
  }
  const half = dial(lanePort)
  half.end('STRIP')
  half.resume()
  await closed(half)

  client.end(question.subarray(1_000_000))
  expect((await answer).equals(question)).toBe(true)
  expect(nothing.destroyed).toBe(false) // it has its ten seconds
  expect(exit.errors).toBe('')
})

test('the first SIGINT lets a conversation end, and both exit with 0', async () => {
  const { entry, exit, port } = await startPair(await serve(late))
  const client = dial(port)
  client.write('one ')
  await exit.printed(/opened/)
  for (const program of [entry, exit]) {
    program.signal('SIGINT')
    await program.printed(/listening no more, 1 conversations left/)
  }
  client.end('two')
  expect((await collect(client)).toString()).toBe('one two')
  expect(await Promise.all([entry.exit, exit.exit])).toEqual([0, 0])
})

test('the second SIGTERM aborts what is left, at both ends, with 143', async () => {
  const { entry, exit, port } = await startPair(await serve(late))
  const client = dial(port)
  await exit.printed(/opened/)
  for (const signal of ['SIGTERM', 'SIGTERM'] as const) {
    entry.signal(signal)
    await entry.printed(/listening no more/)
  }
  await closed(client)
  expect(client.errored).toMatchObject({ code: 'ECONNRESET' })
  expect(await entry.exit).toBe(143)
  await exit.printed(/failed: entry: the peer aborted/)
})

test('a port in use, or a local address of another machine, is one sentence and 1', async () => {
  const port = await serve(() => undefined)
  const taken = start(
    'striping-proxy',
    '--role',
    'exit',
    '--listen',
    `127.0.0.1:${port}`,
    '--to',
    ':1',
  )
  const elsewhere = startRole('entry', ':1', '--bind', '192.0.2.1')
  expect(await Promise.all([taken.exit, elsewhere.exit])).toEqual([1, 1])
  expect(taken.errors).toBe(
    `striping-proxy: cannot listen at 127.0.0.1:${port}: EADDRINUSE (another program listens there)\n`,
  )
  expect(elsewhere.errors).toMatch(
    /^striping-proxy: .*192\.0\.2\.1.*not an address of this machine.*\n$/,
  )
})

test('a wrong command line is one sentence and 2', { timeout: 60_000 }, async () => {
  const addresses = ['--listen', '127.0.0.1:0', '--to', '127.0.0.1:1']
  const entry = ['--role', 'entry', ...addresses]
  const wrong: [string[], RegExp][] = [
    [addresses, /--role/],
    [['--role', 'middle', ...addresses], /--role/],
    [['--role', 'exit', '--to', '127.0.0.1:1'], /--listen/],
    [['--role', 'exit', '--listen', '127.0.0.1:0'], /--to/],
    [
      ['--role', 'exit', '--listen', 'nonsense', '--to', ':1'],
      /--listen: 'nonsense' is not an add/,
    ],
    [[...entry, '--lanes', '0'], /--lanes: '0' is not a whole number from 1 to 32/],
    [[...entry, '--lanes', '33'], /--lanes: '33'/],
    [[...entry, '--lanes', '17', '--bind', '127.0.0.1', '--bind', '127.0.0.2'], /from 1 to 16/],
    [[...entry, '--bind', 'localhost'], /--bind: 'localhost' is not an IP address/],
    [[...entry, '--bogus'], /Unknown option '--bogus'/],
  ]
  // One after the other: each takes all of a processor for a while.
  for (const [args, sentence] of wrong) {
    const run = start('striping-proxy', ...args)
    expect(await run.exit).toBe(2)
    expect(run.errors).toMatch(sentence)
    expect(run.errors).toMatch(/^striping-proxy: .*; --help says more\n$/)
  }
})

test('--help says what there is, and that the lanes are plain text', async () => {
  const help = start('striping-proxy', '--help')
  expect(await help.exit).toBe(0)
  for (const word of ['--role', '--lanes', '--bind', 'plain text', 'whoever can reach']) {
    expect(help.output).toContain(word)
  }
})
