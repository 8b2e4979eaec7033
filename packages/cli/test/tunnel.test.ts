// The tunnel, both ends in this process: what a connection through it meets.

import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { closedPort, collect, dial, serve, sockets } from '../../../examples/test/scene.ts'
import { newSecret } from '../src/secret.ts'
import { type End, forwarded, KEY, killAll, resetOf } from './tunnel-scene.ts'
import { startClient, startServer, tunnel } from './tunnel-scene.ts'

afterEach(killAll)

/** Answers each conversation, when its question has ended, with the question twice. */
const twice = (socket: Socket) =>
  void collect(socket).then(question => socket.end(Buffer.concat([question, question])))

test('bytes pass both ways, a half-close passes, and the late answer comes whole', async () => {
  const { client, server, port } = await tunnel(await serve(twice))
  const question = Buffer.alloc(300_000, 'abc')
  const socket = dial(port)
  socket.end(question)
  expect((await collect(socket)).equals(Buffer.concat([question, question]))).toBe(true)
  await client.said(/ended; 600 kB in, 300 kB out/)
  await server.said(/ended; 300 kB in, 600 kB out/)
})

test('the target ends first, and what the client says afterwards arrives', async () => {
  const heard = new Promise<Buffer>(resolve => {
    void serve(socket => {
      socket.end('first')
      void collect(socket).then(resolve)
    }).then(async target => {
      const { port } = await tunnel(target)
      const socket = dial(port)
      expect((await collect(socket)).toString()).toBe('first')
      socket.end('afterwards')
    })
  })
  expect((await heard).toString()).toBe('afterwards')
})

test('a reset of either side arrives as a reset at the other', async () => {
  const accepted: Socket[] = []
  const target = await serve(socket => {
    accepted.push(socket)
    socket.on('data', () => undefined).write('hello')
  })
  const { port } = await tunnel(target)
  const one = dial(port)
  await once(one, 'data')
  one.resetAndDestroy()
  expect(await resetOf(accepted[0]!)).toBe('ECONNRESET')
  const other = dial(port)
  await once(other, 'data')
  accepted[1]!.resetAndDestroy()
  expect(await resetOf(other)).toBe('ECONNRESET')
})

test('a target that refuses is a reset, with the reason in the log of both ends', async () => {
  const { server, client, port } = await tunnel(await closedPort())
  expect(await resetOf(dial(port))).toBe('ECONNRESET')
  await server.said(/refused: cannot connect to 127\.0\.0\.1:\d+: ECONNREFUSED/)
  await client.said(/was refused: the peer refused: cannot connect to .*: ECONNREFUSED/)
})

test('what no rule allows is not dialled, and both ends say why', async () => {
  let dialled = 0
  const target = await serve(() => dialled++)
  const { port } = await startServer(KEY, ['--allow', '127.0.0.1:1'])
  const client = startClient(KEY, port, ['-L', `0:127.0.0.1:${target}`])
  expect(await resetOf(dial(await forwarded(client)))).toBe('ECONNRESET')
  await client.said(/the peer refused: no --allow opens 127\.0\.0\.1 port \d+/)
  expect(dialled).toBe(0)
})

/** Waits until the server listens for a -R, and says where. */
async function reversed(client: End): Promise<number> {
  const [, port] = await client.said(/server 127\.0\.0\.1:(\d+) to \S+, made from here/)
  return Number(port)
}

test('-R: the server listens, as --allow-listen says, as long as the session lives', async () => {
  const target = await serve(twice)
  const { server, port } = await startServer(KEY, ['--allow-listen', '127.0.0.1:*'])
  const client = startClient(KEY, port, ['-R', `0:127.0.0.1:${target}`])
  const at = await reversed(client)
  const socket = dial(at)
  socket.end('again ')
  expect((await collect(socket)).toString()).toBe('again again ')
  await client.kill()
  await server.said(/listens no more/)
  const refused = net.connect({ port: at, host: '127.0.0.1' }).on('error', () => undefined)
  sockets.add(refused)
  expect(await resetOf(refused)).toBe('ECONNREFUSED')
})

