// What a command that runs for long has around its work: the log, signals, the control socket.

import { type EventLog } from './log.ts'
import { type ControlServer, serveControl } from './control.ts'
import { formatSecurity } from './security.ts'
import type { ClientSettings, ServerSettings } from './settings.ts'
import type { Snapshot } from './snapshot.ts'
import { onStop } from './terminal.ts'

/** What `runServer` and `runClient` are given, beside their settings. */
export interface Control {
  readonly log: EventLog
  /** Aborted by the first SIGINT or SIGTERM: take nothing new, and return when all is over. */
  readonly stopping: AbortSignal
  /** Aborted by the second: abort what is left, and return. */
  readonly aborting: AbortSignal
  /** Opens the control socket, whose readers get what `source` gives at that moment. To be called
   *  once, when there is something to show. Rejects with a Failure. */
  show(source: () => Snapshot): Promise<void>
}

/** A server or a client: resolves when it has stopped as it was asked to. Rejects with a Failure
 *  that has the exit code: `cannotStart`, `notLetIn` or `failed`. */
export type Run<S> = (settings: S, control: Control) => Promise<void>

/** Runs a server or a client until it is over. */
export async function runService<S extends ServerSettings | ClientSettings>(
  settings: S,
  run: Run<S>,
  log: EventLog,
): Promise<void> {
  const stopping = new AbortController()
  const aborting = new AbortController()
  let server: ControlServer | undefined
  const secured = formatSecurity(settings.security)
  if (settings.security.by === 'nothing') {
    const sentence = 'lanes are plain text, and whoever reaches them is let in'
    log.say('warning', 'security', sentence, { security: secured })
  } else log.say('info', 'security', `lanes are secured by ${secured}`, { security: secured })
  const unlisten = onStop(
    () => {
      log.say('info', 'stopping', 'stopping; once more to abort what is open')
      stopping.abort()
    },
    () => aborting.abort(),
  )
  try {
    await run(settings, {
      log,
      stopping: stopping.signal,
      aborting: aborting.signal,
      show: async source => {
        server = await serveControl(settings.socket, source)
        log.say('debug', 'status', `striper status asks at ${settings.socket}`)
      },
    })
  } finally {
    unlisten()
    await server?.close()
  }
}
