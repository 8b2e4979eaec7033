import { Duplex } from 'node:stream'
import { layer, Listeners, ownerOf } from '@striper/core'
import { expect, test } from 'vitest'

class Hearer {
  readonly heard: string[] = []

  static readonly listeners = new Listeners<Hearer>({
    data: (hearer, _, chunk) => hearer.heard.push(chunk.toString()),
    end: (hearer, from) => hearer.heard.push(`end of ${from.readableEnded}`),
    error: (hearer, _, error) => hearer.heard.push(error.message),
    close: hearer => hearer.heard.push('close'),
  })
}

const silent = () =>
  new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
const closed = (duplex: Duplex) => new Promise(resolve => duplex.once('close', resolve))
const { listeners } = Hearer

test('each owner hears of its own Duplex, of what it asked to hear', async () => {
  const [one, two] = [silent(), silent()]
  const [first, second] = [new Hearer(), new Hearer()]
  listeners.listen(one, first, 'data', 'end', 'close')
  listeners.listen(two, second, 'error', 'close')
  one.push('for the first')
  one.push(null)
  two.destroy(new Error('no more'))
  await closed(two)
  one.end()
  await closed(one)
  expect(first.heard).toEqual(['for the first', 'end of true', 'close'])
  expect(second.heard).toEqual(['no more', 'close'])
})

test('a Duplex has one owner, until it is released or has closed', async () => {
  const duplex = silent()
  const [first, second] = [new Hearer(), new Hearer()]
  expect(ownerOf(duplex)).toBe(undefined)
  listeners.listen(duplex, first, 'error')
  listeners.listen(duplex, first, 'close')
  expect(ownerOf(duplex)).toBe(first)
  expect(() => listeners.listen(duplex, second, 'error')).toThrow(TypeError)
  expect(() => layer('x', () => ({}) as never)(duplex)).toThrow('duplex has an owner already')
  listeners.release(duplex)
  expect(ownerOf(duplex)).toBe(undefined)
  expect(duplex.eventNames().filter(name => duplex.listenerCount(name) > 0)).toEqual([])
  listeners.listen(duplex, second, 'close')
  duplex.destroy()
  await closed(duplex)
  expect([first.heard, second.heard]).toEqual([[], ['close']])
  listeners.listen(duplex, first, 'close')
})

test('what is not heard any more costs no listener, and who is released hears no more', () => {
  const duplex = silent()
  const hearer = new Hearer()
  duplex.once('error', () => listeners.release(duplex)) // within the emit() that tells both
  listeners.listen(duplex, hearer, 'error', 'close')
  listeners.unlisten(duplex, 'close')
  expect([duplex.listenerCount('error'), duplex.listenerCount('close')]).toEqual([2, 0])
  expect(ownerOf(duplex)).toBe(hearer)
  duplex.emit('error', new Error('heard by the other'))
  expect(hearer.heard).toEqual([])
})

test('all pipes share one set of listeners: an idle one has none of its own', () => {
  const [one, two] = [silent(), silent()]
  for (const duplex of [one, two]) layer('x', () => ({}) as never)(duplex)
  for (const name of ['data', 'end', 'drain', 'error', 'close']) {
    expect(one.listeners(name).at(-1)).toBe(two.listeners(name).at(-1))
  }
})
