// Reaching whom a channel is for, while the channel waits.

import { type Channel, connect, isPipeError, PipeError, ready, type TcpPipe } from 'striper'
import { explain } from '../terminal.ts'

/**
 * Connects to the first of these hosts that answers, within a time for all of them together. The
 * channel's first bytes wait in its window meanwhile; when it closes, the dial is given up. Rejects
 * with the PipeError of the last host.
 */
export async function reach(
  channel: Channel,
  hosts: readonly string[],
  port: number,
  timeoutMs: number,
): Promise<TcpPipe> {
  const until = performance.now() + timeoutMs
  let failure = new PipeError('ERR_PIPE_TIMEOUT', `no answer in ${timeoutMs} ms`)
  for (const host of hosts) {
    const connectTimeoutMs = until - performance.now()
    if (connectTimeoutMs <= 0 || channel.destroyed) break
    const target = connect({ host, port, connectTimeoutMs })
    target.on('error', () => undefined) // until the bridge listens
    const giveUp = () => target.destroy()
    channel.once('close', giveUp)
    try {
      return await ready(target)
    } catch (error) {
      if (isPipeError(error)) failure = error
    } finally {
      channel.off('close', giveUp)
    }
  }
  throw failure
}

/** Why it was in vain, in a sentence for the other end. */
export function whyNot(error: unknown): string {
  return isPipeError(error) ? explain(error) : String(error)
}
