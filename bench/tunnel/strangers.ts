// Rows of what strangers cost: those who come without the key, and hold what they can.

import { quantile } from '../lib/figures.ts'
import { atRest, look } from '../lib/look.ts'
import type { Holdings } from '../lib/measured.ts'
import { least, most } from './figure.ts'
import { LIMIT_MS, onScene, type TunnelRow } from './row.ts'
import type { Scene } from './scene.ts'

const KiB = 1024
/** How long one that has not proved who it is may stay, as `gather` has it, and a little. */
const STRANGER_S = 10.5

function echoes(scene: Scene, count: number): Promise<number[]> {
  return scene.ask('echoed', { do: 'echo', to: scene.through, count, bulk: false }, LIMIT_MS)
}

const crowd = onScene({
  name: 'crowd',
  about: 'the memory of --count (500) strangers at once, each with most of a handshake said',
  layout: { measured: true },
  async run(scene, { count = 500 }) {
    // The server is new, so nothing is free that another stranger had; and it is at rest, so nobody
    // else's memory grows meanwhile.
    await echoes(scene, 100)
    await atRest(scene.server)
    const without = await look(scene.server)
    const where = ['127.0.0.1', `${scene.serverPort}`, `${count}`]
    await scene.child('./crowd.ts', [], ...where).hear('stay', LIMIT_MS)
    const within = await look(scene.server)
    const strangers = within.descriptors - without.descriptors
    const each = (of: (held: Holdings) => number) => {
      return (of(within) - of(without)) / KiB / Math.max(1, strangers)
    }
    const [heap, native] = [each(held => held.heapBytes), each(held => held.nativeBytes)]
    return [
      least('at-once', strangers, 'strangers', count * 0.9),
      most('heap', heap, 'KiB of heap each'),
      most('native', native, 'KiB each outside the heap'),
      most('memory', heap + native, 'KiB each', 64),
      most(
        'resident',
        each(held => held.residentBytes),
        'KiB each, with what is free again',
      ),
    ]
  },
})

const strangers = onScene({
  name: 'strangers',
  about: 'an hour of one attempt a second without the key, in --seconds (60), each from an address',
  layout: { measured: true },
  async run(scene, { seconds = 60 }) {
    const { server } = scene
    const perSecond = Math.ceil(3600 / seconds)
    const attack = (s: number) => {
      const where = ['127.0.0.1', `${scene.serverPort}`, `${perSecond}`, `${s}`]
      const end = scene.child('./stranger.ts', [], ...where)
      return end.hear('over', LIMIT_MS) as Promise<{ attempts: number; longestMs: number }>
    }
    await attack(5) // code is compiled
    const quiet = await echoes(scene, 400)
    const before = await atRest(server)
    const siege = attack(seconds)
    let sockets = 0
    const watch = setInterval(() => {
      void look(server).then(({ descriptors }) => {
        sockets = Math.max(sockets, descriptors - before.descriptors)
      })
    }, 5000)
    const besieged = await echoes(scene, Math.floor((seconds * 1000) / 30))
    const { attempts, longestMs } = await siege
    clearInterval(watch)
    const sessions = [...server.output.matchAll(/^session /gm)].length - 1
    const p99 = (times: number[]) => quantile(times, 0.99)!
    return [
      least('attempts', attempts, 'attempts', 3600),
      most('sessions', sessions, 'sessions of strangers', 0),
      most('sockets', sockets, 'sockets at once', perSecond * STRANGER_S),
      most('longest', longestMs / 1000, 's that one stayed', STRANGER_S),
      most('p99', p99(besieged) / p99(quiet), '× the quiet p99', 2),
    ]
  },
})

export const STRANGERS: readonly TunnelRow[] = [crowd, strangers]
