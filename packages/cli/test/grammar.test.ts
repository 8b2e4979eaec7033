// What users write: each form that is right with its value, each that is wrong with its sentence.

import { expect, test } from 'vitest'
import {
  count,
  destination,
  forward,
  keepAlive,
  server,
  size,
  sizeFrom,
  someTime,
  time,
  timeFrom,
} from '../src/values.ts'

type Table = readonly (readonly [string, unknown])[]

function right(name: string, read: (text: string) => unknown, table: Table): void {
  test.each(table)(`${name} %j`, (text, value) => expect(read(text)).toEqual(value))
}

/** The sentence has what was written, and says this. */
function wrong(name: string, read: (text: string) => unknown, table: readonly [string, RegExp][]) {
  test.each(table)(`${name} %j is refused in a sentence`, (text, sentence) => {
    expect(() => read(text)).toThrow(RangeError)
    expect(() => read(text)).toThrow(sentence)
    expect(() => read(text)).toThrow(`'${text}'`)
  })
}

const to = (listen: string, port: number, host: string, at: number) => ({
  listen: { host: listen, port },
  target: { host, port: at },
})

right('forward', forward, [
  ['8080:example.org:80', to('127.0.0.1', 8080, 'example.org', 80)],
  ['0:b:1', to('127.0.0.1', 0, 'b', 1)],
  ['192.0.2.7:8080:b:65535', to('192.0.2.7', 8080, 'b', 65535)],
  ['*:8080:b:80', to('', 8080, 'b', 80)],
  [':8080:b:80', to('', 8080, 'b', 80)],
  ['localhost:8080:b:80', to('localhost', 8080, 'b', 80)],
  ['[::1]:8080:[fd00::7]:80', to('::1', 8080, 'fd00::7', 80)],
])

wrong('forward', forward, [
  ['', /\[BIND:\]PORT:HOST:PORT/],
  ['8080', /\[BIND:\]PORT:HOST:PORT/],
  ['8080:80', /\[BIND:\]PORT:HOST:PORT/],
  ['8080::80', /\[BIND:\]PORT:HOST:PORT/],
  ['a:b:c:d:e', /\[BIND:\]PORT:HOST:PORT/],
  ['::1:8080:b:80', /\[BIND:\]PORT:HOST:PORT/],
  ['65536:b:80', /at most 65535/],
  ['8080:b:65536', /at most 65535/],
  ['8080:b:0', /port 0/],
  ['eth0:8080:b:80', /'eth0' is not an address/],
  ['8080:[nonsense]:80', /'nonsense' is not an IPv6/],
  ['[127.0.0.1]:8080:b:80', /'127.0.0.1' is not an IPv6/],
])

right('time', time, [
  ['off', 0],
  ['1ms', 1],
  ['250ms', 250],
  ['1.5s', 1500],
  ['5m', 300_000],
  ['596h', 596 * 3_600_000],
])

wrong('time', time, [
  ['30', /250ms, 30s, 5m, 1h, or off/],
  ['', /or off/],
  ['-1s', /or off/],
  ['1d', /or off/],
  ['0s', /1ms to 596h/],
  ['597h', /1ms to 596h/],
])

wrong('a time that has to be', someTime, [['off', /cannot be off/]])

right('a time within bounds', timeFrom('1s', '1h'), [
  ['1s', 1000],
  ['1h', 3_600_000],
  ['off', 0],
])

wrong('a time within bounds', timeFrom('1s', '1h'), [
  ['999ms', /is not from 1s to 1h, or off/],
  ['3601s', /is not from 1s to 1h, or off/],
])

right('keep-alive', keepAlive, [
  ['1s', 1000],
  ['1.5m', 90_000],
  ['9h', 32_400_000],
  ['off', 0],
])

wrong('keep-alive', keepAlive, [
  ['999ms', /is not from 1s to 9h, or off/],
  ['9.5h', /is not from 1s to 9h, or off/],
  ['1500ms', /in whole seconds/],
])

right('size', size, [
  ['0', 0],
  ['1500', 1500],
  ['1500B', 1500],
  ['2k', 2000],
  ['1.5M', 1_500_000],
  ['5G', 5e9],
  ['1T', 1e12],
  ['64Ki', 65_536],
  ['16MiB', 16 * 2 ** 20],
])

wrong('size', size, [
  ['', /64Ki, 16Mi or 2G/],
  ['16m', /64Ki, 16Mi or 2G/],
  ['16 M', /64Ki, 16Mi or 2G/],
  ['-1', /64Ki, 16Mi or 2G/],
])

right('a window', sizeFrom('512Ki', '1Gi'), [
  ['512Ki', 2 ** 19],
  ['1Gi', 2 ** 30],
])

wrong('a window', sizeFrom('512Ki', '1Gi'), [
  ['524287', /from 512Ki to 1Gi/],
  ['1073741825', /from 512Ki to 1Gi/],
])

right('a count', count(1, 32), [
  ['1', 1],
  ['32', 32],
])

wrong('a count', count(1, 32), [
  ['0', /from 1 to 32/],
  ['33', /from 1 to 32/],
  ['1.5', /from 1 to 32/],
  ['0x10', /from 1 to 32/],
  ['', /from 1 to 32/],
])

wrong('a destination', destination, [['a:0', /port 0/]])

wrong('a server', server, [
  ['./lanes.sock', /is a path/],
  ['a:0', /port 0/],
])
