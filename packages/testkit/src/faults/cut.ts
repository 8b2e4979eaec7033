// cut: a pipe that is torn after so many bytes.

import { PipeError, type Layer } from '@striper/core'
import { BudgetPipe, type BudgetOptions, checkBudget } from './budget.ts'

/**
 * Aborts once `afterBytes` bytes have been received and sent: what is below is reset (over TCP:
 * RST), and the pipe above fails with ERR_PIPE_RESET. What is on the way by then may be lost, as in
 * any abort; nothing beyond `afterBytes` ever passes. It holds nothing back before.
 */
export function cut(options: BudgetOptions): Layer {
  checkBudget(options)
  return below => new CutPipe(below, 'cut', options)
}

class CutPipe extends BudgetPipe {
  protected override spent(): void {
    const sentence = 'cut, as this layer was told to'
    this.destroy(new PipeError('ERR_PIPE_RESET', sentence, { label: this.label }))
  }
}
