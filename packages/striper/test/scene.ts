// What the tests of `net` stand on: a server that listens, and connections to it.

import { once } from 'node:events'
import { type BytePipe, net, newSecret } from 'striper'
import { afterEach } from 'vitest'

const servers: net.Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.destroy()
})

export const key = newSecret()

/** A server on a port that is free, which is gone after the test. */
export async function listening(
  onConnection?: (connection: BytePipe) => void,
  options: net.ServerOptions = { keys: key },
): Promise<{ server: net.Server; port: number }> {
  const server = net.createServer(options, onConnection)
  servers.push(server)
  await once(server.listen({ host: '127.0.0.1', port: 0 }), 'listening')
  return { server, port: portOf(server) }
}

export function portOf(server: net.Server): number {
  return (server.address() as { port: number }).port
}

/** Resolves when a pipe has closed, well or not. */
export function closed(pipe: BytePipe): Promise<void> {
  return new Promise(resolve => {
    if (pipe.closed) resolve()
    else pipe.once('close', resolve)
  })
}

/** All that comes. */
export async function collect(pipe: BytePipe): Promise<Buffer> {
  const chunks: Buffer[] = []
  pipe.on('data', (chunk: Buffer) => chunks.push(chunk))
  await new Promise<void>((resolve, reject) => pipe.once('end', resolve).once('error', reject))
  return Buffer.concat(chunks)
}

/** How the pipe fails. */
export function failure(pipe: BytePipe): Promise<Error> {
  return new Promise(resolve => pipe.once('error', resolve))
}

/** Looks again, turn by turn, until it is so. */
export async function until(so: () => boolean): Promise<void> {
  while (!so()) await new Promise(setImmediate)
}

/** The sockets of this process, servers not counted. */
export function alive(): string[] {
  return process.getActiveResourcesInfo().filter(kind => kind === 'TCPSocketWrap')
}
