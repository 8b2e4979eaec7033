// What a server does for its clients: `--allow` says whom it connects to, `--allow-listen` where it
// listens. Without a rule, nothing.
//
// A target is judged by its name *and* by every address that the name resolves to, and what is
// dialled is one of those addresses and never the name again: a name that resolves to a harmless
// address now and to 127.0.0.1 a moment later (DNS rebinding) gets nowhere. Addresses that are not
// on the internet (this machine, private networks) are opened only by a rule for them: a rule for
// a name, or for all of 0.0.0.0/0, does not open them by surprise.

import { type Ip, LOOPBACK, type Network, parseIp, parseNetwork, SPECIAL, within } from './ip.ts'

/** One `--allow`: a name or a network, and a port or all of them. */
export interface AllowRule {
  /** As it was written. */
  readonly text: string
  readonly host: { readonly name: string } | { readonly network: Network }
  readonly port: number | '*'
}

/** One `--allow-listen`. `every` means all addresses of the server at once. */
export interface ListenRule {
  readonly text: string
  readonly host: 'every' | 'localhost' | Network
  readonly port: number | '*'
}

/** What comes of a request: the addresses to try, in order, or a sentence that says why not. */
export type Verdict = { readonly allowed: true; readonly dial: readonly string[] } | Refusal

/** A sentence that says why not. */
export interface Refusal {
  readonly allowed: false
  readonly why: string
}

/** The port that `*` does not open: an open mail relay is what a stranger looks for. */
const MAIL_PORT = 25

/**
 * Reads HOST:PORT, ADDRESS:PORT, NETWORK/BITS:PORT or the same in brackets for IPv6; PORT may be
 * `*`. Throws a RangeError that says what is wrong.
 */
export function parseAllow(text: string): AllowRule {
  const { host, port } = split(text, 'HOST:PORT, NETWORK/BITS:PORT or [V6]:PORT')
  const network = parseNetwork(host)
  if (network) return { text, host: { network }, port }
  const name = canonical(host)
  if (!isName(name)) throw new RangeError(`'${text}': '${host}' is neither a name nor an address`)
  return { text, host: { name }, port }
}

/** Reads ADDRESS:PORT, NETWORK/BITS:PORT, localhost:PORT, or :PORT for every address; PORT may be
 *  `*`. A PORT alone is of localhost. Throws a RangeError that says what is wrong. */
export function parseAllowListen(text: string): ListenRule {
  if (/^(\d+|\*)$/.test(text)) return { ...parseAllowListen(`localhost:${text}`), text }
  const { host, port } = split(text, 'ADDRESS:PORT, localhost:PORT or :PORT')
  if (host === '') return { text, host: 'every', port }
  if (canonical(host) === 'localhost') return { text, host: 'localhost', port }
  const network = parseNetwork(host)
  if (network) return { text, host: network, port }
  throw new RangeError(`'${text}': '${host}' is not an address; write one of the server's, or none`)
}

/**
 * Whether a client may reach `host` at `port`. `addresses`: all that the name resolves to, just now
 * (not looked at where the host is an address itself). Every one of them has to be allowed.
 */
export function mayConnect(
  rules: readonly AllowRule[],
  { host, port }: { host: string; port: number },
  addresses: readonly string[],
): Verdict {
  const literal = parseIp(host)
  const name = literal ? undefined : canonical(host)
  const open = rules.filter(rule => rule.port === port || (rule.port === '*' && port !== MAIL_PORT))
  if (literal) addresses = [host]
  if (addresses.length === 0) return no(`${host} does not resolve to an address`)
  const named = open.some(rule => 'name' in rule.host && rule.host.name === name)
  if (!literal && !named && !open.some(rule => 'network' in rule.host)) {
    return no(`no --allow names ${host}:${port}`)
  }
  const refused = addresses.filter(address => !isOpen(open, address, name, named))
  if (refused.length === 0) return { allowed: true, dial: addresses }
  if (literal) return no(`no --allow opens ${host} port ${port}`)
  const also = refused.length < addresses.length ? 'also ' : '' // a mixed answer is refused whole
  return no(`${host} is ${also}${refused[0]}, which no --allow opens at port ${port}`)
}

/** Whether a client may have the server listen at `host`, '' or `*` for every address. */
export function mayListen(
  rules: readonly ListenRule[],
  { host, port }: { host: string; port: number },
): { readonly allowed: true } | Refusal {
  const ip = parseIp(host)
  const every = host === '' || host === '*' || ip?.value === 0n
  const local = canonical(host) === 'localhost'
  if (!every && !local && !ip) return no(`'${host}' is not an address to listen at`)
  const allowed = rules.some(rule => {
    if (rule.port !== '*' && rule.port !== port) return false
    if (rule.host === 'every' || every) return rule.host === 'every'
    const loopback = local || LOOPBACK.some(network => within(ip!, network))
    if (rule.host === 'localhost') return loopback
    return ip !== undefined && within(ip, rule.host)
  })
  const where = every ? `every address, port ${port}` : `${host}, port ${port}`
  return allowed ? { allowed } : no(`no --allow-listen opens ${where}`)
}

/** Whether one address is opened: by a rule for it, or by the name it was reached by. */
function isOpen(
  rules: readonly AllowRule[],
  address: string,
  name: string | undefined,
  named: boolean,
): boolean {
  const ip = parseIp(address)
  if (!ip) return false
  const special = SPECIAL.find(network => within(ip, network))
  if (named && !special) return true
  if (named && name === 'localhost' && LOOPBACK.some(network => within(ip, network))) return true
  return rules.some(({ host }) => 'network' in host && opens(host.network, ip, special))
}

/** A network opens what is in it; what is special, only if it is wholly of that kind itself. */
function opens(network: Network, ip: Ip, special: Network | undefined): boolean {
  return within(ip, network) && (special === undefined || within(network, special))
}

function no(why: string): Refusal {
  return { allowed: false, why }
}

/** A name as it is compared: lower case, and without the dot of the root. */
function canonical(name: string): string {
  return name.toLowerCase().replace(/\.$/, '')
}

/** Letters, digits, hyphens; and not what some resolver would take for an IPv4 address. */
function isName(name: string): boolean {
  if (name.length > 253 || !/^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/.test(name)) return false
  return !/^(\d+|0x[0-9a-f]*)$/.test(name.split('.').at(-1)!)
}

function split(text: string, right: string): { host: string; port: number | '*' } {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:[\]]*)):(?<port>\d{1,5}|\*)$/.exec(text)
  const { v6, host, port } = match?.groups ?? {}
  if (port === undefined || (v6 !== undefined && !v6.includes(':'))) {
    throw new RangeError(`'${text}' is no rule: write ${right}`)
  }
  if (port !== '*' && (Number(port) < 1 || Number(port) > 65535)) {
    throw new RangeError(`'${text}': a port is 1..65535, or *`)
  }
  return { host: v6 ?? host!, port: port === '*' ? '*' : Number(port) }
}
