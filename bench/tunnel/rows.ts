// The rows: what the tunnel carries, endures and holds, each with the figure to reach.

import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import type { Program } from '../../examples/lib/program.ts'
import { atRest } from '../soak/look.ts'
import { quantile, sum } from '../wan/measure.ts'
import type { Exchanged, Job } from './load.ts'
import type { Layout, Scene } from './scene.ts'

/** One figure of a row. */
export interface Figure {
  name: string
  value: number
  unit: string
  reach?: number
  better: 'more' | 'less'
}

/** What a user may make shorter or longer. */
export interface Sizes {
  count: number | undefined
  seconds: number | undefined
}

export interface TunnelRow {
  name: string
  about: string
  /** The links of the lab that it needs; it does without it where there are none. */
  links?: readonly string[]
  layout: Omit<Layout, 'field'>
  run(scene: Scene, sizes: Sizes): Promise<Figure[]>
}

const LIMIT_MS = 600_000
const MiB = 1024 * 1024
const least = (name: string, value: number, unit: string, reach: number): Figure => {
  return { name, value, unit, reach, better: 'more' }
}
const most = (name: string, value: number, unit: string, reach?: number): Figure => {
  return { name, value, unit, ...(reach === undefined ? {} : { reach }), better: 'less' }
}

/** One connection, and forty, beside `lanes` times what one gets past the tunnel. */
function capped(name: string, links: string[], bind: string[], lanes: number): TunnelRow {
  return {
    name,
    about: `one connection, and forty, over lanes from ${bind.join(' ')}; ${links.join(' + ')}`,
    links,
    layout: { bind },
    async run(scene) {
      const pour = (to: Scene['past'], count: number) => {
        return scene.ask<number[]>('poured', { do: 'pour', to, count, seconds: 5 }, LIMIT_MS)
      }
      const [alone = NaN] = await pour(scene.past, 1)
      const [one = NaN] = await pour(scene.through, 1)
      const forty = await pour(scene.through, 40)
      const fair = sum(forty) / forty.length
      const astray = Math.max(...forty.map(bytes => Math.abs(bytes - fair)))
      return [
        least('one', (100 * one) / alone / lanes, `% of ${lanes} × alone`, 97),
        least('forty', (100 * sum(forty)) / alone / lanes, `% of ${lanes} × alone`, 97),
        most('unfair', (100 * astray) / fair, '% off the fair share', 20),
      ]
    },
  }
}

const lab4 = Array.from({ length: 4 }, () => 'rate=20 delay=10')
const bind4 = ['10.77.0.1', '10.77.1.1', '10.77.2.1', '10.77.3.1']

const echo: TunnelRow = {
  name: 'echo',
  about: '16 bytes there and back, beside a download on the same trunk; 4 × (rate=20 delay=10)',
  links: lab4,
  layout: { bind: bind4 },
  async run(scene) {
    const job: Job = { do: 'echo', to: scene.through, count: 300, bulk: false }
    const idle = await scene.ask<number[]>('echoed', job, LIMIT_MS)
    const busy = await scene.ask<number[]>('echoed', { ...job, bulk: true }, LIMIT_MS)
    const more = (share: number) => quantile(busy, share)! - quantile(idle, share)!
    return [
      most('idle-p50', quantile(idle, 0.5)!, 'ms'),
      most('p50', more(0.5), 'ms more than idle', 15),
      most('p99', more(0.99), 'ms more than idle', 60),
    ]
  },
}

const open: TunnelRow = {
  name: 'open',
  about: 'to the first byte of the answer, beside a fresh TCP connection; rate=20 delay=10',
  links: lab4,
  layout: { bind: bind4 },
  async run(scene) {
    const median = async (to: Scene['past']) =>
      quantile(await scene.ask<number[]>('opened', { do: 'open', to, count: 40 }, LIMIT_MS), 0.5)!
    const [tcp, tunnel] = [await median(scene.past), await median(scene.through)]
    return [
      most('tcp', tcp, 'ms'),
      most('tunnel', tunnel, 'ms'),
      least('less', (tcp - tunnel) / 20, 'round trips less', 0.8),
    ]
  },
}

const channels: TunnelRow = {
  name: 'channels',
  about: '--count (1000) connections at once over 8 lanes, 1 MiB both ways each',
  layout: {},
  async run(scene, { count = 1000 }) {
    const started = performance.now()
    const came = await exchanges(scene, count, MiB, 0)
    return [...judged(came, count), most('time', (performance.now() - started) / 1000, 's')]
  },
}

const short: TunnelRow = {
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
      ...Object.keys(programs).flatMap(name => {
        const [then, now] = [before.get(name)!, after.get(name)!]
        return [
          most(`${name}-descriptors`, now.descriptors - then.descriptors, 'more', 0),
          most(`${name}-heap`, (now.heapBytes - then.heapBytes) / count, 'bytes each more', 60),
          most(`${name}-maps`, now.maps - then.maps, 'more'),
        ]
      }),
    ]
  },
}

