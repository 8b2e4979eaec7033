// striper convert: the configuration of another program as one of ours.

import { basename } from 'node:path'
import type { Command } from '../command.ts'
import { fromMtcp } from '../convert/mtcp.ts'
import { fromNeo } from '../convert/neo.ts'
import { readJson } from '../convert/source.ts'
import { UsageError } from '../exit.ts'
import { flag, preset } from '../option.ts'
import { didYouMean } from '../pure/nearest.ts'
import { oneOf } from '../values.ts'

const OPTIONS = {
  role: preset('ROLE', oneOf('client', 'server'), 'client', 'for which end: client or server'),
  swap: flag('neo: it ran with -S, and the server listens for applications'),
}

export const convert: Command<typeof OPTIONS> = {
  name: 'convert',
  summary: 'the configuration of mtcp or NEO-181 as one of striper',
  usage: ['convert mtcp FILE [--role ROLE]', 'convert neo FILE [--role ROLE] [--swap]'],
  text: `
Reads the config.json of mtcp, or the configuration of NEO-181 (expert-potato), and prints what does the
same here, as YAML for --config. Both ends of theirs read one file; --role says for which end ours is.
What has no counterpart is a comment that says why. Passwords are not taken over: striper makes a key.

  striper convert mtcp config.json > client.yaml
  striper convert mtcp config.json --role server > server.yaml
  striper client --config client.yaml
`,
  options: OPTIONS,
  run({ role, swap }, words, { out }) {
    const [from, file, ...more] = words
    if (from !== 'mtcp' && from !== 'neo') {
      const better = didYouMean(from ?? '', ['mtcp', 'neo'])
      throw new UsageError(`convert reads mtcp or neo, and not '${from ?? ''}'${better}`)
    }
    if (file === undefined) throw new UsageError(`convert ${from} needs a FILE`)
    if (more.length > 0) throw new UsageError(`'${more[0]}' is one word too many`)
    if (from === 'mtcp' && swap) throw new UsageError('--swap is for neo')
    const [name, value] = [basename(file), readJson(file)]
    out(from === 'mtcp' ? fromMtcp(name, value, role) : fromNeo(name, value, role, swap))
  },
}
