// plant: the core's source, copied and changed in one place.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { StripeCore } from '../../src/pure/core.ts'
import type { Mutant } from './mutants.ts'
import type { MakeCore } from './run.ts'

const here = dirname(fileURLToPath(import.meta.url))
const pure = join(here, '../../src/pure')

/** Copies of the core, each with its own bugs. Remove them when all is done. */
export class Plantation {
  // In the tree, or imports would not resolve.
  readonly #folder = mkdtempSync(join(here, '.mutants-'))
  #count = 0

  /** A core with all these changes; throws where one does not fit the source, once. */
  async plant(...changes: Omit<Mutant, 'name' | 'breaks'>[]): Promise<MakeCore> {
    const folder = join(this.#folder, String(this.#count++))
    cpSync(pure, folder, { recursive: true })
    for (const { file, find, replace } of changes) {
      const path = join(folder, file)
      const parts = readFileSync(path, 'utf8').split(find)
      if (parts.length !== 2) throw new Error(`${file} has '${find}' ${parts.length - 1} times`)
      writeFileSync(path, parts.join(replace))
    }
    const module = (await import(join(folder, 'core.ts'))) as { StripeCore: typeof StripeCore }
    return (options, now) => new module.StripeCore(options, now)
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
