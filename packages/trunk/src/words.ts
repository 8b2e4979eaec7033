// Why a lane failed, in a few words for a person: of the system's error where there is one.

import type { MessagePipe } from '@striper/core'

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'reset by the far end',
  EPIPE: 'reset by the far end',
  ETIMEDOUT: 'no answer',
  EADDRNOTAVAIL: 'no such address on this machine',
  EADDRINUSE: 'no local port is free',
  ENETUNREACH: 'network unreachable',
  EHOSTUNREACH: 'host unreachable',
  ENETDOWN: 'network down',
  EINVAL: 'this address does not reach that one',
  EACCES: 'not permitted by this machine',
  EPERM: 'not permitted by this machine',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files',
  ENOTFOUND: 'no such name',
  EAI_AGAIN: 'the name server does not answer',
}

/** Why a lane is no more. `heard`: whether it had worked. */
export function whyLost(lane: MessagePipe, heard: boolean): string {
  const { errored } = lane
  if (errored) return wordsFor(errored)
  return heard ? 'closed' : 'closed before it answered'
}

/** A failure in words: those of the system's error that is at the bottom of it, or its own. */
export function wordsFor(failure: unknown): string {
  let system: string | undefined
  for (let each = failure, i = 0; each instanceof Error && i < 32; each = each.cause, i++) {
    const { code, syscall } = each as NodeJS.ErrnoException
    // The address was good enough for `bind`: what is missing is a port.
    const taken = code === 'EADDRNOTAVAIL' && syscall === 'connect'
    if (code !== undefined) system = WORDS[taken ? 'EADDRINUSE' : code] ?? system
  }
  if (system !== undefined) return system
  if (!(failure instanceof Error)) return String(failure)
  return 'sentence' in failure ? String(failure.sentence) : failure.message
}
