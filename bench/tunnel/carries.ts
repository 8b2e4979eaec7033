// Rows of what the tunnel carries: how fast, how fair, how soon.

import { quantile, sum } from '../lib/figures.ts'
import { least, most } from './figure.ts'
import type { Job } from './load.ts'
import { exchanges, judged, LIMIT_MS, MiB, onScene, type TunnelRow } from './row.ts'
import type { Scene } from './scene.ts'

/** One connection, and forty, beside `lanes` times what one gets past the tunnel. */
function capped(name: string, links: string[], bind: string[], lanes: number): TunnelRow {
  return onScene({
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
  })
}

const RTT_MS = 20
const LINKS = Array.from({ length: 4 }, () => `rate=20 delay=${RTT_MS / 2}`)
const BIND = ['10.77.0.1', '10.77.1.1', '10.77.2.1', '10.77.3.1']

const echo = onScene({
  name: 'echo',
  about: `16 bytes there and back, beside a download on the same trunk; 4 × (${LINKS[0]})`,
  links: LINKS,
  layout: { bind: BIND },
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
})

const open = onScene({
  name: 'open',
  about: `to the first byte of the answer, beside a fresh TCP connection; ${LINKS[0]}`,
  links: LINKS,
  layout: { bind: BIND },
  async run(scene) {
    const opened = (to: Scene['past'], count: number) =>
      scene.ask<number[]>('opened', { do: 'open', to, count }, LIMIT_MS)
    // A tunnel runs for days: its code is compiled. The two are asked in turns, for what else the
    // machine does.
    const warm: Job = { do: 'short', to: scene.through, count: 1000, perSecond: 200 }
    await scene.ask('exchanged', warm, LIMIT_MS)
    const times = { tcp: [] as number[], tunnel: [] as number[] }
    for (let i = 0; i < 5; i++) {
      times.tcp.push(...(await opened(scene.past, 30)))
      times.tunnel.push(...(await opened(scene.through, 30)))
    }
    const [tcp, tunnel] = [quantile(times.tcp, 0.5)!, quantile(times.tunnel, 0.5)!]
    return [
      most('tcp', tcp, 'ms'),
      most('tunnel', tunnel, 'ms'),
      least('less', (tcp - tunnel) / RTT_MS, 'round trips less', 0.8),
    ]
  },
})

const channels = onScene({
  name: 'channels',
  about: '--count (1000) connections at once over 8 lanes, 1 MiB both ways each',
  async run(scene, { count = 1000 }) {
    const started = performance.now()
    const came = await exchanges(scene, count, MiB, 0)
    const seconds = (performance.now() - started) / 1000
    return [
      ...judged(came, count),
      most('time', seconds, 's'),
      most('rate', (count * 2) / seconds, 'MiB/s, both ways together'),
    ]
  },
})

export const CARRIES: readonly TunnelRow[] = [
  capped(
    'capped-ip',
    ['rate=200 delay=10 cap=10 key=ip addrs=4'],
    ['10.77.0.1', '10.77.0.2', '10.77.0.3', '10.77.0.4'],
    4,
  ),
  capped('capped-connection', ['rate=200 delay=10 cap=8'], ['10.77.0.1*8'], 8),
  ...[echo, open, channels],
]
