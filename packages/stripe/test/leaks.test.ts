import { memoryPair } from '@striper/core'
import { reassemble } from '@striper/reassemble'
import { type StripePipe } from '@striper/stripe'
import { expect, test } from 'vitest'
import { memoryLanes, striped } from './scene.ts'

const closed = (pipe: StripePipe) => new Promise<void>(resolve => pipe.once('close', resolve))

/** How much of each kind keeps the process alive. */
function alive(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) {
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return counts
}

/** Of what is alive, what was not before. What was there already is not ours, and may go. */
function remaining(before: ReadonlyMap<string, number>): string[] {
  return [...alive()].flatMap(([kind, count]) => {
    const more = count - (before.get(kind) ?? 0)
    return more > 0 ? [`${more} ${kind}`] : []
  })
}

/** A short conversation both ways over two lanes; every second one is aborted before its end. */
async function conversation(index: number, seen: WeakRef<StripePipe>[]): Promise<void> {
  const [near, far] = striped(memoryLanes(2))
  if (index % 50 === 0) seen.push(new WeakRef(near), new WeakRef(far))
  const over = [closed(near), closed(far)]
  const [left, right] = [reassemble()(near), reassemble()(far)]
  for (const end of [left, right]) end.on('error', () => undefined).resume()
  left.write(Buffer.from('asks'))
  right.end('answers')
  if (index % 2 === 0) left.end()
  else right.once('data', () => left.destroy())
  await Promise.all(over)
}

test('1,000 short sessions leave no timer, no listener and no memory behind', async () => {
  const warnings: Error[] = []
  const warned = (warning: Error) => warnings.push(warning)
  process.on('warning', warned)
  const before = alive()
  const seen: WeakRef<StripePipe>[] = []
  for (let i = 0; i < 1000; i += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, j) => conversation(i + j, seen)))
  }
  await new Promise(setImmediate)
  expect(remaining(before)).toEqual([])
  expect(warnings).toEqual([])
  process.off('warning', warned)
  memoryPair() // so that nothing of the last conversation is on the stack
  await collected(seen)
})

/** Resolves when none of them is in memory any more. */
async function collected(all: readonly WeakRef<object>[]): Promise<void> {
  let left = all.length
  for (let i = 0; i < 20 && left > 0; i++) {
    await new Promise(setImmediate)
    ;(globalThis as { gc?: () => void }).gc!()
    left = all.filter(each => each.deref() !== undefined).length
  }
  expect(left, `of ${all.length} stripes in memory`).toBe(0)
}
