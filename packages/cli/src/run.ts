// The running server and client, behind one function each. They are not part of this version of
// the command, which checks everything up to here and then says so.

import { EXIT, Failure } from './exit.ts'
import type { Run } from './service.ts'
import type { ClientSettings, ServerSettings } from './settings.ts'

/** Takes lanes, opens channels to what clients ask for, listens where they ask. */
export const runServer: Run<ServerSettings> = () => missing('server')

/** Keeps lanes up to a server, and forwards connections over them, both ways. */
export const runClient: Run<ClientSettings> = () => missing('client')

function missing(role: string): Promise<never> {
  const sentence = `the settings are right, but this version of striper has no ${role} in it`
  return Promise.reject(new Failure(EXIT.failed, sentence))
}
