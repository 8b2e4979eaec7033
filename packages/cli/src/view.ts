// StatusView: snapshots as lines for a terminal. No clock and no stream: the time is the uptime
// that the snapshots say, so the same snapshots give the same picture.
//
//   striper client 0.1.0  pid 4242  up 2 min 05 s  key 12ab34cd56ef7890
//   15.3 MB/s in  1.2 MB/s out  1 session, 3 channels
//
//   lane from                        in/s      out/s    rtt          room  state
//      0 192.0.2.11              1.9 MB/s    40 kB/s  21 ms ▂▃▅▇▇▇▇▇  63 % working
//
// Nothing in a snapshot reaches the terminal but as printable ASCII.

import { styleText } from 'node:util'
import { heading, laneLines, legend, type Paint } from './view-lanes.ts'
import type { ChannelSnapshot, SessionSnapshot, Snapshot, WantedSnapshot } from './snapshot.ts'
import { fit, formatBytes, formatRate, formatTime, printable } from './terminal.ts'

/** What there is to draw on. */
export interface Sheet {
  readonly columns: number
  /** The lines, at most; what does not fit is left out, and said so. */
  readonly rows: number
  readonly colour: boolean
}

/** How many rates a lane's line of blocks shows. */
const HISTORY = 8

interface Counted {
  readonly bytesIn: number
  readonly bytesOut: number
}

/** Rates of something counted: bytes a second, undefined while there is nothing to compare. */
export interface Rates {
  readonly in: number | undefined
  readonly out: number | undefined
  /** Both together, of late; the latest is the last. */
  readonly history: readonly number[]
}

export class StatusView {
  #snapshot: Snapshot
  #before = new Map<string, Counted>()
  #rates = new Map<string, Rates>()

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot
    for (const [key, counted] of counters(snapshot)) this.#before.set(key, counted)
  }

  /** Takes the next snapshot; of another process, it begins anew. */
  next(snapshot: Snapshot): void {
    const ms = snapshot.uptimeMs - this.#snapshot.uptimeMs
    const same = snapshot.pid === this.#snapshot.pid && ms > 0
    const before = this.#before
    this.#before = new Map(counters(snapshot))
    const rates = new Map<string, Rates>()
    for (const [key, now] of same ? this.#before : []) {
      const then = before.get(key)
      if (!then) continue
      const a = Math.max(((now.bytesIn - then.bytesIn) / ms) * 1000, 0)
      const b = Math.max(((now.bytesOut - then.bytesOut) / ms) * 1000, 0)
      const history = [...(this.#rates.get(key)?.history ?? []), a + b].slice(-HISTORY)
      rates.set(key, { in: a, out: b, history })
    }
    this.#rates = rates
    this.#snapshot = snapshot
  }

  /** The picture. No line is longer than the sheet is wide, colours not counted. */
  lines(sheet: Sheet): string[] {
    const { columns, rows } = sheet
    const paint: Paint = (style, text) => (sheet.colour ? styleText(style, text) : text)
    const { sessions, wanted } = this.#snapshot
    const missing = wanted.filter(lane => lane.state !== 'up')
    const lines = [
      ...this.#head(columns, paint),
      ...sessions.flatMap(session => this.#session(session, columns, paint)),
      ...missing.flatMap((lane, i) => [...(i === 0 ? [''] : []), wantedLine(lane, columns, paint)]),
      ...legend(sessions, columns, paint),
      ...this.#limits(columns, paint),
    ]
    const channels = sessions.flatMap(session =>
      session.channels.map(channel => ({
        channel,
        rates: this.#rates.get(keyOf(session, channel)),
      })),
    )
    lines.push(...channelLines(channels, columns, rows - lines.length, paint))
    if (lines.length <= rows) return lines
    const cut = lines.length - rows + 1
    return [...lines.slice(0, rows - 1), paint('dim', `… ${cut} more lines`.slice(0, columns))]
  }

  #head(columns: number, paint: Paint): string[] {
    const { role, version, pid, uptimeMs, security, totals, listening, open } = this.#snapshot
    const { in: a, out: b } = this.#rates.get('') ?? { in: undefined, out: undefined }
    const name = printable(`striper ${role} ${version}`)
    const rest = `  pid ${pid}  up ${formatTime(uptimeMs)}  ${security}`
    const rate = a === undefined || b === undefined
    const now = rate ? '' : `${formatRate(a)} in  ${formatRate(b)} out  `
    const sessions = number(open.sessions, 'session')
    const counts = `${sessions}, ${number(open.channels, 'channel')}`
    const all = `${formatBytes(totals.bytesIn)} in and ${formatBytes(totals.bytesOut)} out in all`
    const refused = totals.refused > 0 ? `, ${totals.refused} refused` : ''
    return [
      paint('bold', cut(name, columns)) + cut(printable(rest), columns - name.length),
      cut(`${now}${counts}; ${all}${refused}`, columns),
      ...(listening.length > 0 ? [cut(`at ${printable(listening.join(', '))}`, columns)] : []),
    ]
  }

  #session(session: SessionSnapshot, columns: number, paint: Paint): string[] {
    const peer = session.peer === null ? '' : `  with ${session.peer}`
    const title = `session ${session.id}${peer}  for ${formatTime(session.forMs)}`
    const rates = session.lanes.map(lane => this.#rates.get(keyOf(session, lane)))
    return [
      '',
      paint('bold', cut(printable(title), columns)),
      ...waitingLines(session).map(line => cut(line, columns)),
      ...laneLines(session.lanes, rates, columns, paint),
    ]
  }

  #limits(columns: number, paint: Paint): string[] {
    const used = this.#snapshot.limits.filter(({ used }) => used > 0)
    if (used.length === 0) return []
    const words = used.map(({ name, used, most }) => `${name} ${used}/${most}`)
    const near = used.some(({ used, most }) => used >= 0.8 * most)
    const line = cut(printable(`limits: ${words.join(', ')}`), columns)
    return ['', near ? paint('yellow', line) : paint('dim', line)]
  }
}

