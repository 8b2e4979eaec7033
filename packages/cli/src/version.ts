// Which version this is, as package.json says.

import { readFileSync } from 'node:fs'

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string
}

/** The version of the command. */
export const VERSION: string = manifest.version
