// The options of `striper server` and `striper client`, and the settings they come to.

import { checkedPlaces, type LanePlace, parsePlace } from 'striper'
import { isPrivate } from './local.ts'
import { UsageError } from './exit.ts'
import { list, optional, preset, type Values } from './option.ts'
import { parseAllow, parseAllowListen } from './pure/allow.ts'
import { readSecurity, SECURITY_OPTIONS } from './security.ts'
import { maxOpenFiles, memoryToHave } from './limits.ts'
import type { ClientSettings, CommonSettings, ServerSettings } from './settings.ts'
import { socketPath } from './sockets.ts'
import { address, count, forward, keepAlive, oneOf, path, server, sizeFrom } from './values.ts'
import { MOST_LANES, name, someTime, time, timeFrom } from './values.ts'

const COMMON_OPTIONS = {
  ...SECURITY_OPTIONS,
  'server-name': optional('NAME', name, 'what the server calls itself; the same at both ends'),
  socket: optional('PATH', path, 'where striper status asks (one for each process, see status)'),
  window: preset(
    'SIZE',
    sizeFrom('512Ki', '1Gi'),
    '16Mi',
    'what may wait at this end of a session for its reader',
  ),
  'max-parcel': optional(
    'SIZE',
    sizeFrom('1Ki', '64Ki'),
    'the most bytes that one piece has (what suits the lanes); small ones cost more',
  ),
  'connect-timeout': preset('TIME', someTime, '15s', 'how long a connection may take to open'),
  'keep-alive': preset(
    'TIME',
    keepAlive,
    '60s',
    'how long a TCP connection may be silent before the system asks if its other end is there',
  ),
  'no-lane-timeout': preset('TIME', time, '60s', 'how long a session outlives its last lane'),
  'idle-timeout': preset('TIME', time, '1h', 'how long a channel may be silent'),
  'half-open-timeout': preset(
    'TIME',
    time,
    '5m',
    'the same, once one direction of it has ended; the shorter counts',
  ),
  'max-channels': preset('N', count(1, 16384), '4096', 'channels at once, of all sessions'),
}

export const SERVER_OPTIONS = {
  listen: list('ADDRESS', address, 'where lanes come in (:7000)'),
  allow: list('RULE', parseAllow, 'whom clients may reach from here (nobody)'),
  'allow-listen': list('RULE', parseAllowListen, 'where clients may have it listen (nowhere)'),
  ...COMMON_OPTIONS,
  'handshake-timeout': preset(
    'TIME',
    someTime,
    '10s',
    'how long a stranger has to prove who it is',
  ),
  penalty: preset(
    'TIME',
    timeFrom('1ms', '10m'),
    '5s',
    'what each offence adds to the time for which a stranger’s address is refused; off behind a load balancer',
  ),
  'max-sessions': preset('N', count(1, 100_000), '1000', 'sessions at once'),
  'max-lanes': preset('N', count(1, MOST_LANES), '32', 'lanes of one session'),
  'max-connections': optional(
    'N',
    count(1, 1_000_000),
    'connections at once (10000, or half of the files it may open)',
  ),
  memory: optional(
    'SIZE',
    sizeFrom('16Mi', '1T'),
    'what all clients together may have it hold for slow readers (half of the memory)',
  ),
}

export const CLIENT_OPTIONS = {
  server: list('ADDRESS', server, 'the server; several are addresses of one server'),
  forward: list('FORWARD', forward, 'connections taken here, made by the server', { short: 'L' }),
  reverse: list('FORWARD', forward, 'connections taken by the server, made here', { short: 'R' }),
  bind: list('PLACE', parsePlace, 'where to dial lanes from'),
  lanes: optional('N', count(1, MOST_LANES), 'so many lanes, from wherever the system likes (4)'),
  schedule: preset(
    'NAME',
    oneOf('soonest', 'round-robin', 'until-congested'),
    'soonest',
    'which lane gets the next piece: soonest, round-robin or until-congested',
  ),
  ...COMMON_OPTIONS,
}

const DEFAULT_LISTEN = ':7000'
const DEFAULT_LANES = 4

/** The settings of a server. Reads the keys. Throws a UsageError for what cannot be. */
export function serverSettings(
  values: Values<typeof SERVER_OPTIONS>,
  env: NodeJS.ProcessEnv,
): ServerSettings {
  const listen = values.listen.length > 0 ? values.listen : [address(DEFAULT_LISTEN)]
  const security = readSecurity(values, env, listen.every(isPrivate('listen')))
  return {
    role: 'server',
    listen,
    allow: values.allow,
    allowListen: values['allow-listen'],
    ...common(values, security, env, 'server'),
    handshakeTimeoutMs: values['handshake-timeout'],
    penaltyMs: values.penalty,
    maxSessions: values['max-sessions'],
    maxLanes: values['max-lanes'],
    maxConnections: values['max-connections'] ?? Math.min(10_000, maxOpenFiles() >> 1),
    memoryBytes: values.memory ?? Math.floor(memoryToHave() / 2),
  }
}

/** The settings of a client, the same way. */
export function clientSettings(
  values: Values<typeof CLIENT_OPTIONS>,
  env: NodeJS.ProcessEnv,
): ClientSettings {
  const { server, forward, reverse, bind, lanes } = values
  if (server.length === 0) throw new UsageError('--server says whom to connect to: HOST:PORT')
  if (forward.length + reverse.length === 0) {
    throw new UsageError('nothing to forward: -L PORT:HOST:PORT, or -R PORT:HOST:PORT')
  }
  if (bind.length > 0 && lanes !== undefined) {
    throw new UsageError('--lanes is for want of --bind; there it is --bind PLACE*N')
  }
  const places: readonly LanePlace[] =
    bind.length > 0 ? distinct(bind) : [{ from: '', count: lanes ?? DEFAULT_LANES }]
  const all = places.reduce((sum, place) => sum + place.count, 0)
  if (all > MOST_LANES) {
    throw new UsageError(`--bind asks for ${all} lanes in all, and there are ${MOST_LANES} at most`)
  }
  const security = readSecurity(values, env, server.every(isPrivate('connect')))
  if (security.by === 'key' && security.keys.length > 1) {
    throw new UsageError('--key-file is given twice; a client has one key')
  }
  const serverName = values['server-name'] ?? ''
  if (security.by === 'certificate' && serverName === '') {
    throw new UsageError('--server-name says whose certificate the server has to show')
  }
  return {
    role: 'client',
    servers: server,
    places,
    forwards: forward,
    reverses: reverse,
    schedule: values.schedule,
    ...common(values, security, env, 'client'),
  }
}

function distinct(bind: readonly LanePlace[]): readonly LanePlace[] {
  try {
    return checkedPlaces(bind)
  } catch (error) {
    throw new UsageError(`--bind: ${(error as Error).message}`, { cause: error })
  }
}

function common(
  values: Values<typeof COMMON_OPTIONS>,
  security: CommonSettings['security'],
  env: NodeJS.ProcessEnv,
  role: 'server' | 'client',
): CommonSettings {
  return {
    security,
    serverName: values['server-name'] ?? '',
    socket: values.socket ?? socketPath(role, env),
    windowBytes: values.window,
    maxParcelBytes: values['max-parcel'],
    keepAliveMs: values['keep-alive'],
    connectTimeoutMs: values['connect-timeout'],
    noLaneTimeoutMs: values['no-lane-timeout'],
    idleTimeoutMs: values['idle-timeout'],
    halfOpenTimeoutMs: values['half-open-timeout'],
    maxChannels: values['max-channels'],
  }
}
