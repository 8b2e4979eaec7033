// Certificates of one's own, both sides, as docs/tunnel.md makes them, through the command.

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test, vi } from 'vitest'
import { dial, serve } from '../../../examples/test/scene.ts'
import { forwarded, killAll, startClient, startServer } from './tunnel-scene.ts'
import { folder } from './world.ts'

vi.setConfig({ testTimeout: 60_000 }) // a process starts in seconds where others do too

afterEach(killAll)

const page = readFileSync(
  fileURLToPath(new URL('../../../docs/tunnel.md', import.meta.url)),
  'utf8',
)
const SCRIPT = /```sh\n(openssl [^]*?)```/.exec(page)![1]!

/** A folder with an authority, and what it has signed for far.example and client. */
function authority(): (who: string, ca?: string) => string[] {
  const where = folder()
  execFileSync('bash', ['-ec', SCRIPT], { cwd: where, stdio: 'ignore' })
  const path = (name: string) => join(where, name)
  return (who, ca = path('ca.pem')) => [
    ...['--cert', path(`${who}.pem`), '--cert-key', path(`${who}.key`), '--ca', ca],
  ]
}

const caOf = (shown: string[]) => shown.at(-1)!

test('both sides show one that the authority signed; whoever has another is not let in', async () => {
  const [ours, theirs] = [authority(), authority()]
  const target = await serve(socket => void socket.pipe(socket))
  const to = ['-L', `0:127.0.0.1:${target}`, '--lanes', '2', '--server-name']
  const { server, port } = await startServer('', [
    ...['--allow', `127.0.0.1:${target}`, ...ours('far.example')],
  ])
  const client = startClient('', port, [...ours('client'), ...to, 'far.example'])
  const socket = dial(await forwarded(client))
  socket.write('x')
  await once(socket, 'data')
  expect(client.snapshot()).toMatchObject({ security: 'certificate' })
  expect(server.snapshot().sessions[0]!.peer).toMatch(/^sha256:/)

  // Another name than the server's certificate has.
  const misled = startClient('', port, [...ours('client'), ...to, 'near.example'])
  expect(await misled.over).toMatchObject({ exitCode: 4 })
  // A server whose authority is not ours.
  const wary = startClient('', port, [...theirs('client'), ...to, 'far.example'])
  expect(await wary.over).toMatchObject({ exitCode: 4 })
  // A client whose authority is not the server's, though it believes the server.
  const believes = caOf(ours('client'))
  const stranger = startClient('', port, [...theirs('client', believes), ...to, 'far.example'])
  expect(await stranger.over).toMatchObject({ exitCode: 4 })
  await server.said(/not let in/)
  expect(server.snapshot().open.sessions).toBe(1)
})
