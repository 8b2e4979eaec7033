// The picture of a running process: what it says, that it fits, and that nothing in a name gets to
// the terminal.

import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import type { Snapshot } from '../src/snapshot.ts'
import { StatusView } from '../src/view.ts'
import { channel, lane, later, session, snapshot } from './scene.ts'

const sheet = (columns: number, rows = 100) => ({ columns, rows, colour: false })

function picture(view: StatusView, columns = 80, rows?: number): string {
  return view.lines(sheet(columns, rows)).join('\n')
}

test('one snapshot shows totals, states, what is missing and why', () => {
  expect(picture(new StatusView(snapshot()))).toBe(
    `striper client 0.1.0  pid 4242  up 2 min 05 s  key 12ab34cd56ef7890
1 session, 2 channels; 10.0 MB in and 200 kB out in all, 2 refused
at 127.0.0.1:8080

session 3f2a9c1e  with 12ab34cd56ef7890  for 2 min 00 s
lane from                        in       out     rtt           room state
   0 192.0.2.10              1.0 MB   50.0 kB   21 ms           50 % working
   1 192.0.2.11              2.0 MB   50.0 kB                   50 % waiting
   2 192.0.2.12              3.0 MB   50.0 kB   21 ms           50 % suspect
   3 192.0.2.13              4.0 MB   50.0 kB   21 ms            0 % proving

   - 192.0.2.15 #1  waits 1.2 s: connection refused, 4 attempts
   - wwan0  no such interface now

  proving: one parcel at a time
  suspect: nothing came back for too long
  waiting: a faster lane will be free sooner

limits: channels 2/4096

chan to                       in/s     out/s       in      out          for prio
   0 127.0.0.1:80                              1.0 kB   2.0 kB   1 min 05 s    0
   2 [fd00::7]:5432                            1.0 kB   2.0 kB   1 min 05 s    1`,
  )
})

test('what waits at this end is shown, where anything does', () => {
  const [first] = snapshot().sessions
  const sessions = [
    { ...first!, heldBytes: 1_200_000, queuedBytes: 300_000, retainedBytes: 5_000_000 },
    session({ id: 'second', retainedBytes: 1000 }),
  ]
  const lines = picture(new StatusView(snapshot({ sessions }))).split('\n')
  expect(lines.filter(line => line.startsWith('waits'))).toEqual([
    'waits: 1.2 MB for readers, 300 kB to be sent, 5.0 MB to be acknowledged',
    'waits: 1.0 kB to be acknowledged',
  ])
  expect(lines[4]).toMatch(/^session 3f2a9c1e/)
  expect(lines[5]).toMatch(/^waits: 1\.2 MB/)
})

test('from the second on there are rates, by the clock of the process', () => {
  const first = snapshot()
  const view = new StatusView(first)
  view.next(later(first, 500, 1_000_000))
  const lines = picture(view)
  expect(lines).toMatch(/^10\.0 MB\/s in {2}0 B\/s out {2}1 session/m)
  expect(lines).toMatch(/^lane from +in\/s +out\/s/m)
  expect(lines).toMatch(/^ +0 192\.0\.2\.10 +1\.0 MB\/s +0 B\/s .*▃ +50 %/m)
  expect(lines).toMatch(/^ +3 192\.0\.2\.13 +4\.0 MB\/s .*█ +0 %/m)
  expect(lines).toMatch(/^ +0 127\.0\.0\.1:80 +1\.0 MB\/s/m)
})

test('a lane keeps its last eight rates as blocks, against the fastest of all', () => {
  let now = snapshot()
  const view = new StatusView(now)
  for (let i = 1; i <= 12; i++) view.next((now = later(now, 1000, i * 1000)))
  const [, blocks] = /192\.0\.2\.13 .*?([▁▂▃▄▅▆▇█]+)/.exec(picture(view))!
  expect(blocks).toBe('▄▅▅▆▆▇▇█')
})

