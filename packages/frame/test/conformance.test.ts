import { memoryPair, ready, type BytePipe, type Layer, type MessagePipe } from '@striper/core'
import { frame } from '@striper/frame'
import { connect, listen } from '@striper/tcp'
import { conformance, latency, slices } from '@striper/testkit'

conformance('frame over memory', () => framed(memoryPair()))
conformance('frame over TCP', async () => framed(await tcpPair()))
conformance('frame over slices over TCP', async () => {
  return framed(await tcpPair(), slices({ seed: 1, maxBytes: 20_000 }))
})
conformance(
  'frame over latency over memory',
  () => framed(memoryPair(), latency({ ms: 2, jitterMs: 3, seed: 2 })),
  { maxBufferedBytes: 20 * 1024 * 1024 }, // two directions of two layers hold 4 MiB each
)

function framed(
  [left, right]: readonly [BytePipe, BytePipe],
  between: Layer = below => below as BytePipe,
): [MessagePipe, MessagePipe] {
  return [frame()(between(left)), frame()(between(right))]
}

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
