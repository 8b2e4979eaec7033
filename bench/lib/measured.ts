// Runs an example as it is, and tells what it holds whenever it gets SIGUSR2: one line on stdout,
// `holds 1 {…}`, numbered, after a garbage collection. look.ts asks.
//
//   measured.ts relay --listen 127.0.0.1:0 …

import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { readStats } from 'striper'

/** What a process holds. */
export interface Holdings {
  /** Descriptors that are open. */
  descriptors: number
  heapBytes: number
  /** What is in memory of it: all that, what OpenSSL holds, and what was free again since. */
  residentBytes: number
  /** What is in memory of it outside V8's heap: what libraries hold, and Buffers. */
  nativeBytes: number
  /** Chunks of recycled memory that somebody has. */
  lentChunks: number
  /** What keeps the process alive, by kind: sockets, timers. */
  resources: Record<string, number>
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function holdings(): Holdings {
  collectGarbage()
  const resources: Record<string, number> = {}
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1
  const descriptors = readdirSync('/proc/self/fd').length
  const { heapUsed: heapBytes, rss: residentBytes } = process.memoryUsage()
  const nativeBytes = residentBytes - getHeapStatistics().total_physical_size
  const { lentChunks } = readStats()
  return { descriptors, heapBytes, residentBytes, nativeBytes, lentChunks, resources }
}

let count = 0
process.on('SIGUSR2', () => {
  // Twice, with a turn between: what a first collection finalizes a second one frees.
  collectGarbage()
  setImmediate(() => console.log(`holds ${++count} ${JSON.stringify(holdings())}`))
})

const [, , name] = process.argv
const file = new URL(`../../examples/${name}.ts`, import.meta.url)
process.argv.splice(1, 2, fileURLToPath(file))
await import(file.href)
