// BudgetPipe: what cut and end have in common. It passes everything until so many bytes have
// passed, both directions together, and then does its worst.

import { labelOf, WrapPipe } from '@striper/core'
import type { ByteDuplex, Done } from '@striper/core'
import { wholeNumber } from './check.ts'

export interface BudgetOptions {
  /** How many bytes pass before, both directions together. With 0 it happens as soon as the pipe is
   *  open. */
  afterBytes: number
}

export abstract class BudgetPipe extends WrapPipe<'bytes'> {
  #left: number

  constructor(below: ByteDuplex, name: string, { afterBytes }: BudgetOptions) {
    super(below, { kind: 'bytes', label: `${name}(${labelOf(below)})` })
    this.#left = afterBytes
    if (afterBytes === 0) this.once('ready', () => this.spent())
  }

  /** Called once, when the last byte has passed. */
  protected abstract spent(): void

  protected override receive(chunk: Buffer): void {
    const part = this.#take(chunk)
    if (part.length > 0) super.receive(part)
    this.#settle(part)
  }

  protected override send(chunks: readonly Buffer[], done: Done): void {
    const parts = chunks.map(chunk => this.#take(chunk)).filter(part => part.length > 0)
    if (parts.length > 0) super.send(parts, done)
    else done()
    this.#settle(...parts)
  }

  #take(chunk: Buffer): Buffer {
    const part = chunk.subarray(0, this.#left)
    this.#left -= part.length
    return part
  }

  #settle(...parts: readonly Buffer[]): void {
    const passed = parts.some(part => part.length > 0)
    if (passed && this.#left === 0 && !this.destroyed) this.spent()
  }
}

/** Checks the options of such a layer where they are given. */
export function checkBudget({ afterBytes }: BudgetOptions): void {
  wholeNumber(0, afterBytes, 'afterBytes')
}
