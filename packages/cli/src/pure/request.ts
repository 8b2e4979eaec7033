// What one end of a tunnel asks of the other: the header of each channel.
//
//   version u8 = 1 │ what u8 │ forward u16 │ port u16 │ host, ASCII, 0 to 255 bytes
//
//   what       asked by   means
//   1 connect  client     connect to host:port, and be one conversation with it
//   2 listen   client     listen at host:port ('' is every address) for this forward, for as long
//                         as this channel is open; the answer on it is the port, u16
//   3 accepted server     somebody at host:port connected to what you had me listen at
//
// `forward` is a number that the client chooses for each of its listen requests; 0 in a connect.

const VERSION = 1
const WHATS = ['connect', 'listen', 'accepted'] as const
const HEAD_BYTES = 6
/** The longest host, in bytes. */
export const MAX_HOST_BYTES = 255

/** The header of a channel. */
export interface Request {
  readonly what: (typeof WHATS)[number]
  readonly forward: number
  readonly host: string
  readonly port: number
}

/** Whether a host can be said in a request: 1 to 255 printable characters of ASCII, no blanks. */
export function isHost(text: string): boolean {
  return text.length <= MAX_HOST_BYTES && /^[\x21-\x7e]+$/.test(text)
}

/** Throws a RangeError for a host that cannot be said. */
export function encodeRequest({ what, forward, host, port }: Request): Buffer {
  if (host !== '' && !isHost(host)) throw new RangeError(`'${host}' is not a host`)
  const head = Buffer.alloc(HEAD_BYTES)
  head[0] = VERSION
  head[1] = WHATS.indexOf(what) + 1
  head.writeUInt16BE(forward, 2)
  head.writeUInt16BE(port, 4)
  return Buffer.concat([head, Buffer.from(host, 'latin1')])
}

/** The reverse. Throws a RangeError that says what is wrong: the bytes are a stranger's. */
export function decodeRequest(header: Buffer): Request {
  const version = header[0]
  if (version !== VERSION) throw new RangeError(`it asks in version ${version}, not ${VERSION}`)
  const what = WHATS[(header[1] ?? 0) - 1]
  if (what === undefined || header.length < HEAD_BYTES) throw new RangeError('it asks for nothing')
  const host = header.toString('latin1', HEAD_BYTES)
  if (host === '' ? what === 'connect' : !isHost(host)) throw new RangeError('it names no host')
  const port = header.readUInt16BE(4)
  if (what === 'connect' && port === 0) throw new RangeError('it asks for port 0')
  return { what, forward: header.readUInt16BE(2), host, port }
}
