// All rows of the tunnel.

import { CARRIES } from './carries.ts'
import { ENDURES } from './endures.ts'
import { HOLDS } from './holds.ts'
import type { TunnelRow } from './row.ts'
import { STRANGERS } from './strangers.ts'

export const ROWS: readonly TunnelRow[] = [...CARRIES, ...ENDURES, ...HOLDS, ...STRANGERS]
