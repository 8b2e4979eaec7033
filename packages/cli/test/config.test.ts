// Options from the command line and from a file: the same names, the same checks, and a sentence
// for each mistake.

import { expect, test } from 'vitest'
import { MAX_CONFIG_BYTES, parseConfig, readConfig } from '../src/config.ts'
import { UsageError } from '../src/exit.ts'
import { describe as helpOf, flag, list, optional, parseCommandLine } from '../src/option.ts'
import { type Options, preset, valuesOf } from '../src/option.ts'
import { nearest } from '../src/pure/nearest.ts'
import { CLIENT_OPTIONS, SERVER_OPTIONS } from '../src/tunnel-options.ts'
import { count, path } from '../src/values.ts'
import { file } from './world.ts'

const OPTIONS = {
  to: preset('ADDRESS', path, ':22', 'whom to connect to'),
  lanes: optional('N', count(1, 32), 'so many'),
  allow: list('RULE', path, 'whom to let in', { short: 'a' }),
  quiet: flag('say less', { short: 'q' }),
  help: flag('this text', { lineOnly: true }),
}

const line = (...args: string[]) => {
  const { given, words } = parseCommandLine(OPTIONS, args)
  return { values: valuesOf(OPTIONS, given), words }
}
const fromFile = (text: string) => valuesOf(OPTIONS, parseConfig(OPTIONS, text, 'striper.yaml'))

test('what is not given has its default, and a list is empty', () => {
  const values = { to: ':22', lanes: undefined, allow: [], quiet: false, help: false }
  expect(line()).toEqual({ values, words: [] })
  expect(fromFile('')).toEqual(values)
})

test('a command line has long and short options, lists, switches and words', () => {
  const { values, words } = line(
    'one',
    '--to=:80',
    '-a',
    'x',
    '-ay',
    '--allow',
    'z',
    '-q',
    '--',
    '-w',
  )
  expect(values).toMatchObject({ to: ':80', allow: ['x', 'y', 'z'], quiet: true })
  expect(words).toEqual(['one', '-w'])
})

test('a file has the same, as YAML and as JSON', () => {
  const values = { to: ':80', lanes: 8, allow: ['x', '7'], quiet: true }
  expect(fromFile('to: :80\nlanes: 8\nallow: [x, 7]\nquiet: true')).toMatchObject(values)
  expect(fromFile(JSON.stringify(values))).toMatchObject(values)
  expect(fromFile('allow: x')).toMatchObject({ allow: ['x'] })
})

test('the command line wins over the file, option by option, and a list as a whole', () => {
  const file = parseConfig(OPTIONS, 'to: :80\nlanes: 8\nallow: [x, y]', 'striper.yaml')
  const { given } = parseCommandLine(OPTIONS, ['--lanes', '4', '-a', 'z'])
  const values = valuesOf(OPTIONS, new Map([...file, ...given]))
  expect(values).toMatchObject({ to: ':80', lanes: 4, allow: ['z'] })
})

const LINES: readonly [string[], RegExp][] = [
  [['--bogus'], /^there is no option '--bogus'$/],
  [['--lane', '8'], /^there is no option '--lane' \(did you mean '--lanes'\?\)$/],
  [['-x'], /^there is no option '-x'$/],
  [['--__proto__'], /^there is no option '--__proto__'$/],
  [['--constructor=1'], /^there is no option '--constructor'$/],
  [['--lanes'], /^--lanes needs a value: --lanes N$/],
  [['--lanes', '-q'], /^--lanes needs a value: --lanes N, and got '-q'$/],
  [['--lanes', '4', '--lanes', '5'], /^--lanes is given twice$/],
  [['--lanes', 'many'], /^--lanes: 'many' is not a whole number from 1 to 32$/],
  [['--quiet=yes'], /^--quiet takes no value$/],
]

test.each(LINES)('the command line %j is refused in a sentence', (args, sentence) => {
  expect(() => line(...args)).toThrow(UsageError)
  expect(() => line(...args)).toThrow(sentence)
})

