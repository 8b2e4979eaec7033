import { type LaneView, roundRobin, type Schedule, soonest, untilCongested } from '@striper/stripe'
import { expect, test } from 'vitest'

type View = Partial<LaneView>

/** The lane that is picked, by its place in the list; undefined to wait. */
function pick(schedule: Schedule, views: View[], endless = false, lagMs = 200): number | undefined {
  const lanes = views.map((view, number) => ({
    ...{
      number,
      label: `lane ${number}`,
      open: true,
      known: true,
      rate: undefined,
      rtt: undefined,
    },
    ...{ inFlight: 0, lastTurn: 0, weight: 1 },
    ...view,
  }))
  return schedule(lanes, { bytes: 10_000, endless, lagMs })?.number
}

const fast = { rate: 10_000, rtt: 20 } // bytes a ms, and ms
const fair = { rate: 2000, rtt: 20 }
const slow = { rate: 100, rtt: 20 }
const far = { rate: 10_000, rtt: 400 }
const shut = { open: false }

const table: [string, Schedule, View[], number | undefined, boolean?][] = [
  ['round robin: whose turn is longest ago', roundRobin, turns(5, 3, 4), 1],
  ['round robin: who never had a turn', roundRobin, turns(5, 3, 0), 2],
  ['round robin: not who is full', roundRobin, [{ lastTurn: 5 }, { ...shut, lastTurn: 1 }], 0],
  ['until congested: whose turn was last', untilCongested, turns(3, 5, 4), 1],
  ['until congested: the next when it is full', untilCongested, [{ lastTurn: 3 }, shut], 0],
  ['soonest: the faster', soonest, [slow, fast], 1],
  ['soonest: the nearer', soonest, [far, fast], 1],
  ['soonest: the slower, when the fast one has much to do', soonest, [busy(fast, 4e6), slow], 1],
  ['soonest: the only one', soonest, [slow], 0],
  ['soonest: whom its owner prefers', soonest, [fast, { ...fast, weight: 2 }], 1],
  ['soonest: one of which nothing is known', soonest, [fast, {}], 1],
  ['soonest: of two unknown the one that has less to do', soonest, [{ inFlight: 9 }, {}], 1],
  ['soonest: waits for a fast one that is full', soonest, [{ ...fast, ...shut }, slow], undefined],
  ['soonest: does not wait for a slow one', soonest, [{ ...slow, ...shut }, fast], 1],
  ['soonest, endless: takes what is open', soonest, [{ ...fast, ...shut }, fair], 1, true],
  [
    'soonest, endless: but not what adds little',
    soonest,
    [{ ...fast, ...shut }, slow],
    undefined,
    true,
  ],
  [
    'soonest, endless: nor waits for what may be faster',
    soonest,
    [
      { ...fast, ...shut },
      { ...slow, known: false },
    ],
    1,
    true,
  ],
  ['soonest, endless: what is far is borne with', soonest, [{ ...fast, ...shut }, far], 1, true],
  [
    'soonest, endless: but not what fills the window',
    soonest,
    [
      { ...fast, ...shut },
      { rate: 10, rtt: 20 },
    ],
    undefined,
    true,
  ],
]

for (const [name, schedule, views, expected, endless] of table) {
  test(name, () => expect(pick(schedule, views, endless)).toBe(expected))
}

test('a schedule picks whom it would whatever the order of the lanes', () => {
  expect(pick(soonest, [fast, slow, far])).toBe(0)
  expect(pick(soonest, [far, slow, fast])).toBe(2)
})

function turns(...each: number[]): View[] {
  return each.map(lastTurn => ({ lastTurn }))
}

function busy(view: View, inFlight: number): View {
  return { ...view, inFlight }
}

test('soonest, endless: what is not known is borne with, and longer where it is far away', () => {
  const of = (rtt: number) => {
    const unknown = { rate: 100, rtt, known: false, inFlight: 40_000 }
    return pick(soonest, [{ ...fast, ...shut }, unknown], true, 1000)
  }
  expect([of(40), of(120)]).toEqual([undefined, 1])
})
