// shrink: the least of a scenario that still breaks the same promise. First the faults, by delta
// debugging (ddmin: Zeller and Hildebrandt, IEEE TSE 28(2), 2002); then paths, messages, rates and
// whatever else can be made plain, until nothing more can.

import type { Fault, Scenario } from './scenario.ts'

/** Whether a scenario still breaks what the first one broke. */
export type Fails = (scenario: Scenario) => boolean

const MOST_ROUNDS = 10

/** A scenario that fails as this one does, of which no single fault can be left out. */
export function shrink(scenario: Scenario, fails: Fails): Scenario {
  let least = scenario
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const before = JSON.stringify(least)
    least = { ...least, faults: ddmin(least.faults, faults => fails({ ...least, faults })) }
    least = withoutPaths(least, fails)
    for (const end of [0, 1] as const) least = withoutMessages(least, end, fails)
    for (const simpler of SIMPLER) least = simplified(least, simpler, fails)
    if (JSON.stringify(least) === before) break
  }
  return least
}

/** The least part of a list that fails, such that no item of it can be left out. */
export function ddmin<T>(
  items: readonly T[],
  fails: (items: readonly T[]) => boolean,
): readonly T[] {
  if (items.length > 0 && fails([])) return []
  let least = items
  for (let parts = 2; least.length > 1;) {
    const size = Math.ceil(least.length / parts)
    const starts = Array.from({ length: Math.ceil(least.length / size) }, (_, i) => i * size)
    const without = (from: number) => [...least.slice(0, from), ...least.slice(from + size)]
    const from = starts.find(start => fails(without(start)))
    if (from !== undefined) {
      least = without(from)
      parts = Math.max(parts - 1, 2)
    } else if (size > 1) parts = Math.min(parts * 2, least.length)
    else break
  }
  return least
}

/** Fewer paths: what happened on one that is gone is gone too, and the rest is numbered anew. */
function withoutPaths(scenario: Scenario, fails: Fails): Scenario {
  const indices = [...scenario.paths.keys()]
  const only = (kept: readonly number[]): Scenario => ({
    ...scenario,
    paths: kept.map(path => scenario.paths[path]!),
    faults: scenario.faults
      .filter(({ path }) => kept.includes(path))
      .map(fault => ({ ...fault, path: kept.indexOf(fault.path) })),
  })
  const kept = ddmin(indices, some => some.length > 0 && fails(only(some)))
  return only(kept)
}

function withoutMessages(scenario: Scenario, end: 0 | 1, fails: Fails): Scenario {
  const only = (sizes: readonly number[]) => withApp(scenario, end, { sizes })
  return only(ddmin(scenario.apps[end].sizes, sizes => fails(only(sizes))))
}

function withApp(scenario: Scenario, end: 0 | 1, change: Partial<Scenario['apps'][0]>): Scenario {
  const [one, other] = scenario.apps
  const apps = [one, other] as [typeof one, typeof other]
  apps[end] = { ...apps[end], ...change }
  return { ...scenario, apps }
}

/** Plainer scenarios, one step each; undefined where it is plain. */
type Simpler = (scenario: Scenario) => Scenario | undefined

function simplified(scenario: Scenario, simpler: Simpler, fails: Fails): Scenario {
  const next = simpler(scenario)
  return next && JSON.stringify(next) !== JSON.stringify(scenario) && fails(next) ? next : scenario
}

const everyPath = (change: Partial<Scenario['paths'][0]>): Simpler => {
  return scenario => ({ ...scenario, paths: scenario.paths.map(path => ({ ...path, ...change })) })
}
const everyFault = (change: (fault: Fault) => Partial<Fault>): Simpler => {
  return scenario => ({
    ...scenario,
    faults: scenario.faults.map(fault => ({ ...fault, ...change(fault) })),
  })
}
const everyApp = (change: (app: Scenario['apps'][0]) => Partial<Scenario['apps'][0]>): Simpler => {
  return scenario =>
    withApp(withApp(scenario, 0, change(scenario.apps[0])), 1, change(scenario.apps[1]))
}
const rounded = (value: number, to: number) => Math.floor(value / to) * to

const SIMPLER: readonly Simpler[] = [
  scenario => ({ ...scenario, redundant: false }),
  scenario => ({ ...scenario, schedule: 'soonest' }),
  scenario => ({ ...scenario, windowBytes: 512 * 1024 }),
  everyPath({ bytesPerMs: 4 }), // slow: a few messages are then under way for long
  everyPath({ delayMs: 64 }),
  everyPath({ bufferBytes: 64 * 1024 }),
  everyApp(() => ({ readFromMs: 0 })),
  everyApp(() => ({ readEveryMs: 0 })),
  everyApp(() => ({ writeEveryMs: 0 })),
  everyApp(({ sizes }) => ({ sizes: sizes.map(() => 0) })),
  everyApp(({ sizes }) => ({ sizes: sizes.map(size => Math.min(size, 1000)) })),
  everyApp(({ sizes }) => ({ sizes: sizes.map(size => size >> 1) })),
  everyFault(({ at }) => ({ at: at >> 1 })),
  everyFault(({ at }) => ({ at: rounded(at, 100) })),
  everyFault(({ at }) => ({ at: rounded(at, 10) })),
  everyFault(() => ({ ms: 100 })),
  everyFault(() => ({ end: 0 })),
  scenario => ({ ...scenario, healAt: rounded(scenario.healAt, 1000) }),
]

/** A scenario in few lines. */
export function printed(scenario: Scenario): string {
  const { paths, apps, faults, schedule, windowBytes, redundant, healAt } = scenario
  const lines = paths.map(
    ({ bytesPerMs, delayMs, bufferBytes }, path) =>
      `path ${path}: ${bytesPerMs} bytes a ms, ${delayMs} ms, buffer ${bufferBytes}`,
  )
  for (const [end, { sizes, writeEveryMs, readEveryMs, readFromMs }] of apps.entries()) {
    const bytes = sizes.reduce((sum, size) => sum + size, 0)
    const writes = `writes ${sizes.length} messages, ${bytes} bytes, every ${writeEveryMs} ms`
    lines.push(`end ${end} ${writes}; reads every ${readEveryMs} ms from ${readFromMs} on`)
  }
  lines.push(`${schedule}, window ${windowBytes}${redundant ? ', redundant' : ''}`)
  for (const { at, kind, path, end, ms } of faults) {
    lines.push(`at ${at} ms: ${kind}, path ${path}, end ${end}, for ${ms} ms`)
  }
  lines.push(`healed at ${healAt} ms`)
  return lines.map(line => `  ${line}`).join('\n')
}
