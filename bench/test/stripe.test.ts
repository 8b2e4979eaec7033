// What the benches of the striping pair and of the layers make of what they measured.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { copiedBytes, countCopies } from '../stripe/copied.ts'
import type { Pass } from '../stripe/pass.ts'
import { sharesOf, toTable } from '../stripe/profile.ts'
import { mediansOf, toJson, toLines } from '../stripe/report.ts'
import { chainOf, ROWS } from '../stripe/rows.ts'

const row = (name: string) => ROWS.find(each => each.name === name)!

function passOf(cpu: number, speed = 1): Pass {
  return { cpu, speed, memory: 100, copied: 0.25, parcel: 64 }
}

test('of each figure the middle one counts, of whichever pass', () => {
  const passes = [passOf(3, 0.1), passOf(1, 0.2), passOf(2, 0.9)]
  expect(mediansOf(passes)).toEqual(passOf(2, 0.2))
  expect(mediansOf(passes.slice(0, 2))).toMatchObject({
    cpu: 2,
    speed: expect.closeTo(0.15) as number,
  })
  const peer: Pass = { ...passOf(1), copied: undefined, parcel: undefined }
  expect(mediansOf([peer, peer])).toEqual(peer)
})

test('four plain lanes are held against 0.85 of two naive relays, four with TLS against all of it', () => {
  const holds = (name: string, cpu: number) => {
    const [line] = toJson(row(name), { striper: passOf(cpu), naive: passOf(2) })
    return JSON.parse(line!) as { reach: number; holds: boolean; peers: object }
  }
  expect(holds('plain-4', 1.69)).toMatchObject({ reach: 1.7, holds: true, peers: { naive: 2 } })
  expect(holds('plain-4', 1.71)).toMatchObject({ holds: false })
  expect(holds('tls-4', 1.99)).toMatchObject({ reach: 2, holds: true })
  expect(holds('plain-2', 9)).toMatchObject({ reach: null, holds: null })
})

test('a line says what falls short, and of a peer that is not here nothing', () => {
  const [striper, naive, ...others] = toLines(row('plain-4'), {
    striper: passOf(3, 2),
    naive: passOf(2, 1),
  })
  expect(striper).toMatch(
    /plain-4 +striper +2\.00 +3\.00 +1\.50 .*cpu ≤ 1\.70: NO, speed ≥ 1\.00: yes$/,
  )
  expect(naive).toMatch(/plain-4 +naive +1\.00 +2\.00 +1\.00/)
  expect(others).toEqual([])
})

test('HAProxy has no part in a row with TLS', () => {
  expect(chainOf('haproxy', row('plain-4'))).toEqual({ by: 'haproxy' })
  expect(chainOf('haproxy', row('tls-4'))).toBeUndefined()
})

test('copies are counted however they are made', () => {
  countCopies() // for good: this file's process has no other use for buffers
  const [bytes, into] = [Buffer.alloc(10), Buffer.alloc(20)]
  const before = copiedBytes()
  bytes.copy(into, 15) // five have room
  into.set(bytes)
  Buffer.concat([bytes, bytes, bytes])
  Buffer.from(bytes)
  Buffer.from('no bytes yet')
  expect(copiedBytes() - before).toBe(5 + 10 + 30 + 10)
})

test('a profile is added up by layer, and idle time is no time', () => {
  const folder = mkdtempSync(join(tmpdir(), 'striper-test-'))
  try {
    const frame = (functionName: string, url: string, lineNumber = 0) => {
      return { callFrame: { functionName, url, lineNumber, columnNumber: 0 } }
    }
    // The first line of relay.cjs is of the frame layer, the second of a dependency.
    const sources = ['../packages/frame/src/frame.ts', '../node_modules/readable-stream/lib/x.js']
    const map = { version: 3, sources, names: [], mappings: 'AAAA;ACAA' }
    writeFileSync(join(folder, 'relay.cjs.map'), JSON.stringify(map))
    const profile = {
      nodes: [
        { id: 1, ...frame('encode', 'file:///relay.cjs') },
        { id: 2, ...frame('push', 'file:///relay.cjs', 1) },
        { id: 3, ...frame('emit', 'node:events') },
        { id: 4, ...frame('writev', '') },
        { id: 5, ...frame('(idle)', '') },
      ],
      samples: [1, 2, 3, 4, 5],
      timeDeltas: [40, 30, 20, 10, 900],
    }
    mkdirSync(join(folder, 'profiles'))
    writeFileSync(join(folder, 'profiles', 'one.cpuprofile'), JSON.stringify(profile))
    const table = toTable(sharesOf(join(folder, 'profiles'), folder))
    expect(table.map(line => line.trim().replaceAll(/ +/g, ' '))).toEqual([
      'frame 40.0 % encode 40.0',
      'readable-stream 30.0 % push 30.0',
      'node 20.0 % emit 20.0',
      'C++ 10.0 % writev 10.0',
    ])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
