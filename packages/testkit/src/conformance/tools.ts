// How the suite's cases write, read, watch and wait.

import type { Message, Pipe } from '@striper/core'

/** Writes units as a good writer does: after `false` it waits for 'drain'. Then, unless told not
 *  to, ends. */
export async function writeAll(pipe: Pipe, units: readonly Message[], thenEnd = true) {
  for (const unit of units) {
    if (!pipe.write(unit)) await event(pipe, 'drain')
  }
  if (thenEnd) pipe.end()
}

/** Everything up to 'end'; rejects where it fails or closes before. */
export async function readAll(pipe: Pipe): Promise<Buffer[]> {
  const got = gather(pipe)
  await event(pipe, 'end')
  return got
}

/** Reads from now on, into the list that is returned. */
export function gather(pipe: Pipe): Buffer[] {
  const got: Buffer[] = []
  pipe.on('data', (unit: Buffer) => got.push(unit))
  return got
}

/** Resolves with the next event of this name; rejects where the pipe fails, or closes without it */
export function event(pipe: Pipe, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      pipe.off(name, happened).off('error', failed).off('close', closed)
    }
    const happened = () => {
      settle()
      resolve()
    }
    const failed = (error: Error) => {
      settle()
      reject(error)
    }
    const closed = () => failed(pipe.errored ?? new Error(`${pipe.label} closed, no '${name}'`))
    if (pipe.closed) return closed()
    pipe.once(name, happened).once('error', failed).once('close', closed)
  })
}

/** Resolves when the pipe has closed, whether it failed or not. */
export function closed(pipe: Pipe): Promise<void> {
  return new Promise(resolve => {
    if (pipe.closed)
      setImmediate(resolve) // it says so a tick before its events
    else pipe.once('close', resolve)
  })
}

/** What a pipe has said of itself since it was watched. */
export interface Watch {
  readonly events: readonly string[]
  readonly errors: readonly Error[]
}

/** Watches a pipe without reading it. */
export function watch(pipe: Pipe): Watch {
  const events: string[] = []
  const errors: Error[] = []
  for (const name of ['ready', 'end', 'finish', 'error', 'close']) {
    pipe.on(name, () => events.push(name))
  }
  pipe.on('error', (error: Error) => errors.push(error))
  return { events, errors }
}

/** Every pipe that a pipe stands on. */
export function allBelow(pipe: Pipe): Pipe[] {
  return pipe.below.flatMap(below => [below, ...allBelow(below)])
}

/** Waits until nothing has moved on the pipes, and those below, for a while. That it may be too
 *  early is why no case fails by it: what it comes too early for is only seen less well. */
export async function quiet(...pipes: readonly Pipe[]): Promise<void> {
  const figures = () =>
    JSON.stringify(pipes.map(pipe => [pipe, ...allBelow(pipe)].map(p => p.stats)))
  let before = figures()
  for (let same = 0; same < 3;) {
    await pause(15)
    const now = figures()
    same = now === before ? same + 1 : 0
    before = now
  }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
