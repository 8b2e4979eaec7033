// A network between two ends of a test, as a relay on a port of its own: it goes down and comes up.

import { once } from 'node:events'
import net, { type AddressInfo, type Server, type Socket } from 'node:net'
import { keep, servers } from './scene.ts'

/** A way to a server that can be lost, with all connections on it, and be there again. */
export class Network {
  readonly #to: number
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined
  /** Where it is; the same whenever it is up. */
  port = 0

  constructor(to: number) {
    this.#to = to
  }

  async up(): Promise<void> {
    const server = net.createServer({ allowHalfOpen: true }, near => {
      const far = net.connect({ port: this.#to, host: '127.0.0.1', allowHalfOpen: true })
      for (const [from, into] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(keep(from))
        from.pipe(into)
        from.once('close', () => {
          this.#sockets.delete(from)
          into.destroy()
        })
      }
    })
    this.#server = server
    servers.push(server)
    server.listen(this.port, '127.0.0.1')
    await once(server, 'listening')
    this.port = (server.address() as AddressInfo).port
  }

  async down(): Promise<void> {
    const server = this.#server!
    const closing = new Promise(resolve => server.close(resolve))
    for (const each of this.#sockets) each.resetAndDestroy()
    await closing
  }
}
