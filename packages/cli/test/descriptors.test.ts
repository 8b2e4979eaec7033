// F23: a process that may open few files, and 200 connections to it while a transfer runs.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import type { Program } from '../../../examples/lib/program.ts'
import { collect, dial, serve, start } from '../../../examples/test/scene.ts'
import { newSecret } from '../src/secret.ts'
import { file, folder } from './world.ts'

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const TEXT = Buffer.alloc(8 * 1024 * 1024, 'what is sent comes back ')

/** The command, with so many files to open. */
function frugal(files: number, ...args: string[]): Program {
  const before = ['sh', '-c', `ulimit -n ${files} && exec "$@"`, 'sh']
  return start({ name: 'striper', before }, ...args)
}

/** A connection whose bytes come back: its first, and then, when told so, the rest. */
async function transfer(port: number): Promise<() => Promise<void>> {
  const socket = dial(port)
  socket.write(TEXT.subarray(0, 1))
  await once(socket, 'readable')
  return async () => {
    const answer = collect(socket)
    socket.end(TEXT.subarray(1))
    expect(sha256(await answer)).toBe(sha256(TEXT))
  }
}

/** 200 connections that say nothing. Resolves when so many of them have been closed or reset, and
 *  the others are open. */
async function crowd(port: number, refused: number): Promise<() => void> {
  let gone = 0
  const all = Array.from({ length: 200 }, () => dial(port).resume())
  for (const socket of all) socket.once('end', () => socket.end()).once('close', () => gone++)
  await vi.waitFor(() => expect(gone).toBeGreaterThanOrEqual(refused), 60_000)
  return () => {
    for (const socket of all) socket.destroy()
  }
}

test('F23: a server keeps to half of its files: 200 strangers, a transfer is whole, and then there is room again', async () => {
  const key = file(newSecret().reveal())
  const target = await serve(socket => void socket.pipe(socket))
  const common = ['--key-file', key, '--socket']
  const server = frugal(
    160,
    ...['server', ...common, join(folder(), 's'), '--listen', '127.0.0.1:0'],
    ...['--allow', `127.0.0.1:${target}`],
  )
  await server.printed(/at most 80 connections in, 16 channels/)
  const [, lanes] = await server.printed(/127\.0\.0\.1:(\d+) for lanes/)
  const client = async () => {
    const args = ['--server', `127.0.0.1:${lanes}`, '-L', `0:127.0.0.1:${target}`]
    const ours = start('striper', 'client', ...common, join(folder(), 'c'), ...args)
    const [, port] = await ours.printed(/127\.0\.0\.1:(\d+) to \S+, made by the server/)
    return Number(port)
  }
  const port = await client()
  const finish = await transfer(port)
  const disperse = await crowd(Number(lanes), 200 - 80)
  const another = await transfer(port) // there is a file left for its target
  await Promise.all([finish(), another()])
  disperse()
  await (
    await transfer(await client())
  )()
}, 120_000)

test('F23: a relay that has no file left for a connection drops that one, and no other', async () => {
  const target = await serve(socket => void socket.pipe(socket))
  const relay = frugal(128, 'relay', '--listen', '127.0.0.1:0', '--to', `127.0.0.1:${target}`)
  const [, port] = await relay.printed(/127\.0\.0\.1:(\d+)/)
  const finish = await transfer(Number(port))
  const disperse = await crowd(Number(port), 200 - 64) // each takes two files
  await finish()
  disperse()
  await vi.waitFor(
    async () => {
      await (
        await transfer(Number(port))
      )()
    },
    { timeout: 60_000 },
  )
}, 120_000)
