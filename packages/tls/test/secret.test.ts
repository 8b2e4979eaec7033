import { inspect } from 'node:util'
import { Keyring, newSecret, parseSecret } from '@striper/tls'
import { expect, test } from 'vitest'

// Made once with this code; a change of it would lock out everybody.
const PSK = '82798835e57d5577f10d1178cd227e828f1b13e0b79de5c668b12075c4a46d42'
const TEXT = 'striper1_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8_5SHS'

test('a secret is read as it was written, at another time too', () => {
  const secret = newSecret()
  expect(secret.reveal()).toMatch(/^striper1_[\w-]{43}_[\w-]{4}$/)
  const again = parseSecret(` ${secret.reveal()}\n`)
  expect([again.id, again.reveal()]).toEqual([secret.id, secret.reveal()])
  expect(newSecret().id).not.toBe(secret.id)
})

test('a text that is short, damaged or something else is refused, and not repeated', () => {
  const text = newSecret().reveal()
  const body = text.slice('striper1_'.length)
  const wrong = [
    '',
    'correct horse battery staple',
    text.slice(0, -1),
    text.slice(0, 40),
    `${text}A`,
    text.replace('striper1_', 'striper2_'),
    `striper1_${Buffer.alloc(16, 7).toString('base64url')}_${text.slice(-4)}`,
    text.slice(0, 20) + ' ' + text.slice(21),
  ]
  for (const each of wrong) {
    expect(() => parseSecret(each), each).toThrow(RangeError)
    try {
      parseSecret(each)
    } catch (error) {
      expect(String(error)).not.toContain(body.slice(0, 8))
    }
  }
})

test('any one wrong character is found out', () => {
  const text = newSecret().reveal()
  for (let at = 0; at < text.length; at++) {
    const other = text[at] === 'A' ? 'B' : 'A'
    expect(() => parseSecret(text.slice(0, at) + other + text.slice(at + 1))).toThrow(RangeError)
  }
})

test('a secret shows its id, and itself nowhere but by reveal()', () => {
  const secret = newSecret()
  // Not by split: it may have a _ itself.
  const hidden = secret.reveal().slice('striper1_'.length, -'_sum!'.length)
  expect(hidden).toHaveLength(43)
  const raw = Buffer.from(hidden, 'base64url').toString('hex')
  const shown = [
    String(secret),
    JSON.stringify({ secret }),
    inspect(secret, { showHidden: true, depth: 9 }),
    inspect({ options: { key: secret } }),
    Object.values(secret).join(),
  ]
  for (const text of shown) {
    expect(text).toContain(secret.id)
    expect(text).not.toContain(hidden)
    expect(text.replaceAll(/[^0-9a-f]/g, '')).not.toContain(raw)
  }
})

test('its keys are as they have always been: other ones would lock everybody out', () => {
  const secret = parseSecret(TEXT)
  expect(secret.identity).toBe('s1.c4b5afa2dd5005a7')
  expect(secret.preSharedKey('').toString('hex')).toBe(PSK)
  expect(secret.preSharedKey('exit').toString('hex')).not.toBe(PSK)
})

test('a keyring finds a secret by its identity, until it is deleted', () => {
  const [first, second] = [newSecret(), newSecret()]
  const keys = new Keyring([first, second])
  expect(keys.ids).toEqual([first.id, second.id])
  expect(keys.find(first.identity)).toBe(first)
  expect(keys.delete(first.id)).toBe(true)
  expect(keys.delete(first.id)).toBe(false)
  expect(keys.find(first.identity)).toBeUndefined()
  expect(keys.find('__proto__')).toBeUndefined()
})
