// The fault layers that lose nothing are pipes like any other.

import { type BytePipe, type Layer, memoryPair } from '@striper/core'
import { conformance, latency, rate, slices, stall } from '@striper/testkit'

function around(layer: Layer): () => [BytePipe, BytePipe] {
  return () => {
    const [left, right] = memoryPair()
    return [layer(left), layer(right)]
  }
}

conformance('rate', around(rate({ bytesPerSecond: 100 * 1024 * 1024 })))
conformance('latency', around(latency({ ms: 2, jitterMs: 3, seed: 1 })), {
  maxBufferedBytes: 20 * 1024 * 1024, // two layers hold 4 MiB each, and the write that crosses this
})
conformance('slices', around(slices({ seed: 2, maxBytes: 20_000 })))
conformance('a stall that goes on', around(stall({ afterBytes: 500_000, ms: 30 })))