/** Transfers while something happens to the lanes or the server. */
function endures(
  name: string,
  about: string,
  happens: (scene: Scene, ms: number) => Promise<void>,
) {
  const layout = { breakable: name !== 'stopped' }
  return {
    name,
    about,
    layout,
    async run(scene, { count = 100, seconds = 60 }) {
      const came = exchanges(scene, count, MiB, seconds)
      await happens(scene, seconds * 1000)
      return judged(await came, count)
    },
  } satisfies TunnelRow
}

const killed = endures(
  'killed',
  'a lane reset each second during --count (100) transfers of --seconds (60)',
  async (scene, ms) => {
    for (let at = 0; at < ms; at += 1000) {
      await wait(1000)
      const lanes = [...scene.lanes]
      lanes[(at / 1000) % Math.max(1, lanes.length)]?.destroy()
    }
  },
)
const dark = endures(
  'dark',
  'all lanes lost for half of the transfers’ time (30 s)',
  async (scene, ms) => {
    await wait(ms / 4)
    scene.darken(true)
    await wait(ms / 2)
    scene.darken(false)
  },
)
const stopped = endures('stopped', 'SIGSTOP for a third of the time (20 s)', async (scene, ms) => {
  await wait(ms / 3)
  scene.server.signal('SIGSTOP')
  await wait(ms / 3)
  scene.server.signal('SIGCONT')
})

const restarted: TunnelRow = {
  name: 'restarted',
  about: 'the server killed and started again, with 50 connections open',
  layout: {},
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
}

const strangers: TunnelRow = {
  name: 'strangers',
  about: 'without the key: an hour of one attempt a second, in --seconds (60)',
  layout: {},
  async run(scene, { seconds = 60 }) {
    const echoes = (count: number) => {
      const job: Job = { do: 'echo', to: scene.through, count, bulk: false }
      return scene.ask<number[]>('echoed', job, LIMIT_MS)
    }
    const quiet = await echoes(400)
    const [before, memory] = [descriptors(scene.server), residentBytes(scene.server)]
    const each = ['127.0.0.1', `${scene.serverPort}`, `${Math.ceil(3600 / seconds)}`, `${seconds}`]
    const attack = scene.child('./stranger.ts', [], ...each).hear('attempts', LIMIT_MS)
    let sockets = 0
    let bytes = 0
    const watch = setInterval(() => {
      sockets = Math.max(sockets, descriptors(scene.server) - before)
      bytes = Math.max(bytes, residentBytes(scene.server) - memory)
    }, 250)
    const besieged = await echoes(Math.floor((seconds * 1000) / 30))
    const attempts = (await attack) as number
    clearInterval(watch)
    const sessions = [...scene.server.output.matchAll(/^session /gm)].length - 1
    const p99 = (times: number[]) => quantile(times, 0.99)!
    return [
      least('attempts', attempts, 'attempts', 3600),
      most('sessions', sessions, 'sessions of strangers', 0),
      most('sockets', sockets, 'sockets at once, at most', 1000),
      most('memory', bytes / 1024 / Math.max(1, sockets), 'KiB a socket', 64),
      most('p99', p99(besieged) / p99(quiet), '× the quiet p99', 2),
    ]
  },
}

/** Every row but `idle`, which has two programs of its own. */
export const ROWS: readonly TunnelRow[] = [
  capped(
    'capped-ip',
    ['rate=200 delay=10 cap=10 key=ip addrs=4'],
    ['10.77.0.1', '10.77.0.2', '10.77.0.3', '10.77.0.4'],
    4,
  ),
  capped('capped-connection', ['rate=200 delay=10 cap=8'], ['10.77.0.1*8'], 8),
  ...[echo, channels, short, killed, dark, stopped, restarted, open, strangers],
]

function exchanges(scene: Scene, count: number, bytes: number, seconds: number) {
  const job: Job = { do: 'exchange', to: scene.through, count, bytes, seconds }
  return scene.ask<Exchanged>('exchanged', job, LIMIT_MS)
}

function judged({ complete, wrong, failed }: Exchanged, count: number): Figure[] {
  return [
    least('complete', complete, `of ${count}, SHA-256 equal`, count),
    most('wrong', wrong, 'not equal', 0),
    most('failed', failed, 'reset', 0),
  ]
}

const descriptors = ({ pid }: Program) => readdirSync(`/proc/${pid}/fd`).length

function residentBytes({ pid }: Program): number {
  const [, kB] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!
  return Number(kB) * 1024
}

async function holdings(programs: Record<string, Program>) {
  const all = new Map<string, { descriptors: number; heapBytes: number; maps: number }>()
  for (const [name, program] of Object.entries(programs)) {
    const maps = () => readFileSync(`/proc/${program.pid}/maps`, 'utf8').split('\n').length
    all.set(name, { ...(await atRest(program)), maps: maps() })
  }
  return all
}
