// What is downloaded, and how: a server of bytes as good as random, and a client with a clock.

import { connect, listen, parseAddress, type TcpServer } from 'striper'
import { content, receive, send } from '../lib/content.ts'

/** Gives the file to whoever connects. */
export function serve(bytes: number): Promise<TcpServer> {
  return listen({ host: '127.0.0.1', port: 0 }, client => {
    client.resume() // to its end: nothing is expected
    void send(content(bytes), client)
  })
}

export interface Download {
  /** From connecting to the last byte. */
  readonly seconds: number
  readonly sha256: string
}

/** Downloads until the end, and tells how many bytes it has as they come. Rejects where it
 *  fails. */
export async function download(
  address: string,
  onBytes: (bytes: number) => void,
): Promise<Download> {
  const started = performance.now()
  const pipe = connect(parseAddress(address))
  const sha256 = await receive(pipe, onBytes)
  const seconds = (performance.now() - started) / 1000
  pipe.end()
  return { seconds, sha256 }
}
