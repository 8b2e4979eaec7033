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
  behind,
  sizeOf,
  whole,
  pieces,
  writeAll,
} from './base.ts'
export {
  HEAD_BYTES,
  isLender,
  isLoanTaker,
  type Borrower,
  type Lender,
  type Loan,
  type LoanTaker,
  writeLent,
} from './loan.ts'
export { type Detachable, isDetachable, takeUnread } from './detach.ts'
export { Listeners, ownerOf, throwIfOwned } from './owner.ts'
export { joined, Lending, seesAlone, Share, SharedLoan, WrittenLoans } from './lending.ts'
export { LoanPipe } from './loan-pipe.ts'
export { PassingPipe } from './passing.ts'
export { ByteQueue, compact, isSparse } from './bytes.ts'
export { type ChunkLoan, chunks, ChunkStock, largeChunks } from './chunks.ts'
export { descriptorOf, type OnRead, readInto, tellReadable } from './onread.ts'
export { NO_BYTES } from './counter.ts'
export { readInteger, writeInteger } from './integer.ts'
export { abort } from './abort.ts'
export { logger, type Log } from './log.ts'
