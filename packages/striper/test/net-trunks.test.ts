// Which trunk a connection of `net` is on, what becomes of it when its server restarts or the
// network is away for a while, and the rest of the shape of net that a program leans on.

import { once } from 'node:events'
import { type BytePipe, net, newSecret } from 'striper'
import { Network } from '../../../examples/test/network.ts'
import { closedPort, dial } from '../../../examples/test/scene.ts'
import { expect, test } from 'vitest'
import { collect, failure, key, listening, until } from './scene.ts'

const echo = (connection: BytePipe) => void connection.pipe(connection)
const local = (port: number, more: object = {}) =>
  ({ host: '127.0.0.1', port, key, lanes: 2, ...more }) as net.ConnectOptions

/** A connection that has been answered. */
async function talking(options: net.ConnectOptions): Promise<net.Connection> {
  const connection = net.connect(options)
  await talks(connection)
  return connection
}

async function talks(connection: BytePipe): Promise<void> {
  connection.write('?')
  await once(connection, 'data')
}

/** A connection to a server that has come in another's place: the trunk to that one may not know
 *  yet. */
async function reaching(server: net.Server, options: net.ConnectOptions): Promise<net.Connection> {
  for (;;) {
    const connection = net.connect(options)
    connection.on('error', () => undefined).write('?')
    await new Promise(resolve => connection.once('data', resolve).once('close', resolve))
    if (!connection.destroyed && server.connections.length > 0) return connection
  }
}

test('another key is another trunk, whatever else is the same', async () => {
  const second = newSecret()
  const { server, port } = await listening(echo, { keys: [key, second] })
  const all = [await talking(local(port)), await talking(local(port, { key: second }))]
  await until(() => server.lanes === 4)
  for (const each of all) each.destroy()
})

test('another name of the server is another trunk, and gets nowhere', async () => {
  const { port } = await listening(echo, { keys: key, server: 'far' })
  const named = await talking(local(port, { server: 'far' }))
  const misled = net.connect(local(port, { server: 'near' }))
  expect(await failure(misled)).toMatchObject({ code: 'ERR_PIPE_CONNECT' })
  named.destroy()
})

test('a server by its name is reached, though the name has to be resolved first', async () => {
  const { port } = await listening(echo)
  ;(await talking(local(port, { host: 'localhost' }))).destroy()
})

test('while an old server lets its last connection run out, new ones go to the one in its place', async () => {
  const first = await listening(echo)
  const { port } = first
  const old = await talking(local(port))
  first.server.close()
  const second = net.createServer({ keys: key }, echo)
  await once(second.listen({ host: '127.0.0.1', port }), 'listening')
  const one = await reaching(second, local(port))
  await until(() => second.lanes === 2)
  await talks(old)
  old.end()
  await Promise.all([collect(old), once(first.server, 'close')])
  await new Promise(resolve => setTimeout(resolve, 300)) // until the old trunk is over here as well
  // It has not taken the new one's place with it.
  const two = await talking(local(port))
  expect([second.connections.length, second.lanes]).toEqual([2, 2])
  for (const each of [one, two]) each.destroy()
  second.destroy()
})

test('a connection outlives the loss of all its lanes, once it has reached its server', async () => {
  const { server, port } = await listening(echo)
  const network = new Network(port)
  await network.up()
  const connection = await talking(local(network.port))
  await network.down()
  await until(() => server.lanes === 0)
  await new Promise(resolve => setTimeout(resolve, 100))
  expect(connection.destroyed).toBe(false)
  await network.up()
  await talks(connection)
  connection.destroy()
})

test('the priority of a connection is known at both ends', async () => {
  const { server, port } = await listening(echo)
  const connection = await talking(local(port, { priority: 'interactive' }))
  expect([connection.priority, server.connections[0]!.priority]).toEqual([
    'interactive',
    'interactive',
  ])
  connection.destroy()
})

test('a port that is taken is an error of the server', async () => {
  const { port } = await listening()
  const second = net.createServer({ keys: key })
  const failed = new Promise(resolve => second.once('error', resolve))
  second.listen({ host: '127.0.0.1', port })
  expect(await failed).toMatchObject({ code: 'ERR_PIPE_CONNECT' })
})

test('a server that is closed as it begins to listen does not listen', async () => {
  const port = await closedPort()
  const server = net.createServer({ keys: key })
  const over = once(server.listen({ host: '127.0.0.1', port }), 'close')
  server.close()
  await over
  for (let i = 0; i < 10; i++) await new Promise(setImmediate)
  const socket = dial(port)
  await new Promise(resolve => socket.once('close', resolve).once('connect', resolve))
  expect([server.listening, socket.errored]).toMatchObject([false, { code: 'ECONNREFUSED' }])
})

test('destroy() of a server aborts the connections that are open', async () => {
  const { server, port } = await listening(echo)
  const connection = await talking(local(port))
  const failed = failure(connection)
  server.destroy()
  expect(await failed).toMatchObject({ code: 'ERR_PIPE_RESET' })
})
