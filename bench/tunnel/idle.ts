// One end of a trunk with idle channels, for its memory: the heap with them less the heap before.
//
//   idle.ts server               says { port }, and { heap } for each line of stdin
//   idle.ts client PORT COUNT    opens so many; says { before }, then { heap } when all answered

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { net, parseSecret } from 'striper'
import { say } from '../lib/end.ts'

const LANES = 8
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const [role, file = '', port, count] = process.argv.slice(2)
const key = parseSecret(readFileSync(file, 'utf8'))
process.stdin.once('end', () => process.exit())
if (role === 'server') await serve()
else await hold()

async function heap(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collectGarbage()
    await new Promise(setImmediate)
  }
  return process.memoryUsage().heapUsed
}

async function serve(): Promise<void> {
  const server = net.createServer({ keys: key }, each =>
    each.on('data', bytes => each.write(bytes)),
  )
  await once(server.listen({ host: '127.0.0.1', port: 0 }), 'listening')
  say({ port: (server.address() as { port: number }).port })
  process.stdin.on('data', () => void heap().then(bytes => say({ heap: bytes })))
}

async function hold(): Promise<void> {
  const open = async () => {
    const options = { host: '127.0.0.1', port: Number(port), key, lanes: LANES }
    const channel = net.connect(options)
    channel.write('?')
    await once(channel, 'data')
    return channel
  }
  const kept = await Promise.all(Array.from({ length: 10 }, open)) // code is compiled, lanes are up
  say({ before: await heap() })
  await once(process.stdin, 'data')
  while (kept.length < Number(count)) {
    kept.push(...(await Promise.all(Array.from({ length: 100 }, open))))
  }
  say({ heap: await heap(), channels: kept.length })
}