const FILES: readonly [string, RegExp][] = [
  ['lane: 8', /^striper.yaml: there is no key 'lane' \(did you mean 'lanes'\?\)$/],
  ['help: true', /^striper.yaml: there is no key 'help': it belongs on the command line$/],
  ['__proto__: {quiet: true}', /there is no key '__proto__'/],
  ['"constructor": 1', /there is no key 'constructor'/],
  ['lanes: 33', /^striper.yaml: lanes: '33' is not a whole number from 1 to 32$/],
  ['lanes: 0x10', /'0x10' is not a whole number/],
  ['lanes: [4, 5]', /lanes: takes one value/],
  ['lanes:', /lanes: the value has to be a text, a number, true or false/],
  ['to: {host: a}', /to: the value has to be a text/],
  ['quiet: yes', /quiet: 'yes' is neither true nor false/],
  ['to: a\nto: b', /line 2 is neither JSON nor YAML: duplicate key/],
  ['to: "a', /line 1 is neither JSON nor YAML/],
  ['to: a\n  b: c', /neither JSON nor YAML/],
  ['- to', /has to be a list of keys/],
  ['to', /has to be a list of keys/],
  ['to: *all', /neither JSON nor YAML|an alias/],
  ['to: &x a\nallow: *x', /allow: an alias/],
]

test.each(FILES)('the file %j is refused in a sentence', (text, sentence) => {
  expect(() => fromFile(text)).toThrow(UsageError)
  expect(() => fromFile(text)).toThrow(sentence)
})

test('an error of a file never repeats the text around it', () => {
  const wrong = ['to: "a\nquiet: canary', 'canary: {', 'a: b: canary', '[canary', '"\\canary'].map(
    text => {
      try {
        return JSON.stringify(fromFile(text))
      } catch (error) {
        return (error as Error).message
      }
    },
  )
  for (const message of wrong) expect(message).toMatch(/neither JSON nor YAML: [a-z ]+$/)
  expect(wrong.filter(message => message.includes('canary'))).toEqual([])
})

test('a file at the limit is read, one byte more is refused, and so is none', () => {
  const comment = (bytes: number) => file(`to: :80\n#${'x'.repeat(bytes - 9)}`)
  const values = (path: string) => valuesOf(OPTIONS, readConfig(OPTIONS, path))
  expect(values(comment(MAX_CONFIG_BYTES)).to).toBe(':80')
  expect(() => values(comment(MAX_CONFIG_BYTES + 1))).toThrow(/larger than 262144 bytes/)
  expect(() => values('/nowhere/at/all')).toThrow(
    /cannot read '\/nowhere\/at\/all': there is no such file/,
  )
})

test('every option of server and client can be written in a file, by its name', () => {
  for (const options of [SERVER_OPTIONS, CLIENT_OPTIONS] as Options[]) {
    for (const [name, option] of Object.entries(options)) {
      const sample = samples[name] ?? option.byDefault ?? (option.value === undefined ? 'true' : '')
      const given = parseConfig(options, `${name}: ${sample}`, 'f')
      const value = valuesOf(options, given)[name]
      expect(value, name).not.toBe(undefined)
      expect(value, name).not.toEqual([])
      expect(value, name).not.toBe(false)
    }
  }
})

const samples: Record<string, string> = {
  listen: ':7000',
  allow: 'example.org:80',
  'allow-listen': '8080',
  'key-file': 'key',
  cert: 'cert.pem',
  'cert-key': 'key.pem',
  ca: 'ca.pem',
  'server-name': 'far.example',
  socket: 'striper.sock',
  'max-connections': '10',
  'max-parcel': '4Ki',
  memory: '64Mi',
  server: 'far.example:7000',
  forward: '8080:127.0.0.1:80',
  reverse: '8080:127.0.0.1:80',
  bind: 'eth0*2,backup',
  lanes: '8',
}

test('the nearest name is the one with the fewest edits, and none where all are far', () => {
  expect(nearest('lanse', ['lanes', 'listen'])).toBe('lanes')
  expect(nearest('listne', ['lanes', 'listen'])).toBe('listen')
  expect(nearest('idle-timout', ['idle-timeout', 'connect-timeout'])).toBe('idle-timeout')
  expect(nearest('password', ['lanes', 'listen'])).toBe(undefined)
})

test('the help has every option with its value, its default and no line beyond 100 columns', () => {
  const help = helpOf(SERVER_OPTIONS)
  for (const name of Object.keys(SERVER_OPTIONS)) {
    expect(help.some(row => row.includes(`--${name}`))).toBe(true)
  }
  expect(help.join('\n')).toContain('(16Mi)')
  expect(Math.max(...help.map(row => row.length))).toBeLessThanOrEqual(100)
})
