// The addresses of a pipe's two ends: asked once, in time, and right ever after.

import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterEach, expect, test } from 'vitest'
import { ready } from '@striper/core'
import { connect, fromSocket } from '@striper/tcp'
import { endsOf, isUnix } from '../src/ends.ts'

const ignore = () => undefined
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** The two sockets of a connection, of Node's own. */
async function sockets(host: string): Promise<[near: Socket, far: Socket]> {
  const server = net.createServer({ allowHalfOpen: true }).listen(0, host)
  cleanups.push(() => server.close())
  await once(server, 'listening')
  const near = net.connect({ host, port: (server.address() as AddressInfo).port })
  const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [
    [Socket],
    unknown,
  ]
  for (const socket of [near, far]) {
    socket.on('error', ignore)
    cleanups.push(() => socket.destroy())
  }
  return [near, far]
}

const fake = (fields: object) => fields as unknown as Socket

const hasV6 = Object.values(networkInterfaces()).some(all => all?.some(a => a.address === '::1'))

test.each(hasV6 ? ['127.0.0.1', '::1'] : ['127.0.0.1'])(
  'the ends of a socket on %s are those that net.Socket tells, and it keeps nothing',
  async host => {
    const [near] = await sockets(host)
    expect(isUnix(near)).toBe(false)
    const ends = endsOf(near)
    expect('_sockname' in near && near._sockname).toBeFalsy()
    expect('_peername' in near && near._peername).toBeFalsy()
    const bracketed = host.includes(':') ? `[${host}]` : host
    expect(ends).toEqual({
      local: `${bracketed}:${near.localPort}`,
      remote: `${bracketed}:${near.remotePort}`,
    })
  },
)

test('where the handle of a socket does not tell, the socket does', () => {
  const tells = { localAddress: '::1', localPort: 1, remoteAddress: '10.0.0.1', remotePort: 2 }
  for (const _handle of [undefined, null, {}]) {
    const socket = fake({ ...tells, _handle })
    expect(endsOf(socket)).toEqual({ local: '[::1]:1', remote: '10.0.0.1:2' })
    expect(isUnix(socket)).toBe(false)
  }
  expect(endsOf(fake({ _handle: {} }))).toEqual({})
  expect(isUnix(fake({ _handle: {} }))).toBe(true)
})

test('the ends are known after a reset, though nobody asked before', async () => {
  const [near, far] = await sockets('127.0.0.1')
  const ends = endsOf(far)
  const pipe = fromSocket(far)
  pipe.on('error', ignore)
  await ready(pipe)
  near.resetAndDestroy()
  await new Promise(resolve => pipe.once('close', resolve))
  expect(pipe.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
  expect(pipe.address).toEqual(ends)
  expect([typeof ends.local, typeof ends.remote]).toEqual(['string', 'string'])
})

test('a pipe that never connected knows no end', async () => {
  const pipe = connect({ host: '127.0.0.1', port: 9 })
  pipe.on('error', ignore)
  pipe.destroy()
  await once(pipe, 'close')
  expect(pipe.address).toEqual({ local: undefined, remote: undefined })
})
