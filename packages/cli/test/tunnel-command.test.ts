// The tunnel as a user runs it: three commands, each a process of its own.

import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { collect, dial, serve, start } from '../../../examples/test/scene.ts'
import { ask } from '../src/ask.ts'
import { newSecret } from '../src/secret.ts'
import { file, folder } from './world.ts'

test('server and client, a status of both, a signal waits for what is open; no secret is said', async () => {
  const text = newSecret().reveal()
  const key = file(text)
  const home = folder()
  const sockets = [join(home, 'server'), join(home, 'client')] as const
  const target = await serve(socket => void socket.pipe(socket))
  const common = ['--key-file', key, '--verbose', '--socket']
  const server = start(
    ...(['striper', 'server', ...common, sockets[0]] as const),
    ...['--listen', '127.0.0.1:0', '--allow', `127.0.0.1:${target}`],
  )
  const [, lanes] = await server.printed(/127\.0\.0\.1:(\d+) for lanes/)
  const client = start(
    ...(['striper', 'client', ...common, sockets[1]] as const),
    ...['--server', `127.0.0.1:${lanes}`, '-L', `0:127.0.0.1:${target}`],
  )
  const [, port] = await client.printed(/127\.0\.0\.1:(\d+) to \S+, made by the server/)
  const socket = dial(Number(port))
  socket.write('x')
  await once(socket, 'data')
  for (const [i, role] of (['server', 'client'] as const).entries()) {
    const snapshot = await ask(sockets[i]!)
    expect(snapshot).toMatchObject({ role, open: { sessions: 1, channels: 1 } })
    expect(JSON.stringify(snapshot)).not.toContain(text.slice(9, 30))
  }
  client.signal('SIGTERM')
  await client.printed(/stopping; once more to abort/)
  socket.end('y')
  expect((await collect(socket)).toString()).toBe('y')
  expect(await client.exit).toBe(0)
  server.signal('SIGTERM')
  expect(await server.exit).toBe(0)
  for (const { output, errors } of [server, client]) {
    expect(output + errors).not.toContain(text.slice(9, 30))
  }
})

test('a client that died without a word has its -R again, before its old session is over', async () => {
  const key = file(newSecret().reveal())
  const target = await serve(socket => void socket.pipe(socket))
  const common = ['--key-file', key, '--socket']
  const server = start(
    ...(['striper', 'server', ...common, join(folder(), 's')] as const),
    ...['--listen', '127.0.0.1:0', '--allow-listen', '127.0.0.1:*', '--no-lane-timeout', '1h'],
  )
  const [, lanes] = await server.printed(/127\.0\.0\.1:(\d+) for lanes/)
  const client = (port: string) =>
    start(
      ...(['striper', 'client', ...common, join(folder(), 'c')] as const),
      ...['--server', `127.0.0.1:${lanes}`, '-R', `${port}:127.0.0.1:${target}`],
    )
  const listens = /server 127\.0\.0\.1:(\d+) to \S+, made from here/
  const first = client('0')
  const [, port] = await first.printed(listens)
  first.signal('SIGKILL')
  await first.exit
  await client(port!).printed(listens)
  const socket = dial(Number(port))
  socket.end('x')
  expect((await collect(socket)).toString()).toBe('x')
})
