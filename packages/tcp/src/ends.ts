// The two ends of a socket, as text.
//
// A net.Socket answers as well, but keeps each answer, of 100 bytes; and once it has closed it does
// not know its own end any more. So its handle is asked, once, and what it says is kept as text.

import type { Address } from '@striper/core'
import type { AddressInfo, Socket } from 'node:net'
import { formatAddress } from './address.ts'

type Ask = (answer: Partial<AddressInfo>) => unknown

interface Handle {
  readonly getsockname?: Ask
  readonly getpeername?: Ask
}

const handleOf = (socket: Socket) => (socket as unknown as { _handle?: Handle | null })._handle

/** Whether an open socket is a Unix socket, whose ends have no host and port. */
export function isUnix(socket: Socket): boolean {
  return !handleOf(socket)?.getpeername && socket.remoteAddress === undefined
}

/** The ends of an open socket; each is absent where the system does not tell: a Unix socket, the
 *  far end of what has been reset already. */
export function endsOf(socket: Socket): Address {
  const handle = handleOf(socket)
  if (!handle?.getsockname || !handle.getpeername) {
    const { localAddress, localPort, remoteAddress, remotePort } = socket
    return { local: text(localAddress, localPort), remote: text(remoteAddress, remotePort) }
  }
  const [local, remote]: [Partial<AddressInfo>, Partial<AddressInfo>] = [{}, {}]
  handle.getsockname(local)
  handle.getpeername(remote)
  return { local: text(local.address, local.port), remote: text(remote.address, remote.port) }
}

function text(host: string | undefined, port: number | undefined): string | undefined {
  return host === undefined || port === undefined ? undefined : formatAddress({ host, port })
}
