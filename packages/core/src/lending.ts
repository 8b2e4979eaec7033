// What a pipe needs that passes on what it borrows: a loan for several users, and when a borrower
// may have a unit for itself.
//
//   lender ── chunk, loan ──▶ frame ── message, share ──▶ borrower
//                                   ── message, share ──▶ borrower     released: when all are

import type { PipeBase } from './base.ts'
import type { Borrower, Loan } from './loan.ts'
import type { Kind } from './pipe.ts'

/** One loan for several users. Its memory goes back when whoever made this and all users have
 *  released it; if one of them keeps it, it stays out for good. */
export class SharedLoan {
  readonly #loan: Loan
  #users = 1
  #kept = false

  constructor(loan: Loan) {
    this.#loan = loan
  }

  /** One user more. */
  share(): Loan {
    this.#users++
    return new Share(kept => this.#settle(kept))
  }

  /** Whoever made this has done with it: no more users come. To be called once. */
  done(): void {
    this.#settle(false)
  }

  #settle(kept: boolean): void {
    this.#kept ||= kept
    if (--this.#users > 0) return
    if (this.#kept) this.#loan.keep()
    else this.#loan.release()
  }
}

class Share implements Loan {
  #settle: ((kept: boolean) => void) | undefined

  constructor(settle: (kept: boolean) => void) {
    this.#settle = settle
  }

  release(): void {
    this.#over(false)
  }

  keep(): void {
    this.#over(true)
  }

  #over(kept: boolean): void {
    const settle = this.#settle
    this.#settle = undefined
    settle?.(kept)
  }
}

/** The borrower of a pipe, if it has one. */
export class Lending {
  readonly #pipe: PipeBase<Kind>
  borrower: Borrower | undefined

  constructor(pipe: PipeBase<Kind>) {
    this.#pipe = pipe
  }

  /** Lends a unit, and counts it, where nobody but the borrower would see it, and it would see it
   *  at once. False: the unit is to go by 'data', for good, and the loan is kept. */
  lend(unit: Buffer, loan: Loan | undefined): boolean {
    const { borrower } = this
    if (borrower === undefined || !this.#alone) {
      loan?.keep()
      return false
    }
    const { stats, kind } = this.#pipe
    stats.bytesIn += unit.length
    if (kind !== 'bytes') stats.messagesIn++
    borrower.borrow(unit, loan)
    return true
  }

  get #alone(): boolean {
    const pipe = this.#pipe
    if (pipe.readableFlowing !== true || pipe.readableLength > 0) return false
    return pipe.listenerCount('data') === 1 // the borrower's own
  }
}
