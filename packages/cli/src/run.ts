// The running server and client, behind one function each: tunnel/ has them.

export { runClient } from './tunnel/client.ts'
export { runServer } from './tunnel/server.ts'
