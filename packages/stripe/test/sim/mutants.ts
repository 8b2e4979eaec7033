// Planted bugs: each is a change of the core's real source, after a bug that somebody made: the
// seeds of this project, its peers, or we ourselves. The simulator has to find every one.

export interface Mutant {
  /** What is wrong, and whose bug it is. */
  readonly name: string
  readonly file: string
  readonly find: string
  readonly replace: string
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
      'for (const { parcel } of lane.flight) this.#arrived(parcel)\n  }\n\n  /** A parcel that is',
  },
  {
    name: 'a lane is lost and nothing is sent again (Multiplexity)',
    file: 'copies.ts',
    find: 'if (lost.length > 0) this.#lost =',
    replace: 'if (lost.length < 0) this.#lost =',
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
]