test('-R without a rule is refused, with the reason at both ends', async () => {
  const { server, port } = await startServer(KEY, [])
  const client = startClient(KEY, port, ['-R', '8080:127.0.0.1:80'])
  await client.said(/server does not listen at 127\.0\.0\.1:8080: .*no --allow-listen opens/)
  await server.said(/listen 127\.0\.0\.1:8080 refused: no --allow-listen opens/)
})

test('a key that is not the server’s: the client ends with exit code 4, both ends say why', async () => {
  const { server, port } = await startServer(KEY, [])
  const client = startClient(newSecret().reveal(), port, ['-L', '0:127.0.0.1:80'])
  expect(await client.over).toMatchObject({
    exitCode: 4,
    message: expect.stringMatching(
      /^the server does not let us in with key [0-9a-f]{16}/,
    ) as string,
  })
  await server.said(/127\.0\.0\.1:\d+ not let in: its key is not ours/)
})

test('--penalty: whoever offended is refused at the door, with the right key too; off, he is not', async () => {
  const asks = ['-L', '0:127.0.0.1:80', '--lanes', '1']
  for (const [penalty, why] of [
    ['10m', /lane \S+: waits .*reset by the far end/],
    ['off', /session \w+ is up/],
  ] as const) {
    const { server, port } = await startServer(KEY, ['--penalty', penalty])
    const offender = startClient(newSecret().reveal(), port, asks)
    await server.said(/not let in/)
    await offender.kill()
    await startClient(KEY, port, asks).said(why)
  }
})

/** A client's certificate, or the server's, as options. */
function certificate(whose: string, trusts: string): string[] {
  const at = (name: string) =>
    fileURLToPath(new URL(`../../tls/test/certificates/${name}`, import.meta.url))
  const own = ['--cert', at(`${whose}.pem`), '--cert-key', at(`${whose}.key`)]
  return [...own, '--ca', at(`${trusts}-ca.pem`)]
}

/** A network between a client and a server: it resets the first connection when the client has
 *  answered the server's part of the handshake, and then is away for 1.5 s. */
async function badNetwork(server: number): Promise<number> {
  let back: number | undefined
  return serve(near => {
    if (performance.now() < (back ?? 0)) return void near.destroy()
    const cut = back === undefined
    back ??= performance.now() + 1500
    const far = dial(server)
    let answered = false
    near.on('data', chunk => {
      if (!cut || !answered) return void far.write(chunk)
      near.resetAndDestroy()
      far.destroy()
    })
    far.on('data', chunk => {
      answered = true
      near.write(chunk)
    })
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => undefined).on('close', () => other.destroy())
    }
  })
}

test('a certificate that the server does not trust: the client ends with exit code 4', async () => {
  const { port } = await startServer('', certificate('ours-server', 'ours'))
  const args = [...certificate('other-client', 'ours'), '--server-name', 'exit.test']
  const client = startClient('', port, ['-L', '0:127.0.0.1:80', ...args])
  expect(await client.over).toMatchObject({ exitCode: 4 })
})

test('regression: with certificates, lanes that the network resets at the start are dialled again', async () => {
  const { port } = await startServer('', certificate('ours-server', 'ours'))
  const args = [...certificate('ours-client', 'ours'), '--server-name', 'exit.test']
  const way = await badNetwork(port)
  const client = startClient('', way, ['-L', '0:127.0.0.1:80', '--lanes', '1', ...args])
  await client.said(/lane \S+: waits .*reset by the far end/)
  await client.said(/session \w+ is up/)
})

test('another --server-name is another key', async () => {
  const { port } = await startServer(KEY, ['--server-name', 'far'])
  const client = startClient(KEY, port, ['-L', '0:127.0.0.1:80', '--server-name', 'near'])
  expect(await client.over).toMatchObject({ exitCode: 4 })
})

test('a local port that is taken is exit code 3', async () => {
  const taken = await serve(() => undefined)
  const client = startClient(KEY, 1, ['-L', `${taken}:127.0.0.1:80`])
  expect(await client.over).toMatchObject({ exitCode: 3 })
})

