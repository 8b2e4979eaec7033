// What a failure of a pipe means to somebody who did not write the program.

import type { PipeError } from 'striper'

const HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: ' (another program listens there)',
  EADDRNOTAVAIL: ' (not an address of this machine)',
  EAI_AGAIN: ' (the name server does not answer)',
  ENOTFOUND: ' (there is no such name)',
  EMFILE: ' (too many open files: ulimit -n)',
  EACCES: ' (the system does not allow it)',
}

/** The sentence of a failure, with a word on what the system's code means where that helps. */
export function explain(error: PipeError): string {
  const code = (error.cause as NodeJS.ErrnoException | undefined)?.code ?? ''
  return `${error.sentence}${HINTS[code] ?? ''}`
}
