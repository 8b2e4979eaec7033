// A reset is an error for whoever reads, also where data waits in front of it.

import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { finished } from 'node:stream/promises'
import { afterEach, expect, test } from 'vitest'
import { fromSocket } from '@striper/tcp'

const servers: net.Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** Two ends of a TCP connection; the first is half-open and unread, as a server of ours would have
 *  it. */
async function socketPair(): Promise<[Socket, Socket]> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [accepted] = (await once(server, 'connection')) as [Socket]
  return [accepted, client]
}

for (const endedBefore of [false, true]) {
  const scene = endedBefore ? 'after our own end' : 'both ways open'
  test(`regression: a reset behind unread data is an error, never an end (${scene})`, async () => {
    const [accepted, client] = await socketPair()
    const pipe = fromSocket(accepted)
    const events: string[] = []
    pipe.on('end', () => events.push('end')).on('error', () => events.push('error'))
    if (endedBefore) {
      client.resume()
      pipe.end()
      await finished(client, { writable: false })
    }
    await new Promise(resolve => client.write(Buffer.alloc(100_000), resolve))
    client.resetAndDestroy()
    await once(client, 'close') // on the loopback the reset has now arrived
    pipe.resume()
    await new Promise(resolve => pipe.once('close', resolve))
    expect(events).toEqual(['error'])
    expect(pipe.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
  })
}

test('an end with data in front of it is an end', async () => {
  const [accepted, client] = await socketPair()
  const pipe = fromSocket(accepted)
  client.end(Buffer.alloc(100_000))
  await once(client, 'finish')
  let bytes = 0
  pipe.on('data', (chunk: Buffer) => (bytes += chunk.length))
  await once(pipe, 'end')
  expect(bytes).toBe(100_000)
  pipe.destroy()
  client.destroy()
})
