// The command itself: what it says of itself, how it ends, and that no secret is ever said.

import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { afterEach, expect, test, vi } from 'vitest'
import { Program } from '../../../examples/lib/program.ts'
import { EventLog } from '../src/log.ts'
import { newSecret } from '../src/secret.ts'
import { type Control, runService } from '../src/service.ts'
import { FullScreen, Screen } from '../src/terminal.ts'
import { snapshot } from './scene.ts'
import { file, folder, run } from './world.ts'

vi.setConfig({ testTimeout: 60_000 }) // a process starts in seconds where others do too

const programs: Program[] = []
afterEach(() => {
  for (const program of programs.splice(0)) program.signal('SIGKILL')
})
function striper(...args: string[]): Program {
  const program = new Program('striper', ...args)
  programs.push(program)
  return program
}

const COMMANDS = ['relay', 'server', 'client', 'status', 'key', 'convert']

test('help lists every command, and has the exit codes', async () => {
  for (const args of [[], ['help'], ['--help'], ['-h']]) {
    const { code, output } = await run(args)
    expect(code).toBe(0)
    for (const name of COMMANDS) expect(output).toMatch(new RegExp(`^ {2}${name} {2}`, 'm'))
    expect(output).toMatch(/Exit codes: 0 done; 1 .* 2 .*\n?.* 3 .* 4 .* 130 and 143/)
  }
})

test.each(COMMANDS)('%s says what it is, its options and the exit codes', async name => {
  const { code, output } = await run([name, '--help'])
  expect(code).toBe(0)
  expect(output).toMatch(new RegExp(`^striper ${name} `))
  expect(output).toContain('--help')
  expect(output).toContain('Exit codes: 0 done')
  expect(await run(['help', name])).toMatchObject({ output })
  // Whatever else is wrong with the line.
  expect(await run([name, '-h', 'nonsense'])).toMatchObject({ code: 0, output })
})

test('the version is that of the package', async () => {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(manifest) as { version: string }
  for (const args of [['--version'], ['version'], ['-V']]) {
    expect(await run(args)).toMatchObject({ code: 0, output: `${version}\n` })
  }
})

test.each([
  [
    ['rely'],
    "striper: there is no command 'rely' (did you mean 'relay'?); striper --help says more",
  ],
  [
    ['--relay'],
    "striper: there is no option '--relay' (did you mean 'relay'?); striper --help says more",
  ],
  [['help', 'bogus'], "striper: there is no command 'bogus'; striper --help says more"],
  [['server', 'x'], "striper server: 'x' belongs to no option; striper server --help says more"],
  [['\x1b[2J'], "striper: there is no command '\\u{1b}[2J'; striper --help says more"],
])('%j is one sentence, and exit code 2', async (args, sentence) => {
  expect(await run(args)).toEqual({ code: 2, output: '', errors: `${sentence}\n` })
})

test('the running command: a failure at the start is exit code 3, a wrong line 2', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const busy = striper('relay', '--listen', `127.0.0.1:${port}`)
  const wrong = striper('relay', '--lisen', ':1')
  expect([await busy.exit, await wrong.exit]).toEqual([3, 2])
  expect(busy.errors).toBe(
    `striper relay: cannot listen at 127.0.0.1:${port}: EADDRINUSE (another program listens there)\n`,
  )
  expect(wrong.errors).toMatch(/^striper relay: there is no option '--lisen' \(did you mean .*\n$/)
  server.close()
})

test('no output of any command has a secret in it, wherever one was given', async () => {
  const secret = newSecret()
  const text = secret.reveal()
  const [key, bare] = [file(text), file(`key: ${text}\n${text}: 1\n`, 'c.yaml')]
  const env = { STRIPER_KEY: text }
  const plain = ['--insecure-plaintext', '--listen', '127.0.0.1:0']
  const lines = [
    ...COMMANDS.flatMap(name => [
      [name, '--help'],
      [name, text],
      [name, `--${text}`],
    ]),
    ...[[text], ['help', text], ['key', 'id', key], ['key', 'id', text], ['key', 'new', key]],
    ...[
      ['key', text],
      ['convert', text, key],
      ['convert', 'mtcp', key],
      ['convert', 'neo', text],
    ],
    ...[[], ['--key-file', key], ['--key-file', text]].map(each => [
      'server',
      '--max-lanes',
      '0',
      ...each,
    ]),
    ...['--cert', '--ca', '--allow', '--listen', '--config', '--window'].map(option => [
      ...['server', option, text, ...plain],
    ]),
    ...['--server', '-L', '-R', '--bind', '--lanes'].map(option => ['client', option, text]),
    ...[
      ['server', '--config', bare],
      ['client', '--config', key],
      ['relay', '--to', text],
    ],
    ...[
      ['status', '--socket', text],
      ['status', text],
      ['server', `--key=${text}`],
    ],
    ['server', '--cert', key, '--cert-key', key, '--ca', key],
  ]
  for (const line of lines) {
    const { output, errors } = await run(line, { ...env })
    expect(output + errors, line[0]).not.toContain(text.slice(9, 30))
    expect(output + errors).not.toBe('')
  }
})

