// What the tests of examples stand on: programs as child processes, servers and sockets in this
// one, all of which are gone after each test.

import { once } from 'node:events'
import net, { type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, vi } from 'vitest'
import { Program } from '../lib/program.ts'

vi.setConfig({ testTimeout: 60_000 }) // a process starts in seconds where others do too

const programs: Program[] = []
/** Every server of the test that runs; the last is the newest. */
export const servers: Server[] = []
/** Every socket of the test that runs. */
export const sockets = new Set<Socket>()
afterEach(() => {
  for (const program of programs.splice(0)) program.signal('SIGKILL')
  for (const server of servers.splice(0)) server.close()
  for (const socket of sockets) socket.destroy()
  sockets.clear()
})

/** Closes a socket after the test, whatever becomes of it. */
export function keep(socket: Socket): Socket {
  sockets.add(socket)
  return socket.on('error', () => undefined)
}

/** A server whose connections are up to `onConnection`. */
export async function serve(onConnection: (socket: Socket) => void): Promise<number> {
  const server = net.createServer({ allowHalfOpen: true }, socket => onConnection(keep(socket)))
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** A port that nobody listens on. */
export async function closedPort(): Promise<number> {
  const port = await serve(() => undefined)
  const server = servers.pop()!
  await new Promise(resolve => server.close(resolve))
  return port
}

/** Starts an example by its name, or as `Program` is told. */
export function start(...what: ConstructorParameters<typeof Program>): Program {
  const program = new Program(...what)
  programs.push(program)
  return program
}

export function dial(port: number): Socket {
  return keep(net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }))
}

export async function collect(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'end')
  return Buffer.concat(chunks)
}

/** Waits until a socket has closed, well or not. */
export async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise(resolve => socket.once('close', resolve))
}
