// The config.json of mtcp, which both its ends read: `node local.js` and `node server.js`.
//
//   app ──▶ local.js at local_port ══ somaxconn sockets ══▶ server.js at host:host_port
//                                                               ──▶ 127.0.0.1:remote_port

import { MOST_LANES } from '../values.ts'
import { ConfigDocument } from './document.ts'
import { Source } from './source.ts'

/** The same as a configuration of ours, for one of the two ends. Throws a UsageError. */
export function fromMtcp(name: string, value: unknown, role: 'server' | 'client'): string {
  const source = new Source(name, value, { ignoreCase: false })
  const document = new ConfigDocument()
  const host = source.text('host')
  const hostPort = source.port('host_port')
  const remotePort = source.port('remote_port')
  const localPort = source.port('local_port')
  const sockets = source.count('somaxconn')
  const target = `127.0.0.1:${remotePort}`

  document.note(`From ${name} of mtcp; for the other end: --role ${other(role)}.`)
  document.note('mtcp lets in whoever connects. Here both ends need one key: striper key new.')
  if (role === 'server') {
    document.list('listen', [`:${hostPort}`])
    document.list('allow', [target])
  } else {
    document.list('server', [`${host.includes(':') ? `[${host}]` : host}:${hostPort}`])
    document.note(`mtcp listens at every address; for that, write "*:${localPort}:${target}".`)
    document.list('forward', [`${localPort}:${target}`])
    if (sockets !== undefined) {
      document.note('somaxconn was sockets for each connection; lanes are shared by all of them.')
      if (sockets > MOST_LANES) document.note(`It was ${sockets}; there are ${MOST_LANES} at most.`)
      document.set('lanes', Math.min(sockets, MOST_LANES))
    }
  }
  for (const key of source.rest) document.note(`${key}: not a key of mtcp; left out.`)
  return document.toString()
}

function other(role: 'server' | 'client'): string {
  return role === 'server' ? 'client' : 'server'
}
