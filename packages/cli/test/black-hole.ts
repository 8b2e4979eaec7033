// An address that swallows all that is sent to it: a listener that was stopped with its queue full,
// so that the kernel drops whoever knocks.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { afterEach } from 'vitest'
import { keep } from '../../../examples/test/scene.ts'

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

const LISTEN = (host: string, port: number) =>
  `require('net').createServer().listen({host:'${host}',port:${port},backlog:1},()=>console.log('there'))`

/** Connections to that address are not refused, and never come about. */
export async function blackHole(host: string, port: number): Promise<void> {
  const child = spawn(process.execPath, ['-e', LISTEN(host, port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  await once(child.stdout, 'data')
  child.kill('SIGSTOP')
  // The queue takes one more than it says. Those that do not connect are the proof.
  const knocking = Array.from({ length: 4 }, () => keep(net.connect({ host, port })))
  await Promise.all(knocking.slice(0, 2).map(each => once(each, 'connect')))
}
