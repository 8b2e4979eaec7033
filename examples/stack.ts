// A layer of one's own between two of ours: frame over crc over tcp, both ends in this process.
//
// `crc` cuts the bytes into blocks and puts a checksum in front of each. It is a codec, some thirty
// lines that know nothing of streams; `layer()` makes a pipe of it, with opening, half-close,
// backpressure and failure as the contract wants them. TCP's own 16-bit sum lets one damaged
// segment in some 65,000 pass.

import { crc32 } from 'node:zlib'
import {
  addressOf,
  ByteQueue,
  type Codec,
  connect,
  describe,
  frame,
  layer,
  listen,
  type Message,
  PipeError,
  pieces,
  stack,
  whole,
} from 'striper'
import { command, numberOption } from './lib/command.ts'

const HELP = `
stack [--damage BYTE]

Sends three messages through frame(crc(tap(tcp))) over the loopback, where crc is a layer that this
program brings along, and tap one that prints what is on the wire. Then prints both stacks.

  --damage BYTE  flip a bit of this byte of what the server gets, 0 being the first: the server's
                 stack fails with ERR_PIPE_PROTOCOL, and the client's with ERR_PIPE_RESET
  --help         this text

  npm run stack -- --damage 20
`

const HEADER_BYTES = 8 // the length and the CRC-32 of a block, both big-endian
const MAX_BLOCK_BYTES = 64 * 1024

/** Bytes in blocks that prove themselves. */
class CrcCodec implements Codec {
  readonly #queue = new ByteQueue()

  encode(bytes: Message): readonly Buffer[] {
    const chunks: Buffer[] = []
    for (const piece of pieces(bytes)) {
      for (let at = 0; at < piece.length; at += MAX_BLOCK_BYTES) {
        const block = piece.subarray(at, at + MAX_BLOCK_BYTES)
        const header = Buffer.alloc(HEADER_BYTES)
        header.writeUInt32BE(block.length, 0)
        header.writeUInt32BE(crc32(block), 4)
        chunks.push(header, block)
      }
    }
    return chunks
  }

  decode(chunk: Buffer, give: (bytes: Buffer) => void): void {
    const queue = this.#queue
    queue.push(chunk)
    while (queue.length >= HEADER_BYTES) {
      const header = queue.peek(HEADER_BYTES)
      const length = header.readUInt32BE(0)
      // A length is damaged as easily as the rest: without a bound it could make us wait for
      // gigabytes.
      if (length > MAX_BLOCK_BYTES) throw new PipeError('ERR_PIPE_PROTOCOL', 'damaged length')
      if (queue.length < HEADER_BYTES + length) return
      const sum = queue.take(HEADER_BYTES).readUInt32BE(4)
      const block = queue.take(length)
      if (crc32(block) !== sum) throw new PipeError('ERR_PIPE_PROTOCOL', 'damaged block')
      give(block)
    }
  }

  finish(): void {
    if (this.#queue.length > 0) throw new PipeError('ERR_PIPE_TRUNCATED', 'ended inside a block')
  }
}

const crc = () => layer('crc', () => new CrcCodec())

/** Prints what passes, and flips a bit of byte `damage` of what comes up, if there is one. */
function tap(who: string, damage = -1) {
  let position = 0
  const print = (arrow: string, bytes: Buffer) =>
    console.log(`${who} ${arrow} ${bytes.toString('hex').replace(/.{8}/g, '$& ')}`)
  return layer('tap', () => ({
    encode: bytes => {
      print('sends', whole(bytes))
      return pieces(bytes)
    },
    decode: (chunk, give) => {
      const at = damage - position
      position += chunk.length
      if (at >= 0 && at < chunk.length) chunk[at]! ^= 1
      print('gets ', chunk)
      give(chunk)
    },
    finish: () => undefined,
  }))
}

await command(HELP, { damage: { type: 'string' } }, async options => {
  const text = options.damage
  const damage = text === undefined ? undefined : numberOption('damage', text, 0, 1_000_000)

  const server = await listen({ host: '127.0.0.1', port: 0 }, tcp => {
    const pipe = stack(tcp, tap('server', damage), crc(), frame())
    pipe.on('data', (message: Buffer) => console.log(`server reads '${message.toString()}'`))
    pipe.on('end', () => pipe.end(Buffer.from('thank you')))
    pipe.on('error', error => console.log(`server fails: ${error.message}`))
    pipe.on('close', () => console.log(`\nserver's stack:\n${describe(pipe)}`))
  })

  const tcp = connect({ host: '127.0.0.1', port: server.port })
  const pipe = stack(tcp, tap('client'), crc(), frame())
  for (const message of ['one', '', 'three']) pipe.write(Buffer.from(message))
  pipe.end()
  pipe.on('data', (message: Buffer) => console.log(`client reads '${message.toString()}'`))
  pipe.on('error', error => console.log(`client fails: ${error.message}`))
  await new Promise<void>(closed => pipe.once('close', closed))

  const { local, remote } = addressOf(pipe) ?? {}
  console.log(`\nclient's stack, from ${local} to ${remote}:\n${describe(pipe)}`)
  await server.close()
})
