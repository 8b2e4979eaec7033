import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ready, type BytePipe } from '@striper/core'
import { connect, listen, type SocketAddress } from '@striper/tcp'
import { conformance } from '@striper/testkit'
import { afterAll } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'striper-'))
afterAll(() => rmSync(folder, { recursive: true }))
let sockets = 0

conformance('TCP', () => connected({ host: '127.0.0.1', port: 0 }))
conformance('a Unix socket', () => connected({ path: join(folder, `${++sockets}.sock`) }), {
  abortIsSilent: true,
})

/** One connection and its two ends; its listener goes with it. */
async function connected(address: SocketAddress): Promise<[BytePipe, BytePipe]> {
  let accept: (pipe: BytePipe) => void
  const accepted = new Promise<BytePipe>(resolve => (accept = resolve))
  const server = await listen(address, pipe => accept(pipe))
  const client = connect('path' in address ? address : { ...address, port: server.port })
  const pair: [BytePipe, BytePipe] = [client, await accepted]
  await ready(client) // until then destroy() has no connection that it could reset
  void server.close()
  return pair
}
