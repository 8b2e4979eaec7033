import { memoryPair, stack, type BytePipe, type Layer } from '@striper/core'
import { corrupt, cut, end, latency, rate, rng, slices, stall } from '@striper/testkit/faults'
import { afterEach, expect, test, vi } from 'vitest'

const KiB = 1024

afterEach(() => vi.useRealTimers())

/** A layer under test, with the bare end of the pair below it. */
function under(layer: Layer): { pipe: BytePipe; far: BytePipe } {
  const [near, far] = memoryPair()
  const pipe = stack(near, layer)
  for (const each of [pipe, far]) each.on('error', () => undefined)
  return { pipe, far }
}

function reading(pipe: BytePipe): { bytes: number; chunks: Buffer[]; ended: boolean } {
  const got = { bytes: 0, chunks: [] as Buffer[], ended: false }
  pipe.on('data', (chunk: Buffer) => {
    got.bytes += chunk.length
    got.chunks.push(chunk)
  })
  pipe.on('end', () => (got.ended = true))
  return got
}

/** Writes much, as a good writer does, and counts. */
function writing(pipe: BytePipe): { bytes: number } {
  const sent = { bytes: 0 }
  const chunk = Buffer.alloc(10_000)
  const more = () => {
    for (let go = true; go && sent.bytes < 20_000_000; sent.bytes += chunk.length) {
      go = pipe.write(chunk)
    }
  }
  pipe.on('drain', more)
  more()
  return sent
}

const closed = (pipe: BytePipe) => new Promise<void>(resolve => pipe.once('close', resolve))

/** Lets everything happen that needs no time. */
const soon = () => vi.advanceTimersByTimeAsync(0)

test('rate: over seconds it is within one per cent, each way by itself', async () => {
  vi.useFakeTimers()
  const bytesPerSecond = 3 * KiB * KiB
  const { pipe, far } = under(rate({ bytesPerSecond }))
  const [up, down] = [reading(far), reading(pipe)]
  writing(pipe)
  writing(far)
  await vi.advanceTimersByTimeAsync(4000)
  expect(Math.abs(up.bytes / (4 * bytesPerSecond) - 1)).toBeLessThan(0.01)
  expect(Math.abs(down.bytes / (4 * bytesPerSecond) - 1)).toBeLessThan(0.01)
  pipe.destroy()
})

test('rate: timers that are late do not make it slower', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  let now = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
  const { pipe, far } = under(rate({ bytesPerSecond: 1000 * KiB }))
  const got = reading(far)
  writing(pipe)
  for (; now < 3000; now += 17) await vi.advanceTimersByTimeAsync(17)
  clock.mockRestore()
  expect(got.bytes / KiB).toBeGreaterThan(2940)
  expect(got.bytes / KiB).toBeLessThan(3000)
  pipe.destroy()
})

test('rate: after a pause a burst passes at once, and no more', async () => {
  vi.useFakeTimers()
  const { pipe, far } = under(rate({ bytesPerSecond: 10_000, burstBytes: 2000 }))
  const got = reading(far)
  pipe.write(Buffer.alloc(100))
  await vi.advanceTimersByTimeAsync(10_000)
  pipe.write(Buffer.alloc(5000))
  await soon()
  expect(got.bytes).toBe(2100)
  await vi.advanceTimersByTimeAsync(100)
  expect(got.bytes).toBe(3100)
})

test('rate: a writer is stopped, and an end waits for what is held', async () => {
  vi.useFakeTimers()
  const { pipe, far } = under(rate({ bytesPerSecond: 100_000 }))
  const got = reading(far)
  const sent = writing(pipe)
  await soon()
  expect(sent.bytes).toBeLessThanOrEqual(600 * KiB)
  pipe.end()
  await vi.advanceTimersByTimeAsync(sent.bytes / 100 - 100)
  expect(got.ended).toBe(false)
  await vi.advanceTimersByTimeAsync(200)
  expect(got).toMatchObject({ bytes: sent.bytes, ended: true })
})

test('rate: a peer that writes too fast is stopped, though the reader takes all', async () => {
  vi.useFakeTimers()
  const { pipe, far } = under(rate({ bytesPerSecond: 100_000 }))
  const got = reading(pipe)
  const sent = writing(far)
  await vi.advanceTimersByTimeAsync(1000)
  expect(got.bytes).toBeGreaterThan(90_000)
  expect(sent.bytes - got.bytes).toBeLessThanOrEqual(600 * KiB)
  pipe.destroy()
})