test('another process, or one that began anew, has no rates yet', () => {
  const first = snapshot()
  for (const other of [snapshot({ pid: 1, uptimeMs: 999_999 }), snapshot({ uptimeMs: 5 })]) {
    const view = new StatusView(first)
    view.next(later(other, 0, 5))
    expect(picture(view)).not.toContain('B/s')
  }
})

test('a wide terminal has where a lane goes, and the whole reason in its line', () => {
  const lines = picture(new StatusView(snapshot()), 150)
  expect(lines).toContain('192.0.2.11 → 203.0.113.9:7000')
  expect(lines).toMatch(/lane from → to/)
  expect(lines).toMatch(/^ +2 .* suspect: nothing came back for too long$/m)
  expect(lines).not.toMatch(/^ {2}suspect:/m)
})

const widths = [20, 40, 60, 79, 80, 81, 109, 110, 132, 200]

test.each(widths)('no line is longer than %d columns', columns => {
  const long = 'x'.repeat(300)
  const busy = snapshot({
    security: long,
    listening: [long],
    limits: [{ name: long, used: 9, most: 10 }],
    sessions: [
      session({
        id: long,
        peer: long,
        forMs: 1e9,
        ...{ heldBytes: 1e15, queuedBytes: 1e15, retainedBytes: 1e15 },
        lanes: [lane(0, { from: long, to: long, reason: `${long}: ${long}` }), lane(31)],
        channels: [channel(0, { target: long, bytesIn: 1e15, forMs: 1e12, priority: 255 })],
      }),
      session({ id: 'b' }),
    ],
    wanted: [{ key: long, state: 'waiting', why: long, forMs: 1, attempts: 99 }],
  })
  const view = new StatusView(busy)
  view.next(later(busy, 1000, 1e12))
  const plain = view.lines(sheet(columns))
  expect(plain.filter(line => line.length > columns)).toEqual([])
  const coloured = view.lines({ ...sheet(columns), colour: true })
  expect(coloured.map(stripVTControlCharacters)).toEqual(plain)
})

test.each([1, 2, 5, 12, 24])('it fits in %d rows, and says what it leaves out', rows => {
  const many = Array.from({ length: 64 }, (_, i) => channel(i))
  const lanes = Array.from({ length: 9 }, (_, i) => lane(i))
  const sessions = [session({ lanes, channels: many })]
  const lines = new StatusView(snapshot({ sessions })).lines(sheet(80, rows))
  expect(lines.length).toBeLessThanOrEqual(rows)
  expect(lines.at(-1)).toMatch(/… \d+ more/)
})

test('the busiest channels are on top', () => {
  const first = snapshot()
  const [session] = first.sessions
  const faster = channel(2, { bytesIn: 9_000_000 })
  const view = new StatusView(first)
  view.next({
    ...later(first, 1000, 0),
    sessions: [{ ...session!, channels: [channel(0), faster] }],
  })
  const lines = view.lines(sheet(80))
  const numbers = lines.slice(lines.findIndex(line => line.startsWith('chan')) + 1)
  expect(numbers.map(line => line.slice(0, 4).trim())).toEqual(['2', '0'])
})

test('a session with no lanes says so', () => {
  const sessions = [session()]
  expect(picture(new StatusView(snapshot({ sessions })))).toContain('no lanes')
})

/** What no name may bring to a terminal: C0, DEL, C1, bidi, zero width, a wide letter. */
const HOSTILE = '\x1b[2J\x07\r\n\t\x7f\x9b31m\u202e\u2066\u200b\ufeff漢😀'

test('nothing in a name moves the cursor, turns the text round, or hides', () => {
  const poison = (value: unknown): unknown => {
    if (typeof value === 'string') return `a${HOSTILE}`
    if (Array.isArray(value)) return value.map(poison)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, poison(each)]))
  }
  const view = new StatusView(poison(snapshot()) as Snapshot)
  for (const columns of [80, 400]) {
    for (const line of view.lines(sheet(columns))) expect(line).toMatch(/^[ -~…→▁-█]*$/)
  }
  expect(picture(view, 400)).toContain('a\\u{1b}[2J\\u{7}')
})
