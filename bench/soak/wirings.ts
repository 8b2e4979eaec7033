// The wirings that conversations go through in a soak: examples, as they are, each measured.
//
//   relay                    bridge(tcp, tcp)
//   proxy     entry ══ exit  a striping pair, four plain lanes for each conversation
//   tunnel    client ══ server   four TLS lanes, shared by all

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Program } from '../../examples/lib/program.ts'

/** The programs of a wiring, and where the first of them listens. */
export interface Wiring {
  readonly programs: readonly Program[]
  readonly address: string
}

const ANYWHERE = '127.0.0.1:0'
const measured = (name: string, ...args: string[]) =>
  new Program('../bench/lib/measured', name, ...args)

/** Each starts its programs before a target. */
export const WIRINGS: Readonly<Record<string, (target: string) => Promise<Wiring>>> = {
  relay: async target => {
    const relay = measured('relay', '--listen', ANYWHERE, '--to', target)
    return { programs: [relay], address: await relay.address() }
  },
  proxy: async target => {
    const role = (name: string, to: string) =>
      measured('striping-proxy', '--role', name, '--listen', ANYWHERE, '--to', to)
    const exit = role('exit', target)
    const entry = role('entry', await exit.address())
    return { programs: [entry, exit], address: await entry.address() }
  },
  tunnel: async target => {
    const folder = mkdtempSync(join(tmpdir(), 'striper-soak-'))
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
    const key = ['--key', join(folder, 'tunnel.key')]
    await new Program('tunnel', '--role', 'key', ...key).exit
    const role = (name: string, ...args: string[]) =>
      measured('tunnel', '--role', name, ...key, ...args)
    const server = role('server', '--listen', ANYWHERE, '--allow', target)
    const client = role('client', '--to', await server.address(), '-L', `0:${target}`)
    return { programs: [client, server], address: await client.address() }
  },
}
