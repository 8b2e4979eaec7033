// end: a pipe that ends before its time, as if each side had heard the other finish.

import type { Done, Layer } from '@striper/core'
import { BudgetPipe, type BudgetOptions, checkBudget } from './budget.ts'

/**
 * Once `afterBytes` bytes have been received and sent, ends the pipe below (over TCP: FIN) and
 * gives the reader above an end. Those bytes all arrive; what either side sends later is taken and
 * thrown away. The pipe closes when its writer has ended and the pipe below has ended too. It holds
 * nothing back before.
 */
export function end(options: BudgetOptions): Layer {
  checkBudget(options)
  return below => new EndPipe(below, 'end', options)
}

class EndPipe extends BudgetPipe {
  #ended = false

  protected override spent(): void {
    this.lower.end()
    this.finish()
    this.lower.resume() // or its own end would never come, and it would never close
  }

  protected override finish(): void {
    if (this.#ended) return
    this.#ended = true
    super.finish()
  }

  override _final(done: Done): void {
    // After a premature end it closes with the pipe below: to close before would be an abort.
    if (!this.#ended || !this.lower.writableEnded) super._final(done)
    else if (this.lower.closed) done()
    else this.lower.once('close', () => done())
  }
}