test('latency: everything is later by so much, the end too, in each direction', async () => {
  vi.useFakeTimers()
  const { pipe, far } = under(latency({ ms: 50 }))
  const [up, down] = [reading(far), reading(pipe)]
  pipe.end('there')
  far.end('back')
  await vi.advanceTimersByTimeAsync(49)
  expect([up.bytes, down.bytes]).toEqual([0, 0])
  await vi.advanceTimersByTimeAsync(2)
  expect([up.bytes, down.bytes, up.ended, down.ended]).toEqual([5, 4, true, true])
})

test('latency: an end that comes after all has gone on is later as well', async () => {
  vi.useFakeTimers()
  const { pipe, far } = under(latency({ ms: 50 }))
  const got = reading(far)
  pipe.write('there')
  await vi.advanceTimersByTimeAsync(100)
  pipe.end()
  await vi.advanceTimersByTimeAsync(49)
  expect(got).toMatchObject({ bytes: 5, ended: false })
  await vi.advanceTimersByTimeAsync(2)
  expect(got.ended).toBe(true)
})

test('latency: jitter puts nothing out of order, and is the same for a seed', async () => {
  vi.useFakeTimers()
  const arrivals = async () => {
    const times: number[] = []
    const { pipe, far } = under(latency({ ms: 10, jitterMs: 20, seed: 7 }))
    const got = reading(far)
    const start = performance.now()
    far.on('data', () => times.push(Math.round(performance.now() - start)))
    for (let i = 0; i < 50; i++) {
      pipe.write(Buffer.of(i))
      await vi.advanceTimersByTimeAsync(3)
    }
    await vi.advanceTimersByTimeAsync(50)
    expect(Buffer.concat(got.chunks)).toEqual(Buffer.from(Array.from({ length: 50 }, (_, i) => i)))
    return times
  }
  const first = await arrivals()
  expect(new Set(first.map((time, i) => time - 3 * i)).size).toBeGreaterThan(10)
  expect(await arrivals()).toEqual(first)
})

test('stall: stops both ways at the byte, holds a bounded amount, and goes on', async () => {
  vi.useFakeTimers()
  const { pipe, far } = under(stall({ afterBytes: 5000, ms: 1000 }))
  const [up, down] = [reading(far), reading(pipe)]
  pipe.write(Buffer.alloc(3000))
  await soon()
  far.write(Buffer.alloc(3000))
  await soon()
  expect([up.bytes, down.bytes]).toEqual([3000, 2000])
  const sent = writing(pipe)
  await vi.advanceTimersByTimeAsync(999)
  expect([up.bytes, down.bytes]).toEqual([3000, 2000])
  expect(sent.bytes).toBeLessThanOrEqual(800 * KiB)
  await vi.advanceTimersByTimeAsync(2)
  expect(down.bytes).toBe(3000)
  expect(up.bytes).toBe(20_003_000)
  pipe.destroy()
})

