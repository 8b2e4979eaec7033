// Turn: what goes on a lane in one turn goes with one call, however many messages that is.

import { isLoanTaker, type Loan, type Message, type MessagePipe } from '@striper/core'

export class Turn {
  readonly #lanes = new Set<MessagePipe>() // that wait for the end of it

  /** Writes a message, with the answer of `write()`, and hands on the loan of its memory. */
  write(lane: MessagePipe, message: Message, loan: Loan | undefined): boolean {
    if (!this.#lanes.has(lane)) {
      this.#lanes.add(lane)
      lane.cork()
    }
    if (loan && isLoanTaker(lane)) return lane.writeLent(message, loan)
    loan?.keep()
    return lane.write(message)
  }

  /** It is over: what was written goes. */
  end(): void {
    for (const lane of this.#lanes) lane.uncork()
    this.#lanes.clear()
  }
}
