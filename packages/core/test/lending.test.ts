// One loan for several users, and when a pipe may lend.

import {
  BYTES_HIGH_WATER,
  type Done,
  Lending,
  type Loan,
  PipeBase,
  ready,
  SharedLoan,
} from '@striper/core'
import { WrittenLoans } from '@striper/core'
import { expect, test } from 'vitest'

function loan() {
  const said: string[] = []
  const each: Loan = { release: () => said.push('released'), keep: () => said.push('kept') }
  return { each, said }
}

test('a shared loan is released when whoever made it and all users have released it, once', () => {
  const { each, said } = loan()
  const shared = new SharedLoan(each)
  const [one, two] = [shared.share(), shared.share()]
  one.release()
  one.release()
  shared.done()
  expect(said).toEqual([])
  two.release()
  two.keep()
  expect(said).toEqual(['released'])
})

test('a shared loan with a user that keeps it is kept, when all have said so', () => {
  const { each, said } = loan()
  const shared = new SharedLoan(each)
  const [one, two] = [shared.share(), shared.share()]
  shared.done()
  one.keep()
  expect(said).toEqual([])
  two.release()
  expect(said).toEqual(['kept'])
})

class Source extends PipeBase<'messages'> {
  readonly lending = new Lending(this)

  constructor() {
    super({ kind: 'messages', label: 'source' })
  }

  give(unit: Buffer, each: Loan): void {
    if (!this.lending.lend(unit, each)) this.deliver(unit)
  }

  override _read(): void {
    // Units come when the test gives them.
  }
}

test('a pipe lends only what nobody but the borrower would see, and would see at once', async () => {
  const source = new Source()
  const [lent, seen, said]: [string[], string[], string[]] = [[], [], []]
  const { lending } = source
  lending.borrower = {
    borrow: (unit, each) => {
      lent.push(unit.toString())
      each!.release()
    },
  }
  const give = (text: string) => {
    const { each, said: told } = loan()
    source.give(Buffer.from(text), each)
    said.push(`${text} ${told.join()}`)
  }
  const hear = (unit: Buffer) => seen.push(unit.toString())
  give('early') // nobody reads yet
  source.on('data', hear)
  await new Promise(resolve => setImmediate(resolve))
  give('alone')
  const other = () => undefined
  source.on('data', other)
  give('beside another')
  source.off('data', other)
  source.pause()
  give('paused')
  source.resume()
  give('behind it')
  await new Promise(resolve => setImmediate(resolve))
  give('again')
  lending.borrower = undefined
  give('no more')
  expect(lent).toEqual(['alone', 'again'])
  expect(seen).toEqual(['early', 'beside another', 'paused', 'behind it', 'no more'])
  expect(said.filter(each => each.endsWith('released'))).toEqual([
    'alone released',
    'again released',
  ])
  expect(said.filter(each => each.endsWith('kept'))).toHaveLength(5)
  expect(source.stats).toMatchObject({ messagesIn: 7 })
})

test('a written unit that is never asked for keeps its loan, and those behind it are found', () => {
  const pipe = new Resting()
  const written = new WrittenLoans(pipe)
  const loans = [loan(), loan(), loan()]
  const units = loans.map((_, index) => Buffer.of(index))
  for (const [index, unit] of units.entries()) written.write(unit, loans[index]!.each)
  expect(written.take(Buffer.of(0))).toBeUndefined() // another object: nobody's
  expect(written.take(units[1])).toBe(loans[1]!.each)
  expect(loans[0]!.said).toEqual(['kept'])
  expect(written.take(units[2])).toBe(loans[2]!.each)
  expect(written.take(units[2])).toBeUndefined()
  pipe.destroy()
})

test('a large unit that has gone on already holds nobody up; one that waits does', async () => {
  const unit = Buffer.alloc(2 * BYTES_HIGH_WATER)
  const gone = await ready(new Resting(done => done()))
  const answers = [new Resting(), gone].map(pipe => new WrittenLoans(pipe).write(unit, undefined))
  expect(answers).toEqual([false, true])
  gone.destroy()
  expect(new WrittenLoans(gone).write(unit, undefined)).toBe(false)
})

/** A pipe in which what is written waits, unless it is told what else to do. */
class Resting extends PipeBase<'bytes'> {
  readonly #take: (done: Done) => void

  constructor(take: (done: Done) => void = () => undefined) {
    super({ kind: 'bytes', label: 'resting' })
    this.#take = take
    this.on('error', () => undefined)
  }

  override _write(_unit: Buffer, _encoding: string, done: Done): void {
    this.#take(done)
  }
}
