// What this process may have, of the system's.

import { totalmem } from 'node:os'

/** The memory that it may have, in bytes: the machine's, or less where it is confined (cgroups). */
export function memoryToHave(): number {
  const confined = process.constrainedMemory() // 0, or more than there is, where it is not
  return confined > 0 ? Math.min(confined, totalmem()) : totalmem()
}

/** How many files and sockets it may have open; what the smallest of systems allow where the
 *  system does not say. */
export function maxOpenFiles(): number {
  const report = process.report as typeof process.report & { excludeNetwork?: boolean }
  report.excludeNetwork = true // or it looks up the names of all peers
  const { userLimits } = report.getReport() as {
    userLimits?: { open_files?: { soft?: number | string } }
  }
  const soft = userLimits?.open_files?.soft
  if (soft === 'unlimited') return Number.MAX_SAFE_INTEGER
  return typeof soft === 'number' ? soft : 256
}
