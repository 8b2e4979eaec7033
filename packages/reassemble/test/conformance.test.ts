import { type BytePipe, memoryPair, type ParcelPipe, ready } from '@striper/core'
import { frame } from '@striper/frame'
import { reassemble } from '@striper/reassemble'
import { connect, listen } from '@striper/tcp'
import { conformance } from '@striper/testkit'
import { shuffle } from './shuffle.ts'

const both = (pair: readonly [ParcelPipe, ParcelPipe]): [BytePipe, BytePipe] => {
  const layer = reassemble({ windowBytes: 256 * 1024 })
  return [layer(pair[0]), layer(pair[1])]
}

conformance('reassemble over messages', () => both(memoryPair('messages')))
conformance('reassemble over parcels that come in any order', () => {
  const [left, right] = memoryPair('messages')
  return both([shuffle(left, 1), shuffle(right, 2)])
})
conformance('reassemble over frame over TCP', async () => {
  const [left, right] = await tcpPair()
  return both([frame()(left), frame()(right)])
})

async function tcpPair(): Promise<[BytePipe, BytePipe]> {
  let accept: (pipe: BytePipe) => void
  const accepted = new Promise<BytePipe>(resolve => (accept = resolve))
  const server = await listen({ host: '127.0.0.1', port: 0 }, pipe => accept(pipe))
  const client = connect({ host: '127.0.0.1', port: server.port })
  const pair: [BytePipe, BytePipe] = [client, await accepted]
  await ready(client)
  void server.close()
  return pair
}
