// What is asked of the system for a socket: keep-alive, a local port, a port that is shared. What
// it made of that is read from the kernel, where it says so.

import { once } from 'node:events'
import { isPipeError, PipeError, ready } from '@striper/core'
import { connect, listen, type TcpPipe, type TcpServer } from '@striper/tcp'
import { afterEach, describe, expect, test } from 'vitest'
import { asksIn, SHARES_PORTS } from './kernel.ts'

/** Nobody else dials from here, so a port of it that was free stays free. */
const OURS = '127.0.0.77'
const local = { host: '127.0.0.1', port: 0 }
const linux = process.platform === 'linux'
const IN_TIME = { timeout: 10_000 }
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** Answers with what it hears, and ends when it is ended. */
async function echo(options: Partial<Parameters<typeof listen>[0]> = {}): Promise<TcpServer> {
  const server = await listen({ ...local, ...options }, pipe => pipe.pipe(pipe))
  cleanups.push(() => server.destroy())
  return server
}

function connecting(options: Parameters<typeof connect>[0]): TcpPipe {
  const pipe = connect({ host: '127.0.0.1', ...options })
  pipe.on('error', () => undefined)
  cleanups.push(() => pipe.destroy())
  return pipe
}

/** Resolves when a pipe has closed, with what it failed with. */
async function failure(pipe: TcpPipe): Promise<Error | null> {
  if (!pipe.closed) await new Promise<void>(resolve => pipe.once('close', resolve))
  return pipe.errored
}

/** Whether a pipe to an echo carries bytes both ways. */
async function carries(pipe: TcpPipe): Promise<boolean> {
  pipe.write('are you there?')
  const [heard] = (await once(pipe, 'data')) as [Buffer]
  return heard.toString() === 'are you there?'
}

const portOf = (address: string | undefined) =>
  Number(address!.slice(address!.lastIndexOf(':') + 1))

describe.runIf(linux)('keep-alive, as /proc/net/tcp has it', () => {
  const left = ({ address }: TcpPipe) => asksIn(portOf(address.local), portOf(address.remote))

  test.each([
    [undefined, 60],
    [300_000, 300],
    [32_767_000, 32_767],
    [0, Infinity],
  ])('keepAliveMs %s is %s s, at both ends', async (keepAliveMs, seconds) => {
    const options = keepAliveMs === undefined ? {} : { keepAliveMs }
    const server = await echo(options)
    const near = await ready(connecting({ ...options, port: server.port }))
    expect(await carries(near)).toBe(true)
    for (const pipe of [near, ...server.connections]) {
      await expect.poll(() => left(pipe), IN_TIME).toBeDefined() // when all is acknowledged
      expect(left(pipe)).toBeLessThanOrEqual(seconds)
      expect(left(pipe)).toBeGreaterThanOrEqual(seconds / 2)
    }
  })
})

test.each([999, -1, NaN, Infinity, 32_767_001])('keepAliveMs %s is refused', async keepAliveMs => {
  const range = `keepAliveMs must be 1000..32767000, or 0, got ${keepAliveMs}`
  expect(() => connect({ port: 1, keepAliveMs })).toThrow(new RangeError(range))
  await expect(listen({ ...local, keepAliveMs }, () => undefined)).rejects.toThrow(
    new RangeError(range),
  )
})

describe('a local port', () => {
  /** A connection from a port of ours, and what dials again from the same. */
  async function fixed(server: TcpServer) {
    const from = { localAddress: OURS, port: server.port }
    const first = await ready(connecting(from))
    const localPort = portOf(first.address.local)
    return { first, localPort, again: () => connecting({ ...from, localPort }) }
  }

  test('is dialled from again at once, after a reset from either side', async () => {
    const server = await echo()
    const { first, localPort, again } = await fixed(server)
    expect(await carries(first)).toBe(true)
    for (const theirs of server.connections) theirs.destroy()
    expect(await failure(first)).toMatchObject({ code: 'ERR_PIPE_RESET' })
    const second = await ready(again())
    expect(second.address.local).toBe(`${OURS}:${localPort}`)
    second.destroy()
    await failure(second)
    expect(await carries(await ready(again()))).toBe(true)
  })

  test.runIf(linux)('is dialled from again at once, after this side ended first', async () => {
    const { first, again } = await fixed(await echo())
    first.resume().end()
    expect(await failure(first)).toBe(null)
    const second = await ready(again())
    expect(second.address.local).toBe(first.address.local)
    expect(await carries(second)).toBe(true)
  })

  test('whose connection to there is open is ERR_PIPE_CONNECT, and that one lives on', async () => {
    const server = await echo()
    const { first, localPort, again } = await fixed(server)
    const from = `cannot connect to 127.0.0.1:${server.port} from ${OURS}:${localPort}`
    const error = await failure(again())
    expect(error).toMatchObject({
      code: 'ERR_PIPE_CONNECT',
      cause: { code: expect.stringMatching(/^EADDRNOTAVAIL$|^EADDRINUSE$/) as string },
    })
    expect(error!.message).toContain(from)
    expect(await carries(first)).toBe(true)
  })

  test.runIf(linux)('has a connection to each of two servers', async () => {
    const { first, localPort } = await fixed(await echo())
    const other = await echo()
    const from = { localAddress: OURS, localPort }
    const second = await ready(connecting({ ...from, port: other.port }))
    expect(second.address.local).toBe(first.address.local)
    expect(await Promise.all([carries(first), carries(second)])).toEqual([true, true])
  })

  test('that somebody listens at is ERR_PIPE_CONNECT', async () => {
    const server = await echo()
    const { port } = await echo()
    const pipe = connecting({ localAddress: '127.0.0.1', localPort: port, port: server.port })
    expect(await failure(pipe)).toMatchObject({
      code: 'ERR_PIPE_CONNECT',
      cause: { code: 'EADDRINUSE' },
    })
  })

  test.each([-1, 65_536, 1.5, NaN])('%s is refused', localPort => {
    const range = `localPort must be 0..65535, got ${localPort}`
    expect(() => connect({ port: 1, localPort })).toThrow(new RangeError(range))
  })
})

describe('reusePort', () => {
  const shared = (port: number) =>
    listen({ ...local, port, reusePort: true }, pipe => pipe.pipe(pipe)).then(
      server => {
        cleanups.push(() => server.destroy())
        return server
      },
      (error: unknown) => error as Error,
    )
  test.runIf(SHARES_PORTS)('two listen at one port, and each is connected to', async () => {
    const one = (await shared(0)) as TcpServer
    const other = (await shared(one.port)) as TcpServer
    expect(other.address).toBe(one.address)
    // Which of the two it is comes from a hash of both ends: 64 do not all come to one.
    const dials = Array.from({ length: 64 }, () => ready(connecting({ port: one.port })))
    for (const pipe of await Promise.all(dials)) expect(await carries(pipe)).toBe(true)
    expect(one.connections.size + other.connections.size).toBe(64)
    expect(Math.min(one.connections.size, other.connections.size)).toBeGreaterThan(0)
  })

  test.runIf(linux && !SHARES_PORTS)(
    'a Node.js that would take no notice of it does not listen',
    async () => {
      const error = await shared(0)
      expect(isPipeError(error) && error.code).toBe('ERR_PIPE_CONNECT')
      const why = `no reusePort in Node.js ${process.version}, it came with 22.12`
      expect((error as PipeError).sentence).toBe(`cannot listen at 127.0.0.1:0: ${why}`)
    },
  )
})