test('a server that is killed and comes back: what was open is reset, and new ones work', async () => {
  const target = await serve(socket => void socket.pipe(socket))
  const { server, client, lanes, port } = await tunnel(target)
  const before = dial(port)
  before.write('x')
  await once(before, 'data')
  await server.kill()
  await startServer(KEY, ['--allow', `127.0.0.1:${target}`], lanes)
  expect(await resetOf(before)).toBe('ECONNRESET')
  const after = dial(port)
  after.end('y')
  expect((await collect(after)).toString()).toBe('y')
  expect(client.snapshot().totals.sessions).toBe(2)
})

test('the first signal waits for what is open, and takes nothing new; at either end', async () => {
  for (const first of ['server', 'client'] as const) {
    const target = await serve(socket => void socket.pipe(socket))
    const both = await tunnel(target)
    const socket = dial(both.port)
    socket.write('x')
    await once(socket, 'data')
    both[first].stop()
    socket.end('y')
    expect((await collect(socket)).toString()).toBe('y')
    expect(await both[first].over).toBeUndefined()
  }
})

test('the second signal aborts what is open', async () => {
  const { server, port } = await tunnel(await serve(socket => socket.resume().write('x')))
  const socket = dial(port)
  await once(socket, 'data')
  server.stop()
  server.abort()
  expect(await server.over).toBeUndefined()
  expect(await resetOf(socket)).toBe('ECONNRESET')
})

test('the snapshots of both ends have lanes from every --bind, and the channel', async () => {
  const target = await serve(socket => socket.resume().write('x'))
  const binds = ['--bind', '127.0.0.1*2', '--bind', '127.0.0.2,backup']
  const { server, client, port } = await tunnel(target, { client: binds })
  const socket = dial(port)
  await once(socket, 'data')
  await client.said(/lane 127\.0\.0\.2#1: up/)
  const [near] = client.snapshot().sessions
  const from = near!.lanes.map(lane => lane.from.replace(/:\d+$/, ''))
  expect(from.sort()).toEqual(['127.0.0.1', '127.0.0.1', '127.0.0.2'])
  expect(near!.lanes.filter(lane => lane.backup)).toHaveLength(1)
  expect(client.snapshot().wanted.map(({ state }) => state)).toEqual(['up', 'up', 'up'])
  const [far] = server.snapshot().sessions
  expect(far).toMatchObject({ id: near!.id, channels: [{ target: `127.0.0.1:${target}` }] })
  expect(far!.channels[0]!.bytesOut).toBe(1)
  for (const { open } of [client.snapshot(), server.snapshot()]) {
    expect(open).toMatchObject({ sessions: 1, channels: 1 })
  }
})

test('regression: the server shows the weight and the backup that the client gave a lane', async () => {
  const binds = ['--bind', '127.0.0.1,weight=0.5', '--bind', '127.0.0.2,backup']
  const { server, client } = await tunnel(await closedPort(), { client: binds })
  for (const lane of ['127.0.0.1#1', '127.0.0.2#1']) {
    await client.said(new RegExp(`lane ${lane.replaceAll('.', '[.]')}: up`))
  }
  for (const { sessions } of [client.snapshot(), server.snapshot()]) {
    const said = sessions[0]!.lanes.map(({ weight, backup }) => ({ weight, backup }))
    expect(said).toHaveLength(2)
    expect(said).toContainEqual({ weight: 0.5, backup: false })
    expect(said).toContainEqual({ weight: 1, backup: true })
  }
})

test('neither end ever logs the secret, or shows it', async () => {
  const { server, client, port } = await tunnel(await closedPort())
  expect(await resetOf(dial(port))).toBe('ECONNRESET')
  await server.said(/refused/)
  const all = [...server.lines, ...client.lines].join('')
  const shown = JSON.stringify([server.snapshot(), client.snapshot()])
  expect(all + shown).not.toContain(KEY.slice(9, 30))
})
