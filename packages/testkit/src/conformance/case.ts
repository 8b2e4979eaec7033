// A case of the suite, and how one is run: on a fresh pair, watched by a timer, and cleaned up
// after.

import { describe as tree, type Pipe } from '@striper/core'
import { closed } from './tools.ts'

/** Makes a fresh pair of connected pipes. */
export type MakePair = () => readonly [Pipe, Pipe] | Promise<readonly [Pipe, Pipe]>

/** What honestly differs between pipes that keep the contract. */
export interface Traits {
  /** The peer of an abort sees an end, because what is at the bottom has no way to tell (a Unix
   *  socket). Then rule 6 asks that the peer's writes fail. */
  abortIsSilent?: boolean
  /** The pipe outlives the failure of what it stands on (a stripe), so that rule 7 asks only that
   *  what is below goes with it. */
  outlivesBelow?: boolean
  /** How many bytes a writer may be rid of while the reader has stopped: both ends, everything
   *  below, and the kernel; 8 MiB. */
  maxBufferedBytes?: number
}

/** What a case is given: the two ends, and what is special about them. */
export interface Scene extends Required<Traits> {
  readonly near: Pipe
  readonly far: Pipe
}

export interface Case {
  /** The rule that it tests, 1 to 12. */
  readonly rule: number
  /** What the rule says of this scene, as a sentence. */
  readonly name: string
  run(scene: Scene): Promise<void>
}

export interface RunOptions extends Traits {
  /** The pair's second pipe takes the part of the first. */
  swapped?: boolean
  /** How long the case may take, in ms; 5 s. Then it fails, and shows what the pipes stand on. */
  limitMs?: number
}

/** Runs one case on a fresh pair. Rejects where the rule is broken. Afterwards both ends have
 *  closed. */
export async function runCase(each: Case, makePair: MakePair, options: RunOptions = {}) {
  const { swapped = false, limitMs = 5000, ...traits } = options
  const pair = await makePair()
  const [near, far] = swapped ? [pair[1], pair[0]] : pair
  for (const pipe of pair) pipe.on('error', () => undefined) // the case may look away
  const scene = { ...DEFAULTS, ...traits, near, far }
  try {
    await within(limitMs, each.run(scene), scene)
  } finally {
    for (const pipe of pair) pipe.destroy()
  }
  await within(limitMs, Promise.all(pair.map(closed)), scene)
}

const DEFAULTS: Required<Traits> = {
  abortIsSilent: false,
  outlivesBelow: false,
  maxBufferedBytes: 8 * 1024 * 1024,
}

async function within<T>(ms: number, work: Promise<T>, { near, far }: Scene): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const pipes = `near: ${tree(near)}\nfar: ${tree(far)}`
      reject(new Error(`nothing came of it in ${ms} ms\n${pipes}`))
    }, ms)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
