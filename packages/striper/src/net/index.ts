// net: servers and connections in the shape of Node's `net`, each connection a channel of a trunk.
//
//   net.connect() ──┐                                               ┌── 'connection'
//   net.connect() ──┼─ mux ─ trunk ══ lanes, with tls ══ gather ─ mux ┼── 'connection'
//   net.connect() ──┘                                               └── 'connection'
//
// Read server.ts, then connect.ts and shared.ts.

export { createServer, Server, type ListenAddress, type ServerOptions } from './server.ts'
export { connect, createConnection, type ConnectOptions, type Connection } from './connect.ts'
