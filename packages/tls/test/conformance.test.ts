// The contract over tls, with a secret and with certificates, alone and under frame.

import { memoryPair, ready, stack } from '@striper/core'
import { frame } from '@striper/frame'
import { conformance } from '@striper/testkit'
import { over, overMemory, type Sides, tcpPair, withCertificates, withSecret } from './scene.ts'

/** The kernel has 4 MiB and more of a reader that has stopped (docs/contract.md, rule 10), and each
 *  of the layers its mark at each end: 256 KiB of tcp, the records, Node's TLSSocket and tls, and
 *  17 messages of frame. 9 MiB, and as much again for a kernel with larger buffers. */
const OVER_TCP = { maxBufferedBytes: 18 * 1024 * 1024 }

const both: Record<string, () => Sides> = {
  'a secret': withSecret,
  certificates: withCertificates,
}

for (const [name, sides] of Object.entries(both)) {
  conformance(`tls with ${name} over memory`, () => overMemory(sides()))

  conformance(
    `tls with ${name} over tcp`,
    async () => over(...(await tcpPair()), sides()),
    OVER_TCP,
  )

  conformance(
    `frame over tls with ${name} over tcp`,
    async () => {
      const [left, right] = over(...(await tcpPair()), sides())
      return [stack(left, frame()), stack(right, frame())]
    },
    OVER_TCP,
  )
}

conformance('tls over tls over memory, open already', async () => {
  const [left, right] = memoryPair()
  const pair = over(...over(left, right, withSecret()), withSecret())
  await Promise.all(pair.map(ready))
  return pair
})
