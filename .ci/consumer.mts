// A user's program, for packages.mjs: it imports every package and sends a message there and back
// over loopback. Compiled both as ESM and as CommonJS, so it has no top-level await.

import assert from 'node:assert'
import * as bridge from '@striper/bridge'
import * as core from '@striper/core'
import * as frame from '@striper/frame'
import * as mux from '@striper/mux'
import * as reassemble from '@striper/reassemble'
import * as stripe from '@striper/stripe'
import * as tcp from '@striper/tcp'
import * as faults from '@striper/testkit/faults'
import * as tls from '@striper/tls'
import * as trunk from '@striper/trunk'
import * as striper from 'striper'

type Exports = Record<string, unknown>
const packages: Exports[] = [
  ...[bridge, core, faults, frame, mux, reassemble, stripe, tcp, tls, trunk],
  { net: striper.net }, // its own
]

/** What `striper` re-exports is the very thing, not a copy of it. */
function oneOfEach(): string {
  const names = Object.keys(striper)
  for (const name of names) {
    const thing = (striper as Exports)[name]
    const owner = packages.find(exports => exports[name] === thing)
    assert(owner, `striper.${name} is nobody's`)
  }
  return `striper gives ${names.length} names`
}

/** A message, framed over TCP, comes back as it went. */
async function echo(): Promise<string> {
  const framed = frame.frame({ maxMessageBytes: 1024 })
  const server = await tcp.listen({ host: '127.0.0.1', port: 0 }, accepted => {
    const pipe = core.stack(accepted, framed)
    pipe.pipe(pipe) // and with no listener for its errors: here one ends the program
  })
  const pipe = core.stack(tcp.connect({ host: '127.0.0.1', port: server.port }), framed)
  pipe.end(Buffer.from('there and back'))
  const messages: string[] = []
  for await (const message of pipe) messages.push(String(message))
  assert.deepStrictEqual(messages, ['there and back'])
  await server.close()
  return `${pipe.label} echoed ${pipe.stats.bytesIn} bytes`
}

async function main(): Promise<void> {
  console.log(`${oneOfEach()}, ${await echo()}`)
}

main().catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
