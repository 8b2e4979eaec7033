// Reaching whom a channel is for, while the channel waits.
//
//   first address ──────────── silent ──────────── ... ✕ given up, the second was quicker
//   second          250 ms ──▶ dialled ── ready ──▶ the one

import { type Channel, connect, isPipeError, PipeError, type TcpPipe } from 'striper'
import type { CommonSettings } from '../settings.ts'
import { explain } from '../terminal.ts'

/** How long the last address that was dialled may be silent before the next is, too; in ms. A dial
 *  that fails is followed by the next at once. */
const NEXT_MS = 250
/** Addresses that are tried, at most: a name may have any number, and each dial is a socket. */
const MOST_HOSTS = 8

/**
 * Connects to the first of these hosts that answers, within a time for all of them together: each
 * is dialled a moment after the one before, and the others are given up when one is there (RFC
 * 8305, 5). The channel's first bytes wait in its window meanwhile; when it closes, the dials are
 * given up. Rejects with the PipeError of the host that failed last.
 */
export function reach(
  channel: Channel,
  hosts: readonly string[],
  port: number,
  settings: Pick<CommonSettings, 'connectTimeoutMs' | 'keepAliveMs'>,
): Promise<TcpPipe> {
  const { connectTimeoutMs: timeoutMs, keepAliveMs } = settings
  return new Promise((resolve, reject) => {
    const left = hosts.slice(0, MOST_HOSTS)
    const dials = new Set<TcpPipe>()
    const until = performance.now() + timeoutMs
    let timer: ReturnType<typeof setTimeout> | undefined
    let failure = new PipeError('ERR_PIPE_TIMEOUT', `no answer in ${timeoutMs} ms`)
    const settle = (target?: TcpPipe) => {
      channel.off('close', giveUp)
      left.length = 0
      clearTimeout(timer)
      dials.delete(target!)
      for (const each of dials) each.destroy()
      if (target) resolve(target)
      else reject(failure)
    }
    const giveUp = () => settle()
    const next = () => {
      clearTimeout(timer)
      const connectTimeoutMs = until - performance.now()
      const host = connectTimeoutMs > 0 && !channel.destroyed ? left.shift() : undefined
      if (host === undefined) {
        if (dials.size === 0) settle()
        return
      }
      const target = connect({ host, port, connectTimeoutMs, keepAliveMs })
      dials.add(target)
      target.once('ready', () => settle(target))
      target.on('error', error => {
        if (isPipeError(error)) failure = error
      }) // and it is heard until the bridge listens
      target.once('close', () => {
        if (dials.delete(target)) next()
      })
      if (left.length > 0) timer = setTimeout(next, NEXT_MS)
    }
    channel.once('close', giveUp)
    next()
  })
}

/** Why it was in vain, in a sentence for the other end. */
export function whyNot(error: unknown): string {
  return isPipeError(error) ? explain(error) : String(error)
}
