// Where the time goes: V8's own CPU profile of a relay, added up by layer.
//
// A sample counts for the function that ran. What has no source of its own is Node's C++ (`writev`,
// `copy`) or V8's work (garbage collection), and is listed by name.

import { readdirSync, readFileSync } from 'node:fs'
import { SourceMap, type SourceMapPayload } from 'node:module'
import { join } from 'node:path'

interface CallFrame {
  functionName: string
  url: string
  lineNumber: number
  columnNumber: number
}

interface Profile {
  nodes: { id: number; callFrame: CallFrame }[]
  samples: number[]
  timeDeltas: number[]
}

/** Options for Node.js that write a profile into a folder. */
export function profileOptions(folder: string): readonly string[] {
  return ['--cpu-prof', '--cpu-prof-dir', folder]
}

/** Of each layer, and each function in it, the share of all time that was not idle, of all profiles
 *  in a folder. `programs` has the source maps. */
export function sharesOf(folder: string, programs: string): Map<string, Map<string, number>> {
  const payload = JSON.parse(readFileSync(join(programs, 'relay.cjs.map'), 'utf8')) as unknown
  const map = new SourceMap(payload as SourceMapPayload)
  const shares = new Map<string, Map<string, number>>()
  let total = 0
  for (const file of readdirSync(folder).filter(name => name.endsWith('.cpuprofile'))) {
    const profile = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile
    const nodes = new Map(profile.nodes.map(node => [node.id, node.callFrame]))
    for (const [index, id] of profile.samples.entries()) {
      const frame = nodes.get(id)!
      if (frame.functionName === '(idle)') continue
      const time = profile.timeDeltas[index]!
      total += time
      const layer = layerOf(frame, map)
      const functions = shares.get(layer) ?? new Map<string, number>()
      shares.set(layer, functions)
      functions.set(frame.functionName, (functions.get(frame.functionName) ?? 0) + time)
    }
  }
  for (const functions of shares.values()) {
    for (const [name, time] of functions) functions.set(name, time / total)
  }
  return shares
}

function layerOf({ functionName, url, lineNumber, columnNumber }: CallFrame, map: SourceMap) {
  if (url.startsWith('node:')) return 'node'
  if (url === '') return functionName.startsWith('(') ? functionName : 'C++'
  const entry = map.findEntry(lineNumber, columnNumber)
  const source = 'originalSource' in entry ? entry.originalSource : ''
  return (
    /packages\/(\w+)\/src/.exec(source)?.[1] ??
    /node_modules\/([\w-]+)/.exec(source)?.[1] ??
    'bench'
  )
}

/** Layers and the functions that take most of each, the largest first. */
export function toTable(shares: ReadonlyMap<string, ReadonlyMap<string, number>>): string[] {
  const largest = (entries: Iterable<readonly [string, number]>) =>
    [...entries].sort(([, a], [, b]) => b - a)
  const sums = [...shares].map(([layer, functions]) => {
    return [layer, [...functions.values()].reduce((sum, share) => sum + share, 0)] as const
  })
  const percent = (share: number) => `${(share * 100).toFixed(1).padStart(5)} %`
  return largest(sums).flatMap(([layer, sum]) => {
    const named = largest(shares.get(layer)!).filter(([, share]) => share >= 0.01)
    const most = named.slice(0, 6).map(([name, share]) => `${name} ${(share * 100).toFixed(1)}`)
    return `  ${layer.padEnd(20)} ${percent(sum)}   ${most.join(', ')}`.trimEnd()
  })
}
