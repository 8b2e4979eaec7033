// Planted bugs: each is a change of the core's real source, after a bug that somebody made: the
// seeds of this project, its peers, or we ourselves. The simulator has to find every one. Each
// invariant of the simulator is broken by one of them at least.

import type { Rule } from './violation.ts'

export interface Mutant {
  /** What is wrong, and whose bug it is. */
  readonly name: string
  readonly file: string
  readonly find: string
  readonly replace: string
  /** The promise that it has to break, where it is there to show that this one is checked. */
  readonly breaks?: Rule
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'END is lost where it overtakes a parcel (mtcp)',
    file: 'receiver.ts',
    find: 'if (isEnd) this.#end = number',
    replace: 'if (isEnd && number === this.#floor) this.#end = number',
  },
  {
    name: 'what was written to a lane counts as delivered (NEO-181)',
    file: 'sender.ts',
    find: 'this.#copies.giveUp(lane)\n  }\n\n  /** A parcel that is overdue',
    replace:
      'for (const { parcel } of lane.flight) this.#retained.arrived(parcel)\n  }\n\n  /** A parcel that is',
    breaks: 'I4',
  },
  {
    name: 'a lane is lost and nothing is sent again (Multiplexity)',
    file: 'copies.ts',
    find: 'if (lost.length > 0) this.#lost =',
    replace: 'if (lost.length < 0) this.#lost =',
    breaks: 'I5',
  },
  {
    name: 'the writer ignores credit (aggligator before 0.9.12)',
    file: 'sender.ts',
    find: 'if (head === undefined || this.#sentBytes + head.bytes > this.#limit) return undefined',
    replace: 'if (head === undefined) return undefined',
  },
  {
    name: 'the end is told before the last gap is filled',
    file: 'receiver.ts',
    find: 'return this.#end !== undefined && this.#floor > this.#end',
    replace: 'return this.#end !== undefined',
  },
  {
    name: 'what arrives twice below the floor is delivered twice',
    file: 'receiver.ts',
    find: 'const known = number < this.#floor || this.#above.has(number)',
    replace: 'const known = this.#above.has(number)',
    breaks: 'I1',
  },
  {
    name: 'what arrives twice above the floor is delivered twice',
    file: 'receiver.ts',
    find: 'const known = number < this.#floor || this.#above.has(number)',
    replace: 'const known = number < this.#floor',
  },
  {
    name: 'the timer of an acknowledgement is not set',
    file: 'core.ts',
    find: 'if (!lane.blocked) first = Math.min(first, this.#receiver.ackAt ?? Infinity)',
    replace: '',
  },
  {
    name: 'a timer for minus infinity is no timer (ours)',
    file: 'core.ts',
    find: 'if (!this.#sender.starved) this.#starvedAt = now',
    replace: 'this.#starvedAt = -Infinity',
    breaks: 'I6',
  },
  {
    name: 'numbers wrap at the end of their field (NEO-181: 16 bits; here 8)',
    file: 'wire.ts',
    find: 'message[0] = type\n  writeInteger(message, number, 1)',
    replace: 'message[0] = type\n  writeInteger(message, number % 256, 1)',
  },
  {
    name: 'credit is never renewed',
    file: 'receiver.ts',
    find: 'this.#limit = Math.max(this.#limit, this.#takenBytes + this.#window)',
    replace: '',
  },
  {
    name: 'an ACK acknowledges one parcel too many',
    file: 'receiver.ts',
    find: 'return { floor: this.#floor, limit',
    replace: 'return { floor: this.#floor + (this.#above.size > 0 ? 1 : 0), limit',
  },
  {
    name: 'a lane counts copies as nothing, so its acknowledgements are off',
    file: 'receiver.ts',
    find: 'lane.received++',
    replace: 'if (number >= this.#floor) lane.received++',
  },
  {
    name: 'a lane that has drained is not told (js-libp2p #3551)',
    file: 'core.ts',
    find: 'lane.blocked = blocked',
    replace: 'lane.blocked ||= blocked',
  },
  {
    name: 'END is not sent again',
    file: 'copies.ts',
    find: 'if (parcel.arrived || parcel.waiting',
    replace: 'if (parcel.bytes === 0 || parcel.arrived || parcel.waiting',
  },
  {
    name: 'a lane that is silent is never given up',
    file: 'health.ts',
    find: "if (now >= lane.heardAt + DEAD_MS) return { do: 'drop', reason: `silent for ${DEAD_MS} ms` }",
    replace: '',
  },
  {
    name: 'a lane that is lost keeps the first of what was under way on it',
    file: 'copies.ts',
    find: 'if (lost.length > 0) this.#lost = [...this.#lost, ...lost]',
    replace: 'if (lost.length > 0) this.#lost = [...this.#lost, ...lost.slice(1)]',
  },
  {
    name: 'a lane that was measured with nothing counts as standing still (ours)',
    file: 'meter.ts',
    find: 'if (sample === 0 || (stamp.limited && sample < (this.#rate.value ?? 0))) return',
    replace: 'if (stamp.limited && sample < (this.#rate.value ?? 0)) return',
  },
  {
    name: 'what takes a connection counts as the far end (ours)',
    file: 'core.ts',
    find: 'if (![...this.#lanes.values()].some(each => each.heard)) this.#noLaneSince ??= now',
    replace:
      'if (this.#lanes.size === 0) this.#noLaneSince ??= now; else this.#noLaneSince = undefined',
  },
  {
    name: 'a session that ended well at the far end is taken for one that was lost',
    file: 'core.ts',
    find: 'if (message.code === wire.FINISHED && this.#receiver.ended)',
    replace: 'if (message.code === wire.FINISHED && !this.#receiver.ended)',
  },
  {
    name: 'a backup that was not needed once is never used',
    file: 'sender.ts',
    find: 'lane.standby = lane.backup && backupsRest',
    replace: 'lane.standby ||= lane.backup && backupsRest',
  },
  {
    name: 'a lane that is over its budget is not let go',
    file: 'core.ts',
    find: 'if (lane.spent) this.leave(number)',
    replace: '',
  },
  {
    name: 'a lane takes the place of another with its number (aggligator: a duplicate lane)',
    file: 'core.ts',
    find: 'if (this.#lanes.has(number)) throw new RangeError(`lane ${number} is there already`)',
    replace: '',
  },
  {
    name: 'the reader does not mind its window (aggligator)',
    file: 'receiver.ts',
    find: 'if (this.#receivedBytes + bytes > this.#limit) {',
    replace: 'if (bytes < 0) {',
    breaks: 'I2',
  },
  {
    name: 'the reader keeps numbers however far apart they are',
    file: 'receiver.ts',
    find: 'if (number >= this.#floor + MAX_PARCELS_UNDER_WAY) {',
    replace: 'if (number < 0) {',
    breaks: 'I2',
  },
  {
    name: 'what was never sent may be acknowledged (quiche)',
    file: 'sender.ts',
    find: 'if (ack.floor > this.#next) {',
    replace: 'if (ack.floor > this.#next + 1000) {',
    breaks: 'I3',
  },
  {
    name: 'an end that is done goes on',
    file: 'core.ts',
    find: 'farewell(now: number): void {\n    this.#over = true',
    replace: 'farewell(now: number): void {',
    breaks: 'I7',
  },
  {
    name: 'a failure is told twice',
    file: 'core.ts',
    find: "this.#over = true\n    this.#outputs.push({ do: 'failed', error })",
    replace:
      "this.#over = true\n    this.#outputs.push({ do: 'failed', error }, { do: 'failed', error })",
    breaks: 'I8',
  },
  {
    name: 'a failure has a code that nobody knows',
    file: 'core.ts',
    find: "this.#fail(new PipeError('ERR_PIPE_NO_LANES', sentence))",
    replace: "this.#fail(Object.assign(new Error(sentence), { code: 'ETIMEDOUT' }))",
    breaks: 'I8',
  },
  {
    name: 'copies that need not be have no budget (un-gated re-injection: XLINK)',
    file: 'copies.ts',
    find: 'return FREE_COPY_BYTES + sentBytes * COPY_SHARE - this.#bytes',
    replace: 'return Infinity',
    breaks: 'I9',
  },
  {
    name: 'an acknowledgement is due as soon as it was sent',
    file: 'receiver.ts',
    find: 'this.#ackAt = undefined\n    this.#ackedAt = now',
    replace: 'this.#ackAt = now\n    this.#ackedAt = now',
    breaks: 'I9',
  },
  {
    name: 'a lane that leaves is told to end for ever',
    file: 'health.ts',
    find: '    lane.ended = true\n',
    replace: '',
    breaks: 'I10',
  },
]
