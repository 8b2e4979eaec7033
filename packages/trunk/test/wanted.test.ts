import { parsePlace } from '@striper/trunk'
import { describe, expect, test } from 'vitest'
import {
  type Interfaces,
  type LaneWay,
  type ServerNow,
  stillThere,
  wantedLanes,
} from '../src/pure/wanted.ts'

const on = (...addresses: string[]) => addresses.map(address => ({ address }))
const interfaces: Interfaces = {
  lo: on('127.0.0.1', '::1'),
  eth0: on('192.0.2.7', '192.0.2.8', 'fe80::7', 'fd00::7', 'fd00::8'),
  wlan0: on('198.51.100.9'),
  usb0: on('169.254.3.3', 'fe80::3'),
}
const server = (addresses: string[], port = 7000): ServerNow => {
  return { host: 'exit.example', port, addresses, why: 'resolving exit.example' }
}
const v4 = server(['203.0.113.1'])
const both = server(['2001:db8::1', '203.0.113.1'])

const written = ({ localAddress = '*', localPort, host, port }: LaneWay) =>
  `${localAddress}${localPort === undefined ? '' : `:${localPort}`} ${host} ${port}`

/** The lanes that are wanted: each key, and its ways in their order or why it has none. */
function planned(places: string[], servers: ServerNow[], now = interfaces) {
  const lanes = wantedLanes(
    places.map(text => parsePlace(text)),
    now,
    servers,
  )
  return lanes.map(({ key, ways, absent }) => [key, absent ?? ways.map(written)])
}

describe('lanes of a place', () => {
  test('the default place has as many as it says, each beginning with another address', () => {
    const [six, four] = ['* 2001:db8::1 7000', '* 203.0.113.1 7000']
    expect(planned(['*3'], [both])).toEqual([
      ['default#1', [six, four]],
      ['default#2', [four, six]],
      ['default#3', [six, four]],
    ])
  })

  test('a wildcard address is the default of one family', () => {
    expect(planned(['0.0.0.0', '::'], [both])).toEqual([
      ['0.0.0.0#1', ['* 203.0.113.1 7000']],
      ['::#1', ['* 2001:db8::1 7000']],
    ])
  })

  test('a port is of each of its ways, and of its name: an address may be several places', () => {
    expect(planned(['192.0.2.8:5000', '192.0.2.8:5001', '192.0.2.8'], [v4])).toEqual([
      ['192.0.2.8:5000#1', ['192.0.2.8:5000 203.0.113.1 7000']],
      ['192.0.2.8:5001#1', ['192.0.2.8:5001 203.0.113.1 7000']],
      ['192.0.2.8#1', ['192.0.2.8 203.0.113.1 7000']],
    ])
    expect(planned(['[fd00::8]:5000', '0.0.0.0:5000'], [both])).toEqual([
      ['[fd00::8]:5000#1', ['fd00::8:5000 2001:db8::1 7000']],
      ['0.0.0.0:5000#1', ['*:5000 203.0.113.1 7000']],
    ])
  })

  test('an address goes to its own family only', () => {
    expect(planned(['192.0.2.8', 'fd00::8'], [both])).toEqual([
      ['192.0.2.8#1', ['192.0.2.8 203.0.113.1 7000']],
      ['fd00::8#1', ['fd00::8 2001:db8::1 7000']],
    ])
  })

  test('an interface is its first usable address of each family', () => {
    const [four, six] = ['192.0.2.7 203.0.113.1 7000', 'fd00::7 2001:db8::1 7000']
    expect(planned(['eth0*2'], [both])).toEqual([
      ['eth0#1', [six, four]],
      ['eth0#2', [four, six]],
    ])
    expect(planned(['eth0'], [v4])).toEqual([['eth0#1', [four]]])
  })

  test('several servers are reached in turn, by their first addresses first', () => {
    const servers = [server(['203.0.113.1', '203.0.113.2']), server(['203.0.113.3'], 7001)]
    expect(planned(['wlan0*3'], servers).map(([key, ways]) => [key, ways![0]])).toEqual([
      ['wlan0#1', '198.51.100.9 203.0.113.1 7000'],
      ['wlan0#2', '198.51.100.9 203.0.113.3 7001'],
      ['wlan0#3', '198.51.100.9 203.0.113.2 7000'],
    ])
  })

  test('places with one lane each begin with different servers', () => {
    const servers = [v4, server(['203.0.113.2'])]
    const lanes = planned(['192.0.2.7', '192.0.2.8'], servers)
    expect(lanes.map(([, ways]) => ways![0])).toEqual([
      '192.0.2.7 203.0.113.1 7000',
      '192.0.2.8 203.0.113.2 7000',
    ])
  })

  test('any address of 127/8 is there, though only one is listed', () => {
    const local = server(['127.0.0.1'])
    expect(planned(['127.0.0.2'], [local])).toEqual([['127.0.0.2#1', ['127.0.0.2 127.0.0.1 7000']]])
  })
})

describe('lanes that cannot be dialled now stay in the list, and say why', () => {
  const absent: [string, string[], ServerNow[], string][] = [
    ['an address that the machine has not', ['192.0.2.99'], [v4], 'no such address now'],
    ['an interface that it has not', ['ppp0'], [v4], 'no such interface now'],
    ['one with link-local ones alone', ['usb0'], [v4], 'no usable address on it now'],
    [
      'an IPv6 address, and a server of IPv4',
      ['fd00::7'],
      [v4],
      'no server has an address of its family',
    ],
    [
      'an interface with IPv4 alone',
      ['wlan0'],
      [server(['2001:db8::1'])],
      'no server has an address of its family',
    ],
    ['a server that is not known yet', ['*1'], [server([])], 'resolving exit.example'],
    [
      'a server that is link-local',
      ['*1'],
      [server(['fe80::1'])],
      'no server has an address of its family',
    ],
  ]
  for (const [scene, places, servers, why] of absent) {
    test(scene, () => expect(planned(places, servers).map(([, what]) => what)).toEqual([why]))
  }

  test('a name that is not known does not keep lanes from another server', () => {
    expect(planned(['*1'], [server([]), v4])).toEqual([['default#1', ['* 203.0.113.1 7000']]])
  })

  test('the names of things that every object has are no interfaces', () => {
    expect(planned(['constructor', 'toString'], [v4])).toEqual([
      ['constructor#1', 'no such interface now'],
      ['toString#1', 'no such interface now'],
    ])
  })
})

test('an address is gone when it has left the interface that was named, or the machine', () => {
  const way = { localAddress: '192.0.2.7', host: '203.0.113.1', port: 7000 }
  const moved = { eth1: on('192.0.2.7') }
  const [byName, byAddress] = [parsePlace('eth0'), parsePlace('192.0.2.7')]
  expect(stillThere(byName, way, interfaces)).toBe(true)
  expect(stillThere(byName, way, moved)).toBe(false)
  expect(stillThere(byName, way, {})).toBe(false)
  expect(stillThere(byAddress, way, moved)).toBe(true)
  expect(stillThere(byAddress, way, {})).toBe(false)
  expect(stillThere(parsePlace('*1'), { host: '203.0.113.1', port: 7000 }, {})).toBe(true)
})

test('an address that is no longer the first of its interface is still there', () => {
  const newcomer = { eth0: on('192.0.2.200', '192.0.2.7') }
  const way = { localAddress: '192.0.2.7', host: '203.0.113.1', port: 7000 }
  expect(stillThere(parsePlace('eth0'), way, newcomer)).toBe(true)
})
