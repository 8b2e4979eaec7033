// @striper/core: the contract of a pipe and the plumbing that keeps it. Read pipe.ts, then wrap.ts.

export * from './pipe.ts'
export { PipeError, isPipeError, type PipeErrorCode } from './errors.ts'
export { memoryPair, type MemoryOptions } from './memory.ts'
export type { Codec } from './codec.ts'
export { layer, WrapPipe, type WrapInit } from './wrap.ts'
export {
  BYTES_HIGH_WATER,
  MESSAGES_HIGH_WATER,
  PipeBase,
  afterReady,
  type PipeInit,
  type Done,
  numbered,
  sizeOf,
  whole,
  pieces,
} from './base.ts'
export {
  isLender,
  isLoanTaker,
  type Borrower,
  type Lender,
  type Loan,
  type LoanTaker,
} from './loan.ts'
export { type Detachable, isDetachable, takeUnread } from './detach.ts'
export { Listeners, ownerOf, throwIfOwned } from './owner.ts'
export { Lending, SharedLoan } from './lending.ts'
export { ByteQueue, compact } from './bytes.ts'
export { type ChunkLoan, ChunkStock } from './chunks.ts'
export { readInteger, writeInteger } from './integer.ts'
export { abort } from './abort.ts'
export { logger, type Log } from './log.ts'
