// What every bench does around its rows: its arguments, what it says of the machine, and its end.

import { cpus } from 'node:os'
import { UsageError } from '../../examples/lib/command.ts'

/** Of all rows those that were named, or all where none was. Throws a UsageError for a name that is
 *  none. */
export function rowsNamed<R extends { name: string }>(all: readonly R[], names: readonly string[]) {
  const unknown = names.find(name => !all.some(row => row.name === name))
  if (unknown !== undefined)
    throw new UsageError(`no row '${unknown}'; --list says which there are`)
  return names.length > 0 ? all.filter(({ name }) => names.includes(name)) : all
}

/** Those of `all` that a list with commas names, as `--without` has them. Throws a UsageError for a
 *  name that is none, and for `ours`, which is always there. */
export function peersIn<N extends string>(list: string, all: readonly N[], ours: N): N[] {
  const names = list.split(',').filter(name => name !== '') as N[]
  const wrong = names.find(name => name === ours || !all.includes(name))
  if (wrong !== undefined) throw new UsageError(`--without: '${wrong}' is not one of the peers`)
  return names
}

/** What stands above the figures: the command that gave them, when and where. */
export function headingOf(bench: string, args: readonly string[]): string[] {
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ')
  const cores = cpus()
  const machine = `${cores.length} × ${cores[0]?.model ?? 'unknown'}`
  return [
    ['npm run bench --', bench, ...args].join(' '),
    `${date} UTC, node ${process.versions.node}, ${machine}`,
  ]
}

/** What runs beside us ends with us, also where a signal ends us. */
export function endOnSignal(): void {
  process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))
}
