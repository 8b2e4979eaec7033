// Rows of what the tunnel holds: memory and sockets, of idle channels and of conversations that are
// over.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newSecret } from 'striper'
import type { Program } from '../../examples/lib/program.ts'
import { End } from '../lib/end.ts'
import { sum } from '../lib/figures.ts'
import { atRest } from '../lib/look.ts'
import { type Figure, most } from './figure.ts'
import type { Exchanged, Job } from './load.ts'
import { judged, LIMIT_MS, onScene, type TunnelRow } from './row.ts'

const KiB = 1024

const idle: TunnelRow = {
  name: 'idle',
  about: 'the heap of --count (10000) idle channels, at each end',
  async measure(_links, { count = 10_000 }) {
    const folder = mkdtempSync(join(tmpdir(), 'striper-idle-'))
    const key = join(folder, 'key')
    writeFileSync(key, newSecret().reveal(), { mode: 0o600 })
    const ends: End[] = []
    const start = (...args: string[]) => {
      const end = new End([], new URL('./idle.ts', import.meta.url), ...args)
      ends.push(end)
      return end
    }
    try {
      const server = start('server', key)
      const port = (await server.hear('port', LIMIT_MS)) as number
      const client = start('client', key, `${port}`, `${count + 10}`)
      const heapOf = async (end: End) => {
        const heard = end.hear('heap', LIMIT_MS)
        end.say({})
        return (await heard) as number
      }
      const clientBefore = (await client.hear('before', LIMIT_MS)) as number
      const serverBefore = await heapOf(server)
      const clientAfter = await heapOf(client)
      const each = (after: number, before: number) => (after - before) / count / KiB
      return [
        most('client', each(clientAfter, clientBefore), 'KiB of heap each', 6),
        most('server', each(await heapOf(server), serverBefore), 'KiB of heap each', 6),
      ]
    } finally {
      for (const end of ends) end.stop()
      rmSync(folder, { recursive: true })
    }
  },
}

const short = onScene({
  name: 'short',
  about: '--count (60000) short connections, 200 a second; then: what is left?',
  layout: { measured: true },
  async run(scene, { count = 60_000 }) {
    const job: Job = { do: 'short', to: scene.through, count: 2000, perSecond: 200 }
    await scene.ask('exchanged', job, LIMIT_MS) // code is compiled, and caches fill
    const programs = { client: scene.client, server: scene.server }
    const before = await holdings(programs)
    const came = await scene.ask<Exchanged>('exchanged', { ...job, count }, LIMIT_MS)
    const after = await holdings(programs)
    return [
      ...judged(came, count),
      ...Object.keys(programs).flatMap((name): Figure[] => {
        const [then, now] = [before.get(name)!, after.get(name)!]
        return [
          most(`${name}-descriptors`, now.descriptors - then.descriptors, 'more', 0),
          most(`${name}-resources`, now.resources - then.resources, 'timers and sockets more', 0),
          most(`${name}-heap`, (now.heapBytes - then.heapBytes) / count, 'bytes each more', 60),
        ]
      }),
    ]
  },
})

async function holdings(programs: Record<string, Program>) {
  const all = new Map<string, { descriptors: number; heapBytes: number; resources: number }>()
  for (const [name, program] of Object.entries(programs)) {
    const { descriptors, heapBytes, resources } = await atRest(program)
    all.set(name, { descriptors, heapBytes, resources: sum(Object.values(resources)) })
  }
  return all
}

export const HOLDS: readonly TunnelRow[] = [idle, short]
