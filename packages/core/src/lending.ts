// What a pipe needs that passes on what it borrows: a loan for several users and several loans for
// one, when a borrower may have a unit for itself, and loans of what is in a pipe's buffer.
//
//   lender ── chunk, loan ──▶ frame ── message, share ──▶ borrower
//                                   ── message, share ──▶ borrower     released: when all are

import { pieces, type PipeBase, sizeOf, writeAll } from './base.ts'
import type { Borrower, Loan } from './loan.ts'
import type { Kind, Message } from './pipe.ts'
import type { Duplex } from './stream.ts'

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

/** A loan of what others have as well. Whoever counts them is told once how it ended. */
export class Share implements Loan {
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

/** Several loans as one, of what is used together; undefined where there is none. */
export function joined(loans: readonly Loan[]): Loan | undefined {
  if (loans.length < 2) return loans[0]
  return {
    release: () => {
      for (const loan of loans) loan.release()
    },
    keep: () => {
      for (const loan of loans) loan.keep()
    },
  }
}

/** The loans of units that were written to a pipe and are still in its buffer. */
export class WrittenLoans {
  readonly #pipe: PipeBase<Kind>
  #waiting: { readonly unit: unknown; readonly loan: Loan }[] | undefined // in order

  constructor(pipe: PipeBase<Kind>) {
    this.#pipe = pipe
  }

  /** Writes a unit, with the answer of `writeLent()`. Its loan is found again by `take()`. */
  write(unit: Message, loan: Loan | undefined): boolean {
    const pipe = this.#pipe
    const chunks = pipe.kind === 'bytes' ? pieces(unit) : undefined // of bytes each goes by itself
    if (loan) this.#note(chunks ?? [unit], loan)
    const more = chunks ? writeAll(pipe, chunks) : pipe.write(unit)
    // One large unit is as much as a pipe holds, but it may be gone: then nobody has to wait.
    return more || (pipe.writable && pipe.writableLength < pipe.writableHighWaterMark)
  }

  #note(units: readonly unknown[], loan: Loan): void {
    const waiting = (this.#waiting ??= [])
    const { destroyed, writableEnded } = this.#pipe
    const known = waiting.some(({ unit }) => units.includes(unit))
    if (destroyed || writableEnded || known) return loan.keep()
    if (units.length === 1) {
      waiting.push({ unit: units[0], loan })
      return
    }
    const shared = new SharedLoan(loan)
    for (const unit of units) waiting.push({ unit, loan: shared.share() })
    shared.done()
  }

  /** The loan of a unit that is on its way now, if it has one. It is the caller's. Units go in the
   *  order in which they were written, so one before it that was not asked for never will be. */
  take(unit: unknown): Loan | undefined {
    const index = this.#waiting?.findIndex(each => each.unit === unit) ?? -1
    if (index < 0) return undefined
    for (const { loan } of this.#waiting!.splice(0, index)) loan.keep()
    return this.#waiting!.shift()!.loan
  }

  /** What has not been taken goes nowhere. */
  keep(): void {
    for (const { loan } of this.#waiting ?? []) loan.keep()
    this.#waiting = undefined
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
  lend(unit: Message, loan: Loan | undefined): boolean {
    if (!this.ready) {
      loan?.keep()
      return false
    }
    const { stats, kind } = this.#pipe
    stats.bytesIn += sizeOf(unit)
    if (kind !== 'bytes') stats.messagesIn++
    this.borrower!.borrow(unit, loan)
    return true
  }

  /** Whether a unit would be lent now. */
  get ready(): boolean {
    return this.borrower !== undefined && seesAlone(this.#pipe)
  }
}

/** Whether whoever listens to a Duplex would see a chunk at once, and nobody else would. */
export function seesAlone(duplex: Duplex): boolean {
  if (duplex.readableFlowing !== true || duplex.readableLength > 0) return false
  return duplex.listenerCount('data') === 1
}
