// Lent: the memory of a stream's bytes that is on loan, until all of them are on their way.

import { joined, type Loan, NO_BYTES, SharedLoan } from '@striper/core'

interface Part {
  readonly from: number
  readonly end: number
  readonly shared: SharedLoan
}

export class Lent {
  #parts: Part[] = [] // in order
  #written = NO_BYTES

  /** So many bytes more, whose memory may be on loan. */
  write(bytes: number, loan: Loan | undefined): void {
    const from = this.#written
    const end = (this.#written += bytes)
    if (loan && bytes > 0) this.#parts.push({ from, end, shared: new SharedLoan(loan) })
    else loan?.release()
  }

  /** A loan for who has the bytes `from` to `end`; undefined where none of them is on loan. Those
   *  before `end` are asked for once. */
  share(from: number, end: number): Loan | undefined {
    const parts = this.#parts
    if (parts.length === 0) return undefined
    const under = parts.filter(part => part.from < end && part.end > from)
    const loans = under.map(({ shared }) => shared.share())
    while (parts.length > 0 && parts[0]!.end <= end) parts.shift()!.shared.done()
    return joined(loans)
  }

  /** Nobody will ask for more. */
  clear(): void {
    for (const { shared } of this.#parts.splice(0)) shared.done()
  }
}
