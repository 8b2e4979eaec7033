import { ready, type BytePipe } from '@striper/core'
import { connect, listen } from '@striper/tcp'
import { expect, test } from 'vitest'

test('regression: a socket that is aborted while it shuts down closes, and its peer hears', async () => {
  let accept: (pipe: BytePipe) => void
  const accepted = new Promise<BytePipe>(resolve => (accept = resolve))
  const server = await listen({ host: '127.0.0.1', port: 0 }, pipe => accept(pipe))
  const near = connect({ host: '127.0.0.1', port: server.port })
  const far = await accepted
  await ready(near)
  const closed = [near, far].map(pipe => new Promise<void>(resolve => pipe.once('close', resolve)))
  const [nearClosed, farClosed] = closed
  near.write('the end comes before the shutdown is through')
  near.end()
  // The socket has been told to end, and not more.
  await new Promise<void>(resolve => process.nextTick(resolve))
  near.destroy()
  await nearClosed
  expect(far.errored).toBeNull() // it has not looked yet
  far.on('error', () => undefined).resume()
  while (!far.destroyed) {
    far.write('late')
    await new Promise(setImmediate)
  }
  await farClosed
  expect(far.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
  await server.close()
})
