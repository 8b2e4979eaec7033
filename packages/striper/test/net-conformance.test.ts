// The contract, for the connections of `net`: with a secret over 3 lanes, and plain over one.

import { once } from 'node:events'
import { type BytePipe, net, ready } from 'striper'
import { conformance } from '@striper/testkit'
import { closed, key, portOf } from './scene.ts'

/** A connection from both ends; the server goes with them, and the trunk at once. */
function pairOf(options: net.ServerOptions, more: object) {
  return async (): Promise<[BytePipe, BytePipe]> => {
    let taken: (connection: BytePipe) => void
    const accepted = new Promise<BytePipe>(resolve => (taken = resolve))
    const server = net.createServer(options, connection => taken(connection))
    await once(server.listen({ host: '127.0.0.1', port: 0 }), 'listening')
    const local = { host: '127.0.0.1', port: portOf(server), idleMs: 0 }
    const near = net.connect({ ...local, ...more } as net.ConnectOptions)
    const far = await accepted
    await Promise.all([ready(near), ready(far)])
    void Promise.all([closed(near), closed(far)]).then(() => server.destroy())
    return [near, far]
  }
}

conformance(
  'a connection of net over 3 lanes with a secret',
  pairOf({ keys: key }, { key, lanes: 3 }),
)
conformance(
  'a connection of net over a plain lane',
  pairOf({ plain: true }, { plain: true, lanes: 1 }),
)