/** Everything that is counted, by a key that stays. '' is the whole. */
function* counters(snapshot: Snapshot): Generator<[string, Counted]> {
  yield ['', snapshot.totals]
  for (const session of snapshot.sessions) {
    for (const each of [...session.lanes, ...session.channels]) yield [keyOf(session, each), each]
  }
}

/** What waits at this end of a session, where anything does. */
function waitingLines({ heldBytes, queuedBytes, retainedBytes }: SessionSnapshot): string[] {
  const all: [number, string][] = [
    [heldBytes, 'for readers'],
    [queuedBytes, 'to be sent'],
    [retainedBytes, 'to be acknowledged'],
  ]
  const parts = all.flatMap(([bytes, what]) => (bytes > 0 ? `${formatBytes(bytes)} ${what}` : []))
  return parts.length > 0 ? [`waits: ${parts.join(', ')}`] : []
}

function keyOf(session: SessionSnapshot, each: { number: number; target?: string }): string {
  return `${session.id} ${each.target === undefined ? 'lane' : 'channel'} ${each.number}`
}

function wantedLine(lane: WantedSnapshot, columns: number, paint: Paint): string {
  const attempts = lane.attempts > 1 ? `, ${lane.attempts} attempts` : ''
  const line = cut(printable(`   - ${lane.key}  ${lane.why}${attempts}`), columns)
  return paint(lane.state === 'dialling' ? 'yellow' : 'red', line)
}

function channelLines(
  channels: readonly { channel: ChannelSnapshot; rates: Rates | undefined }[],
  columns: number,
  rows: number,
  paint: Paint,
): string[] {
  if (channels.length === 0 || rows < 3) return []
  const widths = [9, 9, 8, 8, 12, 4]
  const target = Math.max(columns - 5 - widths.reduce((sum, width) => sum + 1 + width, 0), 12)
  const row = (cells: readonly string[]) => {
    const [number = '', name = '', ...rest] = cells
    const line = `${fit(number, 4, 'right')} ${fit(name, target)}`
    return cut(line + rest.map((cell, i) => ` ${fit(cell, widths[i]!, 'right')}`).join(''), columns)
  }
  const speed = ({ rates }: { rates: Rates | undefined }) => (rates?.in ?? 0) + (rates?.out ?? 0)
  const sorted = [...channels].sort((a, b) => speed(b) - speed(a))
  const shown = sorted.slice(0, sorted.length <= rows - 2 ? rows - 2 : rows - 3)
  const lines = shown.map(({ channel, rates }) =>
    row([
      String(channel.number),
      printable(channel.target),
      rate(rates?.in),
      rate(rates?.out),
      formatBytes(channel.bytesIn),
      formatBytes(channel.bytesOut),
      formatTime(channel.forMs),
      String(channel.priority),
    ]),
  )
  const more = sorted.length - shown.length
  const title = heading(row(['chan', 'to', 'in/s', 'out/s', 'in', 'out', 'for', 'prio']), paint)
  return ['', title, ...lines, ...(more > 0 ? [paint('dim', `     … ${more} more`)] : [])]
}

/** A rate, or nothing where it is not known. */
export function rate(bytes: number | undefined): string {
  return bytes === undefined ? '' : formatRate(bytes)
}

/** At most so many columns. */
export function cut(text: string, columns: number): string {
  return text.length <= columns ? text : fit(text, columns)
}

function number(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}
