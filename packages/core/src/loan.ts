// Loans: chunks whose memory is used again.
//
//   lender ── chunk, loan ──▶ borrower ── chunk, loan ──▶ LoanTaker.writeLent()
//                                             loan.release() when the last user is done
//
// A chunk from fresh memory costs more than the system call that fills it. So a pipe may lend its
// memory, and gets it back. A loan goes to one borrower, past the buffer of the Readable and past
// 'data': what those give is the reader's for good, and never used again (decision 0070). A
// borrower that knows nobody who gives loans back has no use for them, and reads as anybody does.

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

/** Whoever can use memory that is lent. */
export interface Borrower {
  /** Takes a chunk; without a loan it is the borrower's own. Bytes come in order, also between this
   *  and 'data'. */
  borrow(chunk: Buffer, loan: Loan | undefined): void
}

/** A byte pipe that lends the memory it reads into. */
export interface Lender {
  /**
   * Gives chunks to `borrower` from now on, instead of to 'data'; undefined: no more. The borrower
   * must listen to 'data' as well, and gets there, as its own, what it must not have alone: while
   * others listen too, or the pipe is paused, or something waits in its buffer. `pause()`,
   * `resume()`, 'end' and all else stay as they are. Does nothing where memory cannot be lent.
   */
  lendTo(borrower: Borrower | undefined): void
}

/** A byte pipe that says when it is done with a chunk. */
export interface LoanTaker {
  /** Writes a chunk as `write()` does, with its answer, and releases the loan when the system has
   *  the bytes; after a failure it is kept. */
  writeLent(chunk: Buffer, loan: Loan | undefined): boolean
}

/** Whether a pipe lends, of this copy of the package or of another. */
export function isLender<D extends Duplex>(duplex: D): duplex is D & Lender {
  return 'lendTo' in duplex
}

/** Whether a pipe takes loans, of this copy of the package or of another. */
export function isLoanTaker<D extends Duplex>(duplex: D): duplex is D & LoanTaker {
  return 'writeLent' in duplex
}
