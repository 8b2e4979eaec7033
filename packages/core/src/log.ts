// The one place that names debug.

import createDebug from 'debug'

/** A trace of what happened, off unless `DEBUG` asks for it: `DEBUG=striper:*`. (Not debug's own
 *  type: a user who compiles with our types need not have those of debug.) */
export interface Log {
  (format: string, ...values: unknown[]): void
  /** Whether anybody reads it: ask before making a value that costs something. */
  readonly enabled: boolean
}

/** The trace of one part of striper, under `striper:<name>`. The first argument of every line is a
 *  pipe's label; no line holds payload. */
export function logger(name: string): Log {
  return createDebug(`striper:${name}`)
}
