// The tunnel as a user starts it: a key, a server, a client, and a connection through both.

import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { content } from '../lib/content.ts'
import { closed, collect, dial, serve, start } from './scene.ts'

let folder = ''
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'striper-tunnel-'))))
afterEach(() => rmSync(folder, { recursive: true }))

/** Makes a key, and says in which file it is. */
async function newKey(name = 'key'): Promise<string> {
  const file = join(folder, name)
  expect(await start('tunnel', '--role', 'key', '--key', file).exit).toBe(0)
  return file
}

/** A tunnel to that target, and the port of its client. */
async function tunnelTo(target: string, { allow = target, clientKey = '' } = {}) {
  const key = await newKey()
  const at = ['--listen', '127.0.0.1:0', '--allow', allow]
  const server = start('tunnel', '--role', 'server', '--key', key, ...at)
  const where = ['--to', await server.address(), '-L', `0:${target}`]
  const client = start('tunnel', '--role', 'client', '--key', clientKey || key, ...where)
  return { server, client, port: Number((await client.address()).split(':')[1]), key }
}

test('the key is in a file that only its owner can read, and is not written over', async () => {
  const file = await newKey()
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const before = readFileSync(file, 'utf8')
  const again = start('tunnel', '--role', 'key', '--key', file)
  expect(await again.exit).not.toBe(0)
  expect(readFileSync(file, 'utf8')).toBe(before)
})

test('connections go through the tunnel, both ways, and it ends well', async () => {
  const target = await serve(socket => socket.pipe(socket))
  const { server, client, port } = await tunnelTo(`127.0.0.1:${target}`)
  const sent = Buffer.concat([...content(2_000_000, 3)])
  const answers = [1, 2, 3].map(() => {
    const socket = dial(port)
    socket.end(sent)
    return collect(socket)
  })
  for (const answer of answers) expect((await answer).equals(sent)).toBe(true)
  expect(server.output.match(/^session /gm)).toHaveLength(1)
  expect(await client.stop()).toBe(0)
  expect(await server.stop()).toBe(0)
})

test('what is not allowed is reset, with the reason in the log of the client', async () => {
  const target = await serve(socket => socket.pipe(socket))
  const { client, port } = await tunnelTo(`127.0.0.1:${target}`, { allow: '127.0.0.1:1' })
  const socket = dial(port)
  socket.write('anybody there?')
  await closed(socket)
  await client.printed(/failed: .*that is not allowed here/)
})

test('a client with another key gets no session, and its connection is reset as it stops', async () => {
  const target = await serve(() => expect.unreachable('somebody came through'))
  const clientKey = await newKey('other')
  const { server, client, port } = await tunnelTo(`127.0.0.1:${target}`, { clientKey })
  const socket = dial(port)
  socket.write('let me in')
  await once(socket, 'connect')
  client.signal('SIGINT')
  await client.printed(/takes nothing new/)
  client.signal('SIGINT')
  await Promise.all([client.exit, closed(socket)])
  expect(server.output).not.toMatch(/^session /m)
})
