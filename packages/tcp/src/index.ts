// @striper/tcp: sockets as byte pipes. Read tcp.ts first.

export { connect, fromSocket, type ConnectOptions, type TcpPipe } from './tcp.ts'
export { listen, type ListenOptions, type TcpServer } from './listen.ts'
export type { SocketOptions } from './options.ts'
export { formatAddress, parseAddress, type SocketAddress } from './address.ts'
export { readStats, type ReadStats } from './reader.ts'
