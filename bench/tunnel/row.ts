// What a row is: something that is done with a tunnel, and the figures that come of it.

import type { Links } from '../lib/lab.ts'
import type { Figure } from './figure.ts'
import { least, most } from './figure.ts'
import type { Exchanged, Job } from './load.ts'
import { type Layout, Scene } from './scene.ts'

export const MiB = 1024 * 1024
/** What a job of the clients may take. */
export const LIMIT_MS = 600_000

/** What a user may make shorter or longer. */
export interface Sizes {
  readonly count: number | undefined
  readonly seconds: number | undefined
}

export interface TunnelRow {
  readonly name: string
  readonly about: string
  /** The links of the lab that it needs; without them it runs over loopback. */
  readonly links?: readonly string[]
  /** Measures it once, over the links that it needs. */
  measure(links: Links | undefined, sizes: Sizes): Promise<Figure[]>
}

/** A row that is measured on a scene of its own. */
export function onScene({
  layout = {},
  run,
  ...row
}: Omit<TunnelRow, 'measure'> & {
  readonly layout?: Omit<Layout, 'links'>
  readonly run: (scene: Scene, sizes: Sizes) => Promise<Figure[]>
}): TunnelRow {
  return {
    ...row,
    async measure(links, sizes) {
      const scene = new Scene({ ...layout, links })
      try {
        await scene.open()
        return await run(scene, sizes)
      } finally {
        await scene.close()
      }
    },
  }
}

/** Has the clients exchange so many bytes on each of so many connections at once; over so many
 *  seconds, or as fast as it goes where they are 0. */
export function exchanges(scene: Scene, count: number, bytes: number, seconds: number) {
  const job: Job = { do: 'exchange', to: scene.through, count, bytes, seconds }
  return scene.ask<Exchanged>('exchanged', job, LIMIT_MS)
}

/** What came of exchanges, as figures. */
export function judged({ complete, wrong, failed }: Exchanged, count: number): Figure[] {
  return [
    least('complete', complete, `of ${count}, SHA-256 equal`, count),
    most('wrong', wrong, 'not equal', 0),
    most('failed', failed, 'reset', 0),
  ]
}
