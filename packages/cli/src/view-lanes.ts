// The lanes of a session as lines: how fast each is, how full, and why it takes nothing.
//
// Where a terminal is wide the reason is in the lane's line. Where it is not, the line has the
// reason's first word, and a legend says each of them once: lines that came and went with every
// reason would make the table jump.

import type { styleText } from 'node:util'
import type { LaneSnapshot, SessionSnapshot } from './snapshot.ts'
import { fit, formatBytes, formatTime, printable } from './terminal.ts'
import { cut, rate, type Rates } from './view.ts'

/** Gives a text a colour, or leaves it as it is. */
export type Paint = (style: Parameters<typeof styleText>[0], text: string) => string

const WIDE = 110
const NARROW = 72
const BLOCKS = '▁▂▃▄▅▆▇█'
/** Columns of the number, the rates each way, round trip, blocks, and room. */
const WIDTHS = [4, 9, 9, 7, 8, 5] as const
/** Which of these a narrow terminal has. */
const NARROW_HAS = [true, true, true, false, false, true]

/** One line for each lane, under a heading. */
export function laneLines(
  lanes: readonly LaneSnapshot[],
  rates: readonly (Rates | undefined)[],
  columns: number,
  paint: Paint,
): string[] {
  if (lanes.length === 0) return [paint('red', cut('   no lanes: it waits for one', columns))]
  const wide = columns >= WIDE
  const shown = WIDTHS.map((width, i) => (columns >= NARROW || NARROW_HAS[i] ? width : 0))
  const fixed = shown.reduce<number>((sum, width) => sum + (width === 0 ? 0 : width + 1), 1)
  const from = Math.max(columns - fixed - (wide ? 44 : 11), 8)
  const most = Math.max(...rates.flatMap(each => each?.history ?? []), 1)
  const known = rates.some(each => each !== undefined)
  const row = (path: string, cells: readonly string[]) => {
    const fitted = cells.map((cell, i) =>
      shown[i] === 0 ? '' : `${fit(cell, shown[i]!, 'right')} `,
    )
    return `${fitted[0]}${fit(path, from)} ${fitted.slice(1).join('')}`
  }
  const moved = known ? ['in/s', 'out/s'] : ['in', 'out']
  const head = `${row(wide ? 'from → to' : 'from', ['lane', ...moved, 'rtt', '', 'room'])}state`
  const lines = lanes.map((lane, i) => {
    const path = printable(lane.from) + (wide ? ` → ${printable(lane.to)}` : '')
    const rtt = lane.rttMs === null ? '' : formatTime(lane.rttMs)
    const full = `${Math.round((100 * lane.inFlight) / Math.max(lane.room, 1))} %`
    const moved = known
      ? [rate(rates[i]?.in), rate(rates[i]?.out)]
      : [lane.bytesIn, lane.bytesOut].map(formatBytes)
    const cells = [String(lane.number), ...moved, rtt, blocks(rates[i], most), full]
    const text = wide ? printable(lane.reason ?? lane.state) : word(lane)
    const before = row(path, cells)
    return cut(before, columns) + paint(style(lane), cut(text, columns - before.length))
  })
  return [heading(cut(head, columns), paint), ...lines]
}

/** What the words of the lanes' states mean, each once; nothing where the lines say it. */
export function legend(
  sessions: readonly SessionSnapshot[],
  columns: number,
  paint: Paint,
): string[] {
  if (columns >= WIDE) return []
  const reasons = sessions.flatMap(({ lanes }) => lanes.flatMap(lane => lane.reason ?? []))
  const long = [...new Set(reasons.filter(reason => reason.includes(':')).map(printable))].sort()
  const lines = long.map(reason => paint('dim', cut(`  ${reason}`, columns)))
  return lines.length === 0 ? [] : ['', ...lines]
}

/** A heading, so that it is seen to be one. */
export function heading(text: string, paint: Paint): string {
  return paint('underline', text)
}

/** The last rates as blocks, against the fastest of all lanes. */
function blocks(rates: Rates | undefined, most: number): string {
  const top = BLOCKS.length - 1
  return (rates?.history ?? []).map(each => BLOCKS[Math.round((each / most) * top)]!).join('')
}

/** The state in one word: the reason's first, if there is a reason. */
function word({ state, reason }: LaneSnapshot): string {
  return printable(reason?.split(':')[0] ?? state)
}

function style({ state, reason }: LaneSnapshot): Parameters<typeof styleText>[0] {
  if (state === 'suspect') return 'red'
  if (state === 'proving') return 'yellow'
  if (state === 'leaving') return 'magenta'
  if (reason === null) return 'green'
  return reason.startsWith('backup') ? 'dim' : 'cyan'
}
