// PassingPipe: a layer that passes on the very bytes that it was given, with headers of its own at
// most, and so their loans too.
//
//   writer ── writeLent(unit, loan) ──▶ encode ──▶ lower.writeLent(pieces, loan)
//
// Where what is below takes no loans, they are kept.

import type { Done } from './base.ts'
import { joined, WrittenLoans } from './lending.ts'
import { isLoanTaker, type Loan, type LoanTaker } from './loan.ts'
import type { Kind, Message } from './pipe.ts'
import { WrapPipe } from './wrap.ts'

export class PassingPipe<K extends Kind> extends WrapPipe<K> implements LoanTaker {
  readonly #written = new WrittenLoans(this)
  #going: Loan[] = [] // of the units that are being encoded

  writeLent(unit: Message, loan: Loan | undefined): boolean {
    return this.#written.write(unit, loan)
  }

  override _write(unit: Message, encoding: string, done: Done): void {
    this.#take(unit)
    super._write(unit, encoding, done)
  }

  override _writev(writes: { chunk: unknown }[], done: Done): void {
    for (const { chunk } of writes) this.#take(chunk)
    super._writev(writes, done)
  }

  protected override give(chunks: readonly Buffer[]): boolean {
    const loan = this.takeLoan()
    if (loan && isLoanTaker(this.lower)) return this.lower.writeLent(chunks, loan)
    loan?.keep()
    return super.give(chunks)
  }

  /** The loan of all that is being sent; it is the caller's. */
  protected takeLoan(): Loan | undefined {
    const loan = joined(this.#going)
    this.#going = []
    return loan
  }

  override _destroy(error: Error | null, done: Done): void {
    for (const loan of this.#going) loan.keep() // what failed to be encoded
    this.#going = []
    this.#written.keep()
    super._destroy(error, done)
  }

  #take(unit: unknown): void {
    const loan = this.#written.take(unit)
    if (loan) this.#going.push(loan)
  }
}