test('stall: for ever by default, without a timer, and destroy() still closes it', async () => {
  vi.useFakeTimers()
  const { pipe, far } = under(stall({ afterBytes: 0 }))
  const got = reading(far)
  pipe.end('never')
  await soon()
  expect([got.bytes, got.ended, vi.getTimerCount()]).toEqual([0, false, 0])
  pipe.destroy()
  await closed(far)
  expect(far.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
})

test('a delay leaves no timer behind when it is destroyed', async () => {
  vi.useFakeTimers()
  const { pipe, far } = under(latency({ ms: 1000 }))
  pipe.write('held')
  far.write('held as well')
  pipe.resume()
  await soon()
  expect(vi.getTimerCount()).toBeGreaterThan(0)
  pipe.destroy()
  expect(vi.getTimerCount()).toBe(0)
})

test('cut: no byte more passes, the pipe above fails and the peer sees an abort', async () => {
  const { pipe, far } = under(cut({ afterBytes: 1000 }))
  const got = reading(far)
  pipe.write(Buffer.alloc(600))
  pipe.write(Buffer.alloc(600))
  await Promise.all([closed(pipe), closed(far)])
  expect(got).toMatchObject({ ended: false })
  expect(got.bytes).toBeLessThanOrEqual(1000)
  expect(pipe.errored).toMatchObject({ code: 'ERR_PIPE_RESET', label: pipe.label })
  expect(far.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
})

test('cut: what is received counts too, and reaches the reader', async () => {
  const { pipe, far } = under(cut({ afterBytes: 1000 }))
  const got = reading(pipe)
  far.write(Buffer.alloc(5000))
  await closed(pipe)
  expect(got).toMatchObject({ bytes: 1000, ended: false })
})

test('cut: after 0 bytes it fails as soon as it is open', async () => {
  const { pipe, far } = under(cut({ afterBytes: 0 }))
  await Promise.all([closed(pipe), closed(far)])
  expect(far.errored).toMatchObject({ code: 'ERR_PIPE_RESET' })
})

test('end: both sides see an end after the bytes, and it closes without an error', async () => {
  const { pipe, far } = under(end({ afterBytes: 1000 }))
  const [up, down] = [reading(far), reading(pipe)]
  pipe.write(Buffer.alloc(3000))
  await new Promise(resolve => far.once('end', resolve))
  far.end(Buffer.alloc(3000))
  pipe.end(Buffer.alloc(3000))
  await Promise.all([closed(pipe), closed(far)])
  expect(up).toMatchObject({ bytes: 1000, ended: true })
  expect(down).toMatchObject({ bytes: 0, ended: true })
  expect([pipe.errored, far.errored]).toEqual([null, null])
})

test('corrupt: flips one bit in each so many bytes, of a copy, the same for a seed', async () => {
  const original = Buffer.alloc(10_000)
  const flips = async () => {
    const { pipe, far } = under(corrupt({ seed: 3, everyBytes: 100 }))
    const got = reading(far)
    for (let at = 0; at < 10_000; at += 37) pipe.write(original.subarray(at, at + 37))
    pipe.end()
    await new Promise(resolve => far.once('end', resolve))
    return Buffer.concat(got.chunks)
  }
  const changed = await flips()
  expect(original.every(byte => byte === 0)).toBe(true)
  for (let at = 0; at < 10_000; at += 100) {
    const wrong = changed.subarray(at, at + 100).filter(byte => byte !== 0)
    expect(wrong, `bytes from ${at}`).toHaveLength(1)
    expect(Math.log2(wrong[0]!) % 1, 'one bit').toBe(0)
  }
  expect(await flips()).toEqual(changed)
})

test('slices: re-cuts both ways, many to a byte, and changes nothing', async () => {
  const sent = rng(5).bytes(50_000)
  const { pipe, far } = under(slices({ seed: 4, maxBytes: 100 }))
  const [up, down] = [reading(far), reading(pipe)]
  pipe.end(sent)
  far.end(sent)
  await Promise.all([closed(pipe), closed(far)])
  for (const { chunks } of [up, down]) {
    expect(Buffer.concat(chunks).equals(sent)).toBe(true)
    expect(Math.max(...chunks.map(chunk => chunk.length))).toBeLessThanOrEqual(100)
    expect(chunks.filter(chunk => chunk.length === 1).length).toBeGreaterThan(chunks.length / 3)
  }
})

test('options that make no sense are a RangeError where they are given', () => {
  for (const wrong of [
    () => rate({ bytesPerSecond: 0 }),
    () => rate({ bytesPerSecond: 1, burstBytes: -1 }),
    () => latency({ ms: -1 }),
    () => latency({ ms: NaN }),
    () => stall({ afterBytes: -1 }),
    () => cut({ afterBytes: 0.5 }),
    () => end({ afterBytes: NaN }),
    () => corrupt({ seed: 1, everyBytes: 0 }),
    () => slices({ seed: 1, maxBytes: 0 }),
  ]) {
    expect(wrong).toThrow(RangeError)
  }
})

test('rng: a seed repeats itself, and its numbers lie where they should', () => {
  const [one, two] = [rng(42), rng(42)]
  const numbers = Array.from({ length: 1000 }, () => one.integer(3, 7))
  expect(Array.from({ length: 1000 }, () => two.integer(3, 7))).toEqual(numbers)
  expect([...new Set(numbers)].sort()).toEqual([3, 4, 5, 6, 7])
  expect(rng(43).bytes(8)).not.toEqual(rng(42).bytes(8))
})
