// The one place that names debug.

import createDebug from 'debug'

/** A trace of what happened, off unless `DEBUG` asks for it: `DEBUG=striper:*`. */
export type Log = createDebug.Debugger

/** The trace of one part of striper, under `striper:<name>`. The first argument of every line is a
 *  pipe's label; no line holds payload. */
export function logger(name: string): Log {
  return createDebug(`striper:${name}`)
}
