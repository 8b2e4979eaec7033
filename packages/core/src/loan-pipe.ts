// LoanPipe: a pipe that lends what comes, where it is on loan, and takes loans with what goes.

import { PipeBase } from './base.ts'
import { Lending, WrittenLoans } from './lending.ts'
import type { Borrower, Lender, Loan, LoanTaker } from './loan.ts'
import type { Kind, Message } from './pipe.ts'

export abstract class LoanPipe<K extends Kind> extends PipeBase<K> implements Lender, LoanTaker {
  protected readonly lending = new Lending(this)
  /** To be asked for the loan of each unit that is written, and told when the pipe is destroyed. */
  protected readonly written = new WrittenLoans(this)

  lendTo(borrower: Borrower | undefined): void {
    this.lending.borrower = borrower
  }

  writeLent(unit: Message, loan: Loan | undefined): boolean {
    return this.written.write(unit, loan)
  }
}
