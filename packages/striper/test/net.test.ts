// Servers and connections in the shape of Node's `net`; and that what mtcp was known for is not so
// here: sessions that are never forgotten, sockets that linger, buffers without a bound, an end
// that overtakes the bytes before it.

import { once } from 'node:events'
import { type BytePipe, connect as connectTcp, net, newSecret } from 'striper'
import { content } from '../../../examples/lib/content.ts'
import { expect, test } from 'vitest'
import { alive, closed, collect, failure, key, listening, until } from './scene.ts'

const local = (port: number, more: Partial<net.ConnectOptions> = {}) =>
  ({ host: '127.0.0.1', port, key, ...more }) as net.ConnectOptions
const echo = (connection: BytePipe) => void connection.pipe(connection)

test('a server and a connection have the shape of those of net', async () => {
  const server = net.createServer({ keys: key })
  const events: string[] = []
  server.on('listening', () => events.push('listening'))
  server.on('connection', connection => {
    events.push('connection')
    connection.on('end', () => connection.end('bye')).resume()
  })
  server.listen({ host: '127.0.0.1', port: 0 }, () => events.push('listener'))
  await once(server, 'listening')
  expect(server.address()).toEqual({
    address: '127.0.0.1',
    family: 'IPv4',
    port: expect.any(Number) as number,
  })
  const { port } = server.address() as { port: number }
  const connection = net.createConnection(local(port), () => events.push('connect'))
  connection.end('hello')
  expect((await collect(connection)).toString()).toBe('bye')
  const over = once(server, 'close')
  server.close(() => events.push('closed'))
  await over
  expect(events).toEqual(['listener', 'listening', 'connect', 'connection', 'closed'].sort(byTime))
  expect([server.address(), server.listening]).toEqual([null, false])
  function byTime(a: string, b: string) {
    return events.indexOf(a) - events.indexOf(b)
  }
})

test('an end is half a close: the answer may come later', async () => {
  const { port } = await listening(connection => {
    connection.on('end', () => setImmediate(() => connection.end('late'))).resume()
  })
  const connection = net.connect(local(port))
  connection.end('question')
  expect((await collect(connection)).toString()).toBe('late')
})

test('destroy is a reset at the other end, whoever destroys', async () => {
  let far: BytePipe | undefined
  const { port } = await listening(connection => (far = connection.resume()))
  const mine = net.connect(local(port))
  mine.write('x')
  await until(() => far !== undefined)
  const theirFailure = failure(far!)
  mine.destroy()
  expect(await theirFailure).toMatchObject({ code: 'ERR_PIPE_RESET' })
  far = undefined
  const other = net.connect(local(port))
  other.write('x')
  await until(() => far !== undefined)
  const myFailure = failure(other)
  far!.destroy()
  expect(await myFailure).toMatchObject({ code: 'ERR_PIPE_RESET' })
})

test('connections to one server share a trunk, those with other lanes or keys do not', async () => {
  const second = newSecret()
  const { server, port } = await listening(echo, { keys: [key, second] })
  const ask = async (options: net.ConnectOptions) => {
    const connection = net.connect(options)
    connection.write('?')
    await once(connection, 'data')
    return connection
  }
  const all = [await ask(local(port)), await ask(local(port))]
  await until(() => server.lanes === 4)
  all.push(await ask(local(port, { lanes: ['127.0.0.1*2'] })))
  await until(() => server.lanes === 6)
  all.push(await ask({ host: '127.0.0.1', port, key: second, lanes: 1 }))
  await until(() => server.lanes === 7)
  expect(server.connections).toHaveLength(4)
  for (const each of all) each.destroy()
})

test('a trunk is closed when it was idle for its time, and its sockets with it', async () => {
  await until(() => alive().length === 0) // the trunks of the tests before
  const { server, port } = await listening(echo)
  for (let round = 0; round < 2; round++) {
    const connection = net.connect(local(port, { idleMs: 5 }))
    connection.end('hello')
    await collect(connection)
    await until(() => server.lanes === 0 && alive().length === 0)
  }
})

test('a stranger gets no connection, and is told so as soon as all its lanes are refused', async () => {
  let connections = 0
  const { port } = await listening(() => connections++)
  const stranger = net.connect(local(port, { key: newSecret(), lanes: 2 }))
  expect(await failure(stranger)).toMatchObject({ code: 'ERR_PIPE_CONNECT' })
  const plain = net.connect({ host: '127.0.0.1', port, plain: true, lanes: 1 })
  expect(await failure(plain)).toMatchObject({ code: 'ERR_PIPE_CONNECT' })
  expect(connections).toBe(0)
})

