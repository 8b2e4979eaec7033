// What a server does for its clients: nothing but what a rule opens, by name and by address.

import { isIP } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mayConnect, mayListen, parseAllow, parseAllowListen } from '../src/pure/allow.ts'
import { parseIp, parseNetwork, SPECIAL, within } from '../src/pure/ip.ts'

const PUBLIC = '93.184.215.14'
const PUBLIC6 = '2606:2800:21f::1'

/** Whether `HOST:PORT` is opened by rules, where the name resolves to those addresses. */
function opened(rules: string[], target: string, addresses: string[] = []) {
  const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(target)!
  return mayConnect(rules.map(parseAllow), { host: host!, port: Number(port) }, addresses)
}

const YES: readonly [string[], string, string[]][] = [
  [['example.org:443'], 'example.org:443', [PUBLIC, PUBLIC6]],
  [['Example.ORG:443'], 'EXAMPLE.org.:443', [PUBLIC]],
  [['example.org:*'], 'example.org:8443', [PUBLIC]],
  [['example.org:25'], 'example.org:25', [PUBLIC]],
  [['93.184.215.14:80'], 'example.org:80', [PUBLIC]],
  [['93.184.0.0/16:80'], '93.184.215.14:80', []],
  [['0.0.0.0/0:80', '[::/0]:80'], 'example.org:80', [PUBLIC, PUBLIC6]],
  [['127.0.0.1:22'], '127.0.0.1:22', []],
  [['127.0.0.1:22'], '[::ffff:127.0.0.1]:22', []],
  [['127.0.0.1:22'], 'my.own.example:22', ['127.0.0.1']],
  [['10.0.0.0/8:22'], '10.9.8.7:22', []],
  [['10.1.0.0/16:22'], '10.1.8.7:22', []],
  [['[fd00::/8]:80'], '[fd00::7]:80', []],
  [['[fe80::1]:80'], '[fe80::1%eth0]:80', []],
  [['[64:ff9b::/96]:80'], '[64:ff9b::7f00:1]:80', []],
  [['localhost:5432'], 'localhost:5432', ['127.0.0.1', '::1']],
]

test.each(YES)('%j open %s, which is %j', (rules, target, addresses) => {
  const verdict = opened(rules, target, addresses)
  const [, literal] = /^\[?(.*?)\]?:\d+$/.exec(target)!
  const dial = addresses.length > 0 ? addresses : [literal]
  expect(verdict).toEqual({ allowed: true, dial }) // addresses, and never the name
})

const NO: readonly [string[], string, string[], RegExp][] = [
  [[], 'example.org:80', [PUBLIC], /no --allow names example.org:80/],
  [['example.org:443'], 'example.org:80', [PUBLIC], /no --allow names/],
  [['example.org:443'], 'example.com:443', [PUBLIC], /no --allow names/],
  [['example.org:443'], 'sub.example.org:443', [PUBLIC], /no --allow names/],
  [['example.org:443'], `${PUBLIC}:443`, [], /no --allow opens 93/],
  [['example.org:*'], 'example.org:25', [PUBLIC], /no --allow/],
  [['example.org:443'], 'example.org:443', [], /does not resolve/],
  // Private addresses, by surprise.
  [['example.org:443'], 'example.org:443', ['127.0.0.1'], /is 127.0.0.1, which no --allow opens/],
  [['example.org:443'], 'example.org:443', ['10.0.0.1'], /is 10.0.0.1/],
  [['example.org:443'], 'example.org:443', ['::ffff:10.0.0.1'], /is ::ffff:10.0.0.1/],
  [['0.0.0.0/0:*'], '127.0.0.1:22', [], /no --allow opens 127.0.0.1/],
  [['0.0.0.0/0:*'], '169.254.169.254:80', [], /no --allow opens/],
  [['[::/0]:*'], '[::1]:22', [], /no --allow opens/],
  [['[::/0]:*', '0.0.0.0/0:*'], '[64:ff9b::7f00:1]:22', [], /no --allow opens/],
  [['0.0.0.0/0:*', '10.0.0.0/8:22'], '10.0.0.1:23', [], /no --allow opens/],
  [['8.0.0.0/5:80'], '10.0.0.1:80', [], /no --allow opens/],
  [['localhost:22'], 'localhost:22', ['10.0.0.1'], /is 10.0.0.1/],
  [['localhost:22'], '127.0.0.1:22', [], /no --allow opens/],
  // Names that some resolver takes for an address.
  [['0.0.0.0/0:*'], '2130706433:22', ['127.0.0.1'], /is 127.0.0.1/],
  [['0.0.0.0/0:*'], '0177.0.0.1:22', ['127.0.0.1'], /is 127.0.0.1/],
  [['0.0.0.0/0:*'], '127.1:22', ['127.0.0.1'], /is 127.0.0.1/],
  // An answer of which only a part is allowed.
  [['example.org:80'], 'example.org:80', [PUBLIC, '127.0.0.1'], /is also 127.0.0.1/],
  [['0.0.0.0/0:80'], 'example.org:80', [PUBLIC, PUBLIC6], /is also 2606/],
  [['example.org:80'], 'example.org:80', [PUBLIC, 'nonsense'], /is also nonsense/],
]

test.each(NO)('%j do not open %s, which is %j', (rules, target, addresses, why) => {
  const verdict = opened(rules, target, addresses)
  expect(verdict).toMatchObject({ allowed: false, why: expect.stringMatching(why) as string })
})

