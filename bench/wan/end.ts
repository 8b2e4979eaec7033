// One end of a measurement; the driver starts a pair of them for each contender.
//
//   end.ts send tcp|striper|round-robin HOST      listens at HOST and sends what it is asked for
//   end.ts receive tcp|striper|round-robin        holds the conversations that stdin asks for
//
// They speak JSON (ask.ts), and end when stdin does. With TRACE=ms in the environment the sender
// prints the state of its lanes on stderr, every so many ms.

import type { How } from './ask.ts'
import { receive } from './receive.ts'
import { send } from './send.ts'

const [role, how, host = '127.0.0.1'] = process.argv.slice(2)

process.stdin.once('end', () => process.exit())
if (role === 'send') await send(how as How, host)
else await receive(how as How)
