// Keys: made by a command, kept in a file of their owner's alone, and never shown.

import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { newSecret, parseSecret, withoutSecrets } from '../src/secret.ts'
import { file, folder, run } from './world.ts'

const UNIX = process.platform !== 'win32'

test('a new key is written where it belongs, for its owner alone, and its id is printed', async () => {
  const home = folder()
  const { code, output } = await run(['key', 'new'], { XDG_CONFIG_HOME: home })
  const path = join(home, 'striper', 'key')
  const secret = parseSecret(readFileSync(path, 'utf8'))
  expect(code).toBe(0)
  expect(output).toBe(
    `${path}\nid ${secret.id}\nnext: striper server --listen :7000 --allow 127.0.0.1:80\n`,
  )
  if (UNIX) expect(statSync(path).mode & 0o777).toBe(0o600)
  if (UNIX) expect(statSync(join(home, 'striper')).mode & 0o777).toBe(0o700)
  expect((await run(['key', 'id', path])).output).toBe(`${secret.id}\n`)
})

test('the next command names the file where it is not the default', async () => {
  const path = join(folder(), "it's here")
  const { output } = await run(['key', 'new', path])
  expect(output).toContain(` --key-file '${path.replace("'", `'\\''`)}'\n`)
})

test('a key that is there is left as it is, unless it is told otherwise', async () => {
  const path = file('precious')
  const { code, errors } = await run(['key', 'new', path])
  expect(code).toBe(2)
  expect(errors).toMatch(/^striper key: '.*' is there already; --overwrite replaces it; /)
  expect(readFileSync(path, 'utf8')).toBe('precious')
  chmodSync(path, 0o644)
  expect((await run(['key', 'new', path, '--overwrite'])).code).toBe(0)
  expect(() => parseSecret(readFileSync(path, 'utf8'))).not.toThrow()
  if (UNIX) expect(statSync(path).mode & 0o777).toBe(0o600)
})

test('a key that cannot be written is exit code 1', async () => {
  const { code, errors } = await run(['key', 'new', join(file('no folder'), 'key')])
  expect(code).toBe(1)
  expect(errors).toMatch(/^striper key: cannot write '.*': E/)
})

for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610]) {
  test.runIf(UNIX)(
    `a key file of mode ${mode.toString(8)} is refused, with the chmod`,
    async () => {
      const path = file(newSecret().reveal())
      chmodSync(path, mode)
      const { code, output, errors } = await run(['key', 'id', path])
      expect([code, output]).toEqual([2, ''])
      expect(errors).toContain(`can be read by others than its owner: chmod 600 '${path}'`)
      chmodSync(path, 0o400)
      expect((await run(['key', 'id', path])).code).toBe(0)
    },
  )
}

test('what is no key is refused in a sentence that has none of it', async () => {
  const text = newSecret().reveal()
  const wrong: [string, RegExp][] = [
    ['', /begins with striper1_/],
    ['canary', /begins with striper1_/],
    [`${text}x`, /no whole secret/],
    [text.slice(0, -1), /no whole secret/],
    [text.replace('striper1', 'striper2'), /begins with striper1_/],
    [
      text.replace(/_.{43}_/, body => body.replace(/[^_]/, char => (char === 'A' ? 'B' : 'A'))),
      /damaged/,
    ],
    [' '.repeat(5000) + text, /begins with striper1_/],
  ]
  for (const [content, sentence] of wrong) {
    const { code, errors } = await run(['key', 'id', file(content)])
    expect([content, code]).toEqual([content, 2])
    expect(errors).toMatch(sentence)
    expect(errors).not.toMatch(/canary|striper1_[\w-]/)
  }
  mkdirSync(join(folder(), 'x'))
  expect((await run(['key', 'id', '/nowhere'])).errors).toMatch(/no such file; striper key new/)
  expect((await run(['key', 'id', folder()])).code).toBe(2)
})

test.each([[[]], [['nw']], [['id']], [['new', 'a', 'b']], [['id', 'a', '--overwrite']]])(
  'key %j is a wrong command line',
  async words => {
    const { code, errors } = await run(['key', ...words])
    expect(code).toBe(2)
    expect(errors).toMatch(/^striper key: .*; striper key --help says more\n$/)
  },
)

test('a secret is the same when it is read again, another is another, and spaces do no harm', () => {
  const [one, other] = [newSecret(), newSecret()]
  expect(one.reveal()).toMatch(/^striper1_[\w-]{43}_[\w-]{4}$/)
  expect(parseSecret(` ${one.reveal()}\n`).reveal()).toBe(one.reveal())
  expect(parseSecret(one.reveal()).id).toBe(one.id)
  expect(one.id).toMatch(/^[0-9a-f]{16}$/)
  expect(other.id).not.toBe(one.id)
})

test('a secret hides itself however it is printed', () => {
  const secret = newSecret()
  const body = secret.reveal().slice(9, 40)
  const shown = [String(secret), JSON.stringify({ secret }), inspect({ secret }, { depth: 9 })]
  for (const text of shown) expect(text).toContain(`[secret ${secret.id}]`)
  for (const text of [...shown, inspect(secret, { showHidden: true })]) {
    expect(text).not.toContain(body)
  }
  expect(withoutSecrets(`a ${secret.reveal()} b`)).toBe('a striper1_(hidden) b')
})

test('a file that replaces a key is whole or not there', async () => {
  const path = file('old')
  writeFileSync(`${path}.${process.pid}`, 'in the way') // its draft cannot be written
  expect((await run(['key', 'new', path, '--overwrite'])).code).not.toBe(0)
  expect(readFileSync(path, 'utf8')).toBe('old')
})
