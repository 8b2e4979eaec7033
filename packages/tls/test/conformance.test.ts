// The contract over tls, with a secret and with certificates, alone and under frame.

import { memoryPair, ready, stack } from '@striper/core'
import { frame } from '@striper/frame'
import { conformance } from '@striper/testkit'
import { over, overMemory, type Sides, tcpPair, withCertificates, withSecret } from './scene.ts'

const both: Record<string, () => Sides> = {
  'a secret': withSecret,
  certificates: withCertificates,
}

for (const [name, sides] of Object.entries(both)) {
  conformance(`tls with ${name} over memory`, () => overMemory(sides()))

  conformance(`tls with ${name} over tcp`, async () => over(...(await tcpPair()), sides()))

  conformance(`frame over tls with ${name} over tcp`, async () => {
    const [left, right] = over(...(await tcpPair()), sides())
    return [stack(left, frame()), stack(right, frame())]
  })
}

conformance('tls over tls over memory, open already', async () => {
  const [left, right] = memoryPair()
  const pair = over(...over(left, right, withSecret()), withSecret())
  await Promise.all(pair.map(ready))
  return pair
})
