// What the driver and the two ends say to each other: one object a line, as JSON, on stdin and
// stdout.
//
//   driver ── Ask ──▶ receiver ══ Task, over the network ══▶ sender
//   driver ◀── { started }, { pass } ── receiver
//   driver ◀── { port } at first, { over } for each conversation ── sender

/** What carries a conversation. MPTCP is `tcp` whose sockets the system makes multipath. */
export type How = 'tcp' | 'striper' | 'round-robin'

/** Where a lane goes. */
export interface LaneAddress {
  host: string
  /** The local address to leave from. */
  from?: string
  /** On loopback: what our own fault layers make of it, in Mbit/s and ms one way. */
  faults?: { rate: number; delay: number }
}

/** One conversation to hold. */
export interface Ask {
  /** The sender's port. */
  port: number
  /** Unlike that of any conversation before. */
  id: number
  /** Plain TCP takes the first. */
  lanes: LaneAddress[]
  /** When it is broken off. */
  seconds: number
  /** So many questions, one after the other, each answered by as many bytes; without it, the sender
   *  sends all it can. */
  questions?: { bytes: number; count: number } | undefined
  /** What may wait at the receiver, for its reader or for order. */
  windowBytes?: number | undefined
  /** The receiver resets this lane at this second. */
  reset?: { lane: number; at: number } | undefined
}

/** What the receiver asks of the sender, in the first TASK_BYTES of the conversation. */
export interface Task {
  id: number
  /** The size of each question and answer; 0 for a sender that does not stop. */
  answerBytes: number
}

export const TASK_BYTES = 64

/** What arrived. Times are in ms from when the conversation was asked for: all lanes are up by
 *  then, plain TCP and MPTCP begin to connect. */
export interface Pass {
  /** Bytes in each 10 ms. */
  bins: number[]
  /** Times without a byte, of more than 20 ms. */
  gaps: { at: number; ms: number }[]
  /** How long each answer took. */
  answersMs: number[]
  /** With striper: the most that waited for bytes before it, after the second second, and the size
   *  of a parcel. */
  held?: { peakBytes: number; parcelBytes: number }
  /** With striper: after the second second, what the sender sent, and how much of it again. */
  sent?: { bytes: number; copiedBytes: number }
}

export const BIN_MS = 10
/** Figures of a steady state are taken from here on. */
export const STEADY_S = 2