test('a server that is not there is an error at once, and says why', async () => {
  const { server, port } = await listening()
  await once(server.close(), 'close')
  const connection = net.connect(local(port))
  const error = (await failure(connection)) as Error & { sentence: string }
  expect(error.sentence).toBe(`cannot reach 127.0.0.1:${port}: connection refused`)
})

test('a server that closes lets connections run out, and takes no more', async () => {
  const { server, port } = await listening(echo)
  const connection = net.connect(local(port))
  connection.write('one')
  await once(connection, 'data')
  let over = false
  server.close(() => (over = true))
  connection.write('two')
  expect(String(await once(connection, 'data'))).toBe('two')
  expect(over).toBe(false)
  expect(await failure(net.connect(local(port)))).toMatchObject({ code: 'ERR_PIPE_CONNECT' })
  connection.end()
  await Promise.all([collect(connection), once(server, 'close')])
})

test('a server without a listener refuses connections, with a reason', async () => {
  const { port } = await listening()
  expect(await failure(net.connect(local(port)))).toMatchObject({
    code: 'ERR_PIPE_CONNECT',
    sentence: expect.stringContaining('nobody takes connections here') as string,
  })
})

test('options that say neither key nor plain throw, as do lanes and times that are none', () => {
  expect(() => net.connect({ port: 1 } as net.ConnectOptions)).toThrow(TypeError)
  expect(() => net.connect({ port: 1, plain: false } as never)).toThrow(TypeError)
  expect(() => net.createServer({} as net.ServerOptions)).toThrow(TypeError)
  expect(() => net.createServer({ plain: false } as never)).toThrow(TypeError)
  expect(() => net.connect(local(1, { lanes: 33 }))).toThrow(RangeError)
  expect(() => net.connect(local(1, { lanes: 0 }))).toThrow(RangeError)
  expect(() => net.connect(local(1, { idleMs: -1 }))).toThrow(RangeError)
  expect(() => net.connect(local(70_000))).toThrow(RangeError)
})

// What mtcp was known for.

test('a reader that stops stops its writer, within its window, and no other connection', async () => {
  const { port } = await listening(connection => {
    connection.once('data', (chunk: Buffer) => {
      if (chunk[0] === 0x73)
        connection.pause() // 's': this one is never read
      else connection.pipe(connection).write(chunk)
    })
  })
  const slow = net.connect(local(port))
  slow.on('error', () => undefined)
  let taken = 0
  const chunk = Buffer.alloc(64 * 1024, 's')
  // Never more than the marks of both ends and the window, 64 KiB for one who does not read.
  const bound = 2 * 1024 * 1024
  const more = () => {
    while (taken < 64 * 1024 * 1024 && slow.write(chunk, () => (taken += chunk.length)));
  }
  slow.on('drain', more)
  more()
  const lively = net.connect(local(port))
  for (let i = 0; i < 50; i++) {
    lively.write(`question ${i}`)
    await once(lively, 'data')
  }
  expect(taken).toBeLessThan(bound)
  for (const each of [slow, lively]) each.destroy()
})

test('an end never overtakes the bytes before it, over 8 lanes', async () => {
  const { port } = await listening(echo)
  const sent = Buffer.concat([...content(3_000_000, 5)])
  for (let i = 0; i < 3; i++) {
    const connection = net.connect(local(port, { lanes: 8 }))
    connection.end(sent)
    expect((await collect(connection)).equals(sent)).toBe(true)
  }
})

test('10,000 connections leave no session, socket, timer or memory behind', async () => {
  await until(() => alive().length === 0) // the trunks of the tests before
  const { server, port } = await listening(echo)
  const seen: WeakRef<object>[] = []
  const one = async (i: number) => {
    const connection = net.connect(local(port, { lanes: 2, idleMs: 20 }))
    if (i % 500 === 0) seen.push(new WeakRef(connection))
    connection.on('error', () => undefined)
    if (i % 10 === 0) connection.write('half a quest', () => connection.destroy())
    else connection.resume().end(`question ${i}`)
    await closed(connection)
  }
  for (let i = 0; i < 10_000; i += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, j) => one(i + j)))
  }
  await until(() => server.lanes === 0 && alive().length === 0)
  expect(server.connections).toEqual([])
  let left = seen.length
  for (let i = 0; i < 20 && left > 0; i++) {
    await new Promise(setImmediate)
    ;(globalThis as { gc?: () => void }).gc!()
    left = seen.filter(each => each.deref() !== undefined).length
  }
  expect(left, `of ${seen.length} connections in memory`).toBe(0)
}, 60_000)

test('a stranger who says nothing to a server that closes does not keep it open', async () => {
  const { server, port } = await listening(echo)
  const stranger = connectTcp({ host: '127.0.0.1', port })
  stranger.on('error', () => undefined).resume()
  await once(stranger, 'ready')
  await once(server.close(), 'close')
  await closed(stranger)
})
