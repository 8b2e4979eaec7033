// The network of those who have the lab: its links, with kernel MPTCP over them where there is any.

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { Lab, ON_CLIENT_SIDE, ON_SERVER_SIDE, onPath } from '../lib/lab.ts'
import type { Where } from './ends.ts'
import type { Field, Network } from './network.ts'
import type { Contender } from './rows.ts'

const MPTCP_SWITCH = '/proc/sys/net/mptcp/enabled'

export class Namespaces implements Network {
  readonly #lab = new Lab()
  readonly #noMptcp = mptcpObstacle()

  get title(): string {
    return this.#lab.title
  }

  refuses(): undefined {
    return undefined
  }

  lacks(contender: Contender): string | undefined {
    return contender === 'mptcp' ? this.#noMptcp : undefined
  }

  async open(links: readonly string[]): Promise<Field> {
    const standing = await this.#lab.open(links)
    if (this.#noMptcp === undefined) addSubflows(links.length)
    return { ...standing, where }
  }
}

function where(contender: Contender): Where {
  const program = contender === 'mptcp' ? ['mptcpize', 'run'] : []
  return {
    sender: [...ON_SERVER_SIDE, ...program],
    receiver: [...ON_CLIENT_SIDE, ...program],
    host: '0.0.0.0',
  }
}

/** Lets MPTCP have a subflow on each link; the first is the connection itself. */
function addSubflows(count: number): void {
  for (const name of ['wan-c', 'wan-s']) {
    const limits = ['limits', 'set', 'subflow', '8', 'add_addr_accepted', '8']
    execFileSync('ip', ['-n', name, 'mptcp', ...limits])
  }
  for (let link = 1; link < count; link++) {
    const endpoint = ['endpoint', 'add', `10.77.${link}.1`, 'dev', `w${link}`, 'subflow']
    execFileSync('ip', ['-n', 'wan-c', 'mptcp', ...endpoint])
  }
}

function mptcpObstacle(): string | undefined {
  if (!existsSync(MPTCP_SWITCH)) return 'not in this kernel'
  if (readFileSync(MPTCP_SWITCH, 'utf8').trim() !== '1') return 'net.mptcp.enabled is 0'
  if (!onPath('mptcpize')) return 'no mptcpize'
  return undefined
}