/** A screen that is no terminal, and keeps what it was given. */
function paper() {
  const written: string[] = []
  const out = { write: (text: string) => written.push(text), on: () => out, isTTY: false }
  return { written, screen: new Screen(out as unknown as ConstructorParameters<typeof Screen>[0]) }
}

const settings = (by: 'key' | 'nothing') => ({
  security: by === 'key' ? { by, keys: [newSecret()] } : { by },
})

test('an event is one line, of text or of JSON, and nothing in it reaches the terminal', () => {
  const text = newSecret().reveal()
  const say = (values: ConstructorParameters<typeof EventLog>[0]) => {
    const { written, screen } = paper()
    const log = new EventLog(values, screen)
    for (const level of ['error', 'warning', 'info', 'debug'] as const) {
      log.say(level, 'odd', `a\n\x1b[2J\u202e${text}`, { name: '\x9b' })
    }
    return written
  }
  const plain = { log: undefined, quiet: false, verbose: false }
  const sentence = 'a\\u{a}\\u{1b}[2J\\u{202e}striper1_(hidden)'
  const lines = say(plain)
  expect(lines.map(line => line.replace(/^[\d-]+T[\d:.]+Z /, ''))).toEqual([
    `error: ${sentence}\n`,
    `warning: ${sentence}\n`,
    `${sentence}\n`,
  ])
  expect(say({ ...plain, quiet: true })).toHaveLength(2)
  expect(say({ ...plain, verbose: true })).toHaveLength(4)
  const json = say({ ...plain, log: 'json' })
  for (const line of json) expect(line).toMatch(/^[ -~]+\n$/)
  expect(JSON.parse(json[2]!)).toMatchObject({ level: 'info', event: 'odd', name: '\x9b' })
})

test('a service says how lanes are secured, has its status asked, and stops in two steps', async () => {
  const { written, screen } = paper()
  const log = new EventLog({ log: undefined, quiet: false, verbose: true }, screen)
  const socket = `${folder()}/s`
  const listening = process.listenerCount('SIGINT')
  const seen: string[] = []
  const work = async (_: unknown, control: Control) => {
    await control.show(() => snapshot())
    seen.push((await run(['status', '--socket', socket])).output)
    process.emit('SIGTERM', 'SIGTERM')
    seen.push(`${control.stopping.aborted} ${control.aborting.aborted}`)
    process.emit('SIGINT', 'SIGINT')
    seen.push(`${control.stopping.aborted} ${control.aborting.aborted}`)
  }
  await runService({ ...settings('key'), socket } as never, work, log)
  expect(process.exitCode).toBe(130)
  process.exitCode = 0
  expect(process.listenerCount('SIGINT')).toBe(listening)
  expect(seen[0]).toMatch(/^striper client 0\.1\.0 {2}pid 4242/)
  expect(seen.slice(1)).toEqual(['true false', 'true true'])
  expect(written.join('')).toMatch(/lanes are secured by key [0-9a-f]{16}\n/)
  expect(written.join('')).toMatch(/stopping; once more to abort/)
  expect((await run(['status', '--socket', socket])).errors).toMatch(/nobody answers/)
})

test('a service in plain text warns, also where it is to be quiet', async () => {
  const { written, screen } = paper()
  const log = new EventLog({ log: undefined, quiet: true, verbose: false }, screen)
  const listening = process.listenerCount('SIGINT')
  await runService(settings('nothing') as never, () => Promise.resolve(), log)
  expect(process.listenerCount('SIGINT')).toBe(listening) // it ended by itself, and listens no more
  expect(written.join('')).toMatch(
    /warning: lanes are plain text, and whoever reaches them is let in/,
  )
})

test('a full screen is drawn in one piece, and the terminal is given back, also at exit', () => {
  const written: string[] = []
  const out = { write: (text: string) => written.push(text), on: () => out, columns: 9, rows: 2 }
  const before = process.listenerCount('exit')
  const screen = new FullScreen(out as unknown as ConstructorParameters<typeof FullScreen>[0])
  screen.open()
  expect(screen.size).toEqual({ columns: 9, rows: 2 })
  screen.draw(['one', 'two', 'three'])
  expect(written).toHaveLength(2)
  expect(written[1]).toContain('one\x1b[0m\x1b[K\r\ntwo\x1b[0m\x1b[K\x1b[0J')
  expect(written[1]).not.toContain('three')
  expect(written[1]).not.toContain('\x1b[2J')
  const exit = process.listeners('exit').at(-1) as () => void
  exit()
  expect(written.at(-1)).toBe('\x1b[?25h\x1b[?1049l')
  screen.close()
  screen.close()
  expect(written).toHaveLength(4)
  expect(process.listenerCount('exit')).toBe(before)
})
