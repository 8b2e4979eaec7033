// striper key: makes a secret, and says which one a file holds.

import type { Command } from '../command.ts'
import { UsageError } from '../exit.ts'
import { defaultKeyFile, readKey, writeKey } from '../key-file.ts'
import { flag } from '../option.ts'
import { newSecret } from '../secret.ts'

const OPTIONS = { overwrite: flag('with new: replace a key that is there') }

export const key: Command<typeof OPTIONS> = {
  name: 'key',
  summary: 'make the secret that lets clients in, or say which one a file holds',
  usage: ['key new [FILE] [--overwrite]', 'key id FILE'],
  text: `
A server and its clients share one secret. "key new" makes one and writes it to FILE, or to
~/.config/striper/key (in $XDG_CONFIG_HOME, if that is set), readable by you alone. It is never printed:
copy the file itself to the other end (scp -p), and keep its mode. A file that is there is left as it
is, unless you say --overwrite; whoever has the old key is then not let in any more.

"key id" prints the id of the key in a file (- is stdin): 16 hex digits, which are no secret. Two ends
with the same id have the same key.
`,
  options: OPTIONS,
  run(values, words, { out, env }) {
    const [verb, file, ...more] = words
    if (more.length > 0) throw new UsageError(`'${more[0]}' is one word too many`)
    if (verb === 'new') {
      const path = file ?? defaultKeyFile(env)
      const secret = newSecret()
      writeKey(path, secret, values.overwrite)
      out(path)
      out(`id ${secret.id}`)
      const option = file === undefined ? '' : ` --key-file ${quoted(path)}`
      out(`next: striper server --listen :7000 --allow 127.0.0.1:80${option}`)
    } else if (verb === 'id') {
      if (file === undefined) throw new UsageError('key id needs a FILE, or - for stdin')
      if (values.overwrite) throw new UsageError('--overwrite is for key new')
      out(readKey(file).id)
    } else {
      throw new UsageError(
        `key ${verb === undefined ? 'alone' : `'${verb}'`} is nothing: key new, key id`,
      )
    }
  },
}

/** As a shell takes it for one word. */
function quoted(path: string): string {
  return /^[\w./~-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}
