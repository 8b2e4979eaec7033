// The layers of a lane, with the one that makes it secret as the settings say.

import { frame, type Layer, type MessagePipe, stack, tlsClient, tlsServer } from 'striper'
import type { BytePipe } from 'striper'
import type { ClientSettings, Security, ServerSettings } from '../settings.ts'

/** What stands on a lane's bytes, at the server. Throws for certificates that cannot be read. */
export function serverLayers(settings: ServerSettings): (bytes: BytePipe) => MessagePipe {
  const { security, serverName, handshakeTimeoutMs } = settings
  if (security.by === 'nothing') return bytes => stack(bytes, frame())
  const tls =
    security.by === 'key'
      ? tlsServer({ keys: security.keys, server: serverName, handshakeTimeoutMs })
      : tlsServer({ ...certificates(security), handshakeTimeoutMs })
  return bytes => stack(bytes, tls, frame())
}

/** The same at the client, on the greeting. */
export function clientLayers(
  settings: ClientSettings,
): (bytes: BytePipe, greeting: Layer) => MessagePipe {
  const { security, serverName } = settings
  if (security.by === 'nothing') return (bytes, greeting) => stack(bytes, greeting, frame())
  const tls =
    security.by === 'key'
      ? tlsClient({ key: security.keys[0]!, server: serverName })
      : tlsClient({ ...certificates(security), servername: serverName })
  return (bytes, greeting) => stack(bytes, greeting, tls, frame())
}

function certificates({ cert, certKey, ca }: Extract<Security, { by: 'certificate' }>) {
  return { cert, key: certKey, ca }
}
