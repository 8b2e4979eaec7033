// What waits for the reader of a stripe, and what becomes of memory that is on loan.

import type { Loan } from '@striper/core'
import { expect, test } from 'vitest'
import { Inbox } from '../src/inbox.ts'

function scene() {
  const story: string[] = []
  const reader = {
    wants: true,
    give: (parcel: Buffer, loan: Loan | undefined) => {
      story.push(`${parcel.length} bytes${loan ? ', lent' : ''}`)
      return reader.wants
    },
    taken: (bytes: number) => story.push(`${bytes} taken`),
    end: () => story.push('end'),
  }
  const loan = (name: string): Loan => ({
    release: () => story.push(`${name} released`),
    keep: () => story.push(`${name} kept`),
  })
  return { inbox: new Inbox(reader), reader, story, loan }
}

const large = Buffer.alloc(100)
const small = Buffer.alloc(100).subarray(0, 10)

test('a parcel that is wanted is given with its loan, at once', () => {
  const { inbox, story, loan } = scene()
  inbox.want()
  inbox.push(small, loan('a'))
  inbox.end()
  expect(story).toEqual(['10 bytes, lent', '10 taken', 'end'])
})

test('of those that wait, a small part of a large buffer is copied, and the buffer given back', () => {
  const { inbox, story, loan } = scene()
  inbox.push(small, loan('a'))
  inbox.push(large, loan('b'))
  inbox.end()
  expect(story).toEqual(['a released'])
  inbox.want()
  expect(story).toEqual(['a released', '10 bytes', '100 bytes, lent', '110 taken', 'end'])
})

test('a reader that has enough gets no more until it wants it, and what nobody wants is given back', () => {
  const { inbox, reader, story, loan } = scene()
  reader.wants = false
  inbox.want()
  inbox.push(large, loan('a'))
  inbox.push(large, loan('b'))
  inbox.clear()
  inbox.push(large, loan('c'))
  expect(story).toEqual(['100 bytes, lent', '100 taken', 'b released'])
})
