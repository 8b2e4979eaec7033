// Loans: chunks whose memory is used again.
//
//   lender ── chunk, loan ──▶ borrower ── chunk, loan ──▶ LoanTaker.writeLent()
//                                             loan.release() when the last user is done
//
// A chunk from fresh memory costs more than the system call that fills it. So a pipe may lend its
// memory, and gets it back. A loan goes to one borrower, past the buffer of the Readable and past
// 'data': what those give is the reader's for good, and never used again (decision 0070). A
// borrower that knows nobody who gives loans back has no use for them, and reads as anybody does.

import type { Message } from './pipe.ts'
import type { Duplex } from './stream.ts'

/** The memory of one chunk, on loan. Whoever has the chunk last calls one of these; further calls
 *  do nothing. If nobody does, the memory is garbage once nobody has the chunk. */
export interface Loan {
  /** Nobody will look at the chunk again, nor the system: its memory may hold other bytes from now
   *  on. */
  release(): void
  /** It stays with who has it, for good. */
  keep(): void
}

/** In a message that is lent in pieces so many bytes at its beginning lie in the first of them, or
 *  all that it has: headers need not be looked for. */
export const HEAD_BYTES = 64

/** Whoever can use memory that is lent. */
export interface Borrower {
  /** Takes a chunk, or a message, which may be in pieces; without a loan it is the borrower's own.
   *  What has an order comes in it, also between this and 'data'. */
  borrow(unit: Message, loan: Loan | undefined): void
}

/** A pipe that lends the memory it reads into. */
export interface Lender {
  /**
   * Gives what comes to `borrower` from now on, instead of to 'data'; undefined: no more. It must
   * listen to 'data' as well, and gets there, as its own, what it must not have alone: while
   * others listen too, or the pipe is paused, or something waits in its buffer. `pause()`,
   * `resume()`, 'end' and all else stay as they are. Does nothing where memory cannot be lent.
   */
  lendTo(borrower: Borrower | undefined): void
}

/** A pipe that says when it is done with the memory of what it was given. */
export interface LoanTaker {
  /** Writes as `write()` does a message, or a chunk, which may be in pieces as well. Answers as
   *  that does, but true where all has gone on already, however large it was. Releases the loan,
   *  which is of all pieces, when the system has the bytes and nobody here needs them; after a
   *  failure it is kept. */
  writeLent(unit: Message, loan: Loan | undefined): boolean
}

/** Writes a unit, and hands on the loan of its memory; where the pipe takes none, that is kept. */
export function writeLent(to: Duplex, unit: Message, loan: Loan | undefined): boolean {
  if (loan && isLoanTaker(to)) return to.writeLent(unit, loan)
  loan?.keep()
  return to.write(unit)
}

/** Whether a pipe lends, of this copy of the package or of another. */
export function isLender<D extends Duplex>(duplex: D): duplex is D & Lender {
  return 'lendTo' in duplex
}

/** Whether a pipe takes loans, of this copy of the package or of another. */
export function isLoanTaker<D extends Duplex>(duplex: D): duplex is D & LoanTaker {
  return 'writeLent' in duplex
}
