// Rows of what the tunnel endures: transfers while lanes are lost, or the server is away.

import { setTimeout as wait } from 'node:timers/promises'
import { least, most } from './figure.ts'
import { exchanges, judged, LIMIT_MS, MiB, onScene, type TunnelRow } from './row.ts'
import type { Scene } from './scene.ts'

/** Transfers while something happens to the lanes or the server. */
function transfers(
  name: string,
  about: string,
  happens: (scene: Scene, ms: number) => Promise<void>,
): TunnelRow {
  return onScene({
    name,
    about: `${about}, during --count (100) transfers of --seconds (60)`,
    layout: { breakable: true },
    async run(scene, { count = 100, seconds = 60 }) {
      const came = exchanges(scene, count, MiB, seconds)
      await happens(scene, seconds * 1000)
      return judged(await came, count)
    },
  })
}

const killed = transfers('killed', 'a lane reset each second', async (scene, ms) => {
  for (let at = 0; at < ms; at += 1000) {
    await wait(1000)
    const lanes = [...scene.lanes]
    lanes[(at / 1000) % Math.max(1, lanes.length)]?.destroy()
  }
})

const dark = transfers('dark', 'all lanes lost for half of the time (30 s)', async (scene, ms) => {
  await wait(ms / 4)
  scene.darken(true)
  await wait(ms / 2)
  scene.darken(false)
})

const stopped = transfers(
  'stopped',
  'SIGSTOP for a third of the time (20 s)',
  async (scene, ms) => {
    await wait(ms / 3)
    scene.server.signal('SIGSTOP')
    await wait(ms / 3)
    scene.server.signal('SIGCONT')
  },
)

const restarted = onScene({
  name: 'restarted',
  about: 'the server killed and started again, with 50 connections open',
  async run(scene) {
    const count = 50
    await scene.ask('held', { do: 'hold', to: scene.through, count }, LIMIT_MS)
    const released = scene.clients.hear('released', LIMIT_MS)
    scene.server.signal('SIGKILL')
    await scene.server.exit
    await scene.startServer()
    const up = Date.now()
    const { at, reset } = (await released) as { at: number; reset: number }
    const came = await exchanges(scene, 10, 1000, 0)
    return [
      least('reset', reset, `of ${count} reset`, count),
      most('after', at - up, 'ms after the server is back', 2000),
      ...judged(came, 10),
    ]
  },
})

export const ENDURES: readonly TunnelRow[] = [killed, dark, stopped, restarted]
