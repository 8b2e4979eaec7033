// Violation: something that must never happen, happened. The invariants are those of FoundationDB's
// and TigerBeetle's kind: true after every event, whatever the faults.

/**
 * | | after every event |
 * |---|---|
 * | I1 | what is delivered was sent, unchanged, and came once; nothing comes after the end |
 * | I2 | what waits for the reader is within the window, and no more credit is given than that |
 * | I3 | what is acknowledged was sent, has arrived, and stays acknowledged |
 * | I4 | what has not arrived is retained, and within the credit that the peer gave |
 * | I5 | what is under way is on a lane that is up, or goes by another as soon as one is open |
 * | I6 | whoever is not done has a deadline, and time goes on |
 * | I7 | whoever is done holds nothing, does nothing and waits for nothing |
 * | I8 | there is one end or one failure, and it has a code of the closed set |
 * | I9 | what need not be sent again is within its budget, and nothing is said unasked |
 * | I10 | there is an end to what is to be done at one moment |
 * | L | when all is healed everything is done in bounded time: liveness, and no invariant |
 * | T | nothing throws |
 */
export type Rule = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8' | 'I9' | 'I10' | 'L' | 'T'

export class Violation extends Error {
  readonly rule: Rule

  constructor(rule: Rule, what: string) {
    super(`${rule}: ${what}`)
    this.rule = rule
  }
}
