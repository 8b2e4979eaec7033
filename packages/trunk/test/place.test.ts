import { formatPlace, type LanePlace, parsePlace } from '@striper/trunk'
import { describe, expect, test } from 'vitest'
import { canonicalAddress } from '../src/pure/place.ts'

describe('what is right', () => {
  const right: [string, LanePlace][] = [
    ['192.0.2.7', { from: '192.0.2.7', count: 1 }],
    ['192.0.2.7*4', { from: '192.0.2.7', count: 4 }],
    ['fd00::7', { from: 'fd00::7', count: 1 }],
    ['FD00:0:0::7*2', { from: 'fd00::7', count: 2 }],
    ['[fd00::7]*2', { from: 'fd00::7', count: 2 }],
    ['192.0.2.7:5000', { from: '192.0.2.7', port: 5000, count: 1 }],
    ['192.0.2.7:65535*2,backup', { from: '192.0.2.7', port: 65_535, count: 2, backup: true }],
    ['[FD00::0:7]:5000', { from: 'fd00::7', port: 5000, count: 1 }],
    ['0.0.0.0:5000', { from: '0.0.0.0', port: 5000, count: 1 }],
    ['192.0.2.7:0', { from: '192.0.2.7', count: 1 }],
    ['[::]:0*3', { from: '::', count: 3 }],
    ['*8', { from: '', count: 8 }],
    ['0.0.0.0', { from: '0.0.0.0', count: 1 }],
    ['::*32', { from: '::', count: 32 }],
    ['eth0', { from: 'eth0', count: 1 }],
    ['eth0.100*3', { from: 'eth0.100', count: 3 }],
    ['eth0:1', { from: 'eth0:1', count: 1 }],
    ['vEthernet (Default Switch)', { from: 'vEthernet (Default Switch)', count: 1 }],
    ['eth0,weight=0.5', { from: 'eth0', count: 1, weight: 0.5 }],
    ['eth0,backup', { from: 'eth0', count: 1, backup: true }],
    ['eth0,budget=0', { from: 'eth0', count: 1, budgetBytes: 0 }],
    ['eth0,budget=1500', { from: 'eth0', count: 1, budgetBytes: 1500 }],
    [
      'wwan0*2,budget=5G,backup,weight=2',
      { from: 'wwan0', count: 2, budgetBytes: 5e9, backup: true, weight: 2 },
    ],
  ]
  for (const [text, place] of right) {
    test(`'${text}' is read, and what is written of it is read as the same`, () => {
      expect(parsePlace(text)).toEqual(place)
      expect(parsePlace(formatPlace(place))).toEqual(place)
    })
  }

  test('a budget has units of 1000 and of 1024', () => {
    const units = ['', 'k', 'M', 'G', 'T', 'Ki', 'Mi', 'Gi', 'Ti']
    expect(units.map(unit => parsePlace(`eth0,budget=1.5${unit}`).budgetBytes)).toEqual([
      ...[1, 1.5e3, 1.5e6, 1.5e9, 1.5e12],
      ...[1.5 * 2 ** 10, 1.5 * 2 ** 20, 1.5 * 2 ** 30, 1.5 * 2 ** 40],
    ])
  })
})

describe('what is wrong is a RangeError that quotes it and says what would be right', () => {
  const wrong: [string, RegExp][] = [
    ['', /names no address and no interface; for the default, write \*N/],
    [',backup', /names no address and no interface/],
    ['10.0.0.300', /'10.0.0.300' is not an IP address/],
    ['10.0.0', /'10.0.0' is not an IP address/],
    ['010.0.0.1', /'010.0.0.1' is not an IP address/],
    ['fd00::x', /'fd00::x' is not an IP address/],
    ['fd00:::7', /'fd00:::7' is not an IP address/],
    ['[eth0]', /'eth0' is not an IP address/],
    ['10.0.0.1:65536', /a port is 0\.\.65535, not 65536/],
    ['10.0.0.1:5000:1', /'10.0.0.1:5000:1' is not an IP address/],
    ['10.0.0.300:5000', /'10.0.0.300' is not an IP address/],
    ['[eth0]:5000', /'eth0' is not an IP address/],
    ['[fe80::1]:5000', /a link-local address reaches no server/],
    [':5000', /a port is of an address: 0\.0\.0\.0:5000, or \[::\]:5000/],
    ['fe80::1', /a link-local address reaches no server/],
    ['fe80::1%eth0', /a link-local address reaches no server/],
    ['169.254.1.1', /a link-local address reaches no server/],
    [' eth0', /' eth0' is neither an address nor the name of an interface/],
    ['eth0/24', /'eth0\/24' is neither an address nor the name/],
    ['eth0=2', /'eth0=2' is neither an address nor the name/],
    ['eth0*2*2', /'eth0\*2' is neither an address nor the name/],
    ['eth0\n', /is neither an address nor the name/],
    ['eth0*', /after \* comes a number of lanes, 1\.\.32, not ''/],
    ['eth0*0', /a number of lanes, 1\.\.32, not '0'/],
    ['eth0*33', /a number of lanes, 1\.\.32, not '33'/],
    ['eth0*-1', /a number of lanes, 1\.\.32, not '-1'/],
    ['eth0*1.5', /a number of lanes, 1\.\.32, not '1.5'/],
    ['eth0*two', /a number of lanes, 1\.\.32, not 'two'/],
    ['eth0,weight', /weight= is a number above 0, such as 0.5, not ''/],
    ['eth0,weight=0', /weight= is a number above 0, such as 0.5, not '0'/],
    ['eth0,weight=-1', /weight= is a number above 0, such as 0.5, not '-1'/],
    ['eth0,weight=1e3', /weight= is a number above 0/],
    ['eth0,weight=1.2.3', /weight= is a number above 0/],
    ['eth0,backup=yes', /'backup' has no value/],
    ['eth0,budget', /budget= is a number of bytes, with k M G T .* or none, not ''/],
    ['eth0,budget=-1', /budget= is a number of bytes, .* not '-1'/],
    ['eth0,budget=5g', /budget= is a number of bytes, .* not '5g'/],
    ['eth0,budget=5GB', /budget= is a number of bytes, .* not '5GB'/],
    ['eth0,budget=9007199254740992', /budget= is a number of bytes/],
    ['eth0,backup,backup', /says 'backup' twice/],
    ['eth0,wieght=2', /'wieght=2' is not weight=W, backup or budget=BYTES/],
    ['eth0,', /'' is not weight=W, backup or budget=BYTES/],
    ['eth0, backup', /' backup' is not weight=W, backup or budget=BYTES/],
    ['eth0,constructor', /'constructor' is not weight=W/],
  ]
  for (const [text, sentence] of wrong) {
    test(JSON.stringify(text), () => {
      const read = () => parsePlace(text)
      expect(read).toThrow(RangeError)
      expect(read).toThrow(sentence)
      expect(read).toThrow(`'${text}': `)
    })
  }
})

test('of an address there is one spelling, and of what is none, none', () => {
  const spellings = ['1.2.3.4', 'FD00::0:1', '::', '::ffff:1.2.3.4', '1.2.3', '::1%lo', 'x::1', '']
  expect(spellings.map(canonicalAddress)).toEqual([
    ...['1.2.3.4', 'fd00::1', '::', '::ffff:102:304'],
    ...[undefined, undefined, undefined, undefined],
  ])
})