test('no special address is opened by what is not wholly special, however it is written', () => {
  const wide = ['0.0.0.0/0:*', '[::/0]:*', '0.0.0.0/1:*', '128.0.0.0/1:*', '[::/3]:*'].map(
    parseAllow,
  )
  for (const network of SPECIAL) {
    const width = network.family === 4 ? 32 : 128
    const offset = fc.bigInt(0n, (1n << BigInt(width - network.bits)) - 1n)
    const check = fc.property(offset, by => {
      const host = text({ family: network.family, value: network.value + by })
      return !mayConnect(wide, { host, port: 80 }, []).allowed
    })
    fc.assert(check, { seed: 7, numRuns: 50 })
  }
})

/** An address in the longest of its spellings. */
function text({ family, value }: { family: 4 | 6; value: bigint }): string {
  const groups = family === 4 ? 4 : 8
  const bits = family === 4 ? 8n : 16n
  const parts = Array.from({ length: groups }, (_, i) => {
    const part = (value >> (bits * BigInt(groups - 1 - i))) & ((1n << bits) - 1n)
    return part.toString(family === 4 ? 10 : 16)
  })
  return parts.join(family === 4 ? '.' : ':')
}

const BAD_RULES: readonly [string, RegExp][] = [
  ['', /HOST:PORT/],
  ['example.org', /HOST:PORT/],
  [':80', /neither a name nor an address/],
  ['*:80', /neither a name nor an address/],
  ['*.example.org:80', /neither a name/],
  ['127.1:80', /neither a name/],
  ['0x7f000001:80', /neither a name/],
  ['300.1.1.1:80', /neither a name/],
  ['fd00::7:80', /HOST:PORT/],
  ['[127.0.0.1]:80', /HOST:PORT/],
  ['10.0.0.1/8:80', /bits set beyond its first 8/],
  ['10.0.0.0/33:80', /\/0 to \/32/],
  ['[::/129]:80', /\/0 to \/128/],
  ['[::ffff:10.0.0.0/95]:80', /\/96 to \/128/],
  ['a:0', /1..65535/],
  ['a:65536', /1..65535/],
  ['a:http', /HOST:PORT/],
]

test.each(BAD_RULES)('the rule %j is refused in a sentence', (rule, sentence) => {
  expect(() => parseAllow(rule)).toThrow(RangeError)
  expect(() => parseAllow(rule)).toThrow(sentence)
})

const listens = (rules: string[], host: string, port: number) =>
  mayListen(rules.map(parseAllowListen), { host, port }).allowed

test.each([
  [['8080'], '127.0.0.1', 8080, true],
  [['8080'], 'localhost', 8080, true],
  [['8080'], '::1', 8080, true],
  [['8080'], '', 8080, false],
  [['8080'], '0.0.0.0', 8080, false],
  [['8080'], '::', 8080, false],
  [['8080'], '192.0.2.7', 8080, false],
  [['8080'], '127.0.0.1', 8081, false],
  [['8080'], '127.0.0.1', 0, false],
  [['*'], '127.0.0.1', 0, true],
  [[':8080'], '', 8080, true],
  [[':8080'], '*', 8080, true],
  [[':8080'], '::', 8080, true],
  [[':8080'], '192.0.2.7', 8080, true],
  [['192.0.2.7:8080'], '192.0.2.7', 8080, true],
  [['192.0.2.7:8080'], '', 8080, false],
  [['192.0.2.0/24:*'], '192.0.2.9', 1, true],
  [['0.0.0.0/0:8080'], '0.0.0.0', 8080, false],
  [[':*'], 'example.org', 8080, false],
  [[], '127.0.0.1', 8080, false],
])('the listen rules %j, asked for %j port %d: %s', (rules, host, port, allowed) => {
  expect(listens(rules, host, port)).toBe(allowed)
})

test.each([
  ['example.org:80', /not an address; write one of the server's/],
  ['', /ADDRESS:PORT, localhost:PORT or :PORT/],
  ['0', /1..65535/],
  ['fd00::7:80', /ADDRESS:PORT/],
])('the listen rule %j is refused in a sentence', (rule, sentence) => {
  expect(() => parseAllowListen(rule)).toThrow(RangeError)
  expect(() => parseAllowListen(rule)).toThrow(sentence)
})

test('an address is one where Node says so, and nowhere else', () => {
  const texts = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.string({ unit: fc.constantFrom(...'0123456789abf:.'.split('')), maxLength: 24 }),
    fc.ipV4().map(v4 => `::ffff:${v4}`),
  )
  fc.assert(
    fc.property(texts, each => (parseIp(each) !== undefined) === isIP(each) > 0),
    { seed: 1, numRuns: 5000 },
  )
})

test.each(['0.0.0.0', '1.2.3.4', '::', '::1', '1::', 'a:b:c:d:e:f:1:2', '::1.2.3.4', '1:2::7:8'])(
  'the address %s is the same in its longest spelling',
  each => {
    const ip = parseIp(each)!
    expect(parseIp(text(ip))).toEqual(ip)
  },
)

test('an address is within a network by its first bits', () => {
  const network = parseNetwork('10.128.0.0/9')!
  expect(within(parseIp('10.128.0.0')!, network)).toBe(true)
  expect(within(parseIp('10.255.255.255')!, network)).toBe(true)
  expect(within(parseIp('10.127.255.255')!, network)).toBe(false)
  expect(within(parseNetwork('10.128.0.0/10')!, network)).toBe(true)
  expect(within(parseNetwork('10.128.0.0/9')!, network)).toBe(true)
  expect(within(parseNetwork('10.0.0.0/8')!, network)).toBe(false)
})
