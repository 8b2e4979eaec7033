// The greeting: the first 24 bytes of every lane, in clear, so that a load balancer can keep the
// lanes of a session together.
//
//   ┌───────────────┬────────────┬────────────────────┐
//   │ 'STRIPER' 7 B │ version 1B │ session id    16 B │
//   └───────────────┴────────────┴────────────────────┘
//   0               7            8                   24

import { ByteQueue, isDetachable, isLender, labelOf, Lending, PassingPipe } from '@striper/core'
import { PipeError, takeUnread, whole } from '@striper/core'
import type {
  Borrower,
  ByteDuplex,
  Detachable,
  Done,
  Layer,
  Lender,
  Loan,
  Message,
} from '@striper/core'
import { SESSION_ID_BYTES } from '@striper/stripe'
import type { Duplex } from 'node:stream'

const MAGIC = Buffer.from('STRIPER\x01', 'latin1')
const GREETING_BYTES = MAGIC.length + SESSION_ID_BYTES

/** What is read of a stranger, at most, and the chunk that crosses it, in bytes: with one more he
 *  is aborted. (Were he paused, the buffers below would fill: 600 KiB over TCP.) A lane of ours has
 *  said its HELLO long before, and sends some 16 KiB behind it before it is answered. */
export const STRANGER_BYTES = 64 * 1024

/** The dialling end: says the greeting of a session, before anything else. */
export function greet(session: Buffer): Layer {
  return below => new GreetingPipe(below, session)
}

/** What it reads it passes on as it is, loans as well, from some time on. */
abstract class LanePipe extends PassingPipe<'bytes'> implements Borrower, Detachable, Lender {
  readonly #lending = new Lending(this)

  /** Whether all that comes now is passed on. */
  protected abstract get passes(): boolean

  get detachable(): boolean {
    const idle = !this.pending && this.writableLength === 0 && !this.writableEnded
    return idle && !this.readableEnded && !this.lower.readableEnded && isDetachable(this.lower)
  }

  detachSocket(unread: Buffer, abort: () => void): Duplex {
    this.standAside()
    const all = Buffer.concat([unread, takeUnread(this)])
    return (this.lower as Duplex & Detachable).detachSocket(all, abort)
  }

  resetBehindEnd(writes: boolean): Error | undefined {
    return (this.lower as Duplex & Detachable).resetBehindEnd(writes)
  }

  lendTo(borrower: Borrower | undefined): void {
    this.#lending.borrower = borrower
    if (isLender(this.lower)) this.lower.lendTo(borrower && this)
  }

  /** For the pipe below. */
  borrow(chunk: Message, loan: Loan | undefined): void {
    if (!this.passes) loan?.keep()
    if (!this.passes || !this.#lending.lend(chunk, loan)) this.receive(whole(chunk))
  }
}

class GreetingPipe extends LanePipe {
  readonly #session: Buffer

  constructor(below: ByteDuplex, session: Buffer) {
    super(below, { kind: 'bytes', label: `greet(${labelOf(below)})` })
    this.#session = session
  }

  protected override get passes(): boolean {
    return true
  }

  protected override open(done: Done): void {
    super.open(error => {
      if (!error && !this.lower.destroyed) this.lower.write(Buffer.concat([MAGIC, this.#session]))
      done(error)
    })
  }
}

/** The listening end: a pipe that opens when the greeting has been read, and carries what comes
 *  after it. Bytes that are no greeting destroy it with ERR_PIPE_PROTOCOL, at the first that is
 *  wrong. So does, until it is admitted, a chunk behind STRANGER_BYTES. */
export class GreetedPipe extends LanePipe {
  readonly #queue = new ByteQueue()
  #opened: Done | undefined
  #session: Buffer | undefined
  #allowance = STRANGER_BYTES

  constructor(below: ByteDuplex) {
    super(below, { kind: 'bytes', label: `greeted(${labelOf(below)})` })
  }

  /** The session's id, once the pipe is ready. */
  get session(): Buffer {
    if (this.#session === undefined) throw new TypeError(`${this.label} has not been greeted yet`)
    return this.#session
  }

  protected override get passes(): boolean {
    return this.#session !== undefined && this.#allowance === Infinity
  }

  protected override open(done: Done): void {
    this.#opened = done
    this.lower.resume() // nobody has asked for bytes yet, but the greeting is for us
  }

  protected override cancel(): void {
    super.cancel()
    this.#finishOpening()
  }

  /** It is no stranger any more: reads whatever comes. */
  admit(): void {
    this.#allowance = Infinity
  }

  protected override receive(chunk: Buffer): void {
    if (this.#allowance < 0) {
      this.#fail(new PipeError('ERR_PIPE_PROTOCOL', `${STRANGER_BYTES} bytes, and no HELLO`))
      return
    }
    this.#allowance -= chunk.length
    if (this.#session) super.receive(chunk)
    else this.#greet(chunk)
  }

  #greet(chunk: Buffer): void {
    const queue = this.#queue
    queue.push(chunk)
    const head = queue.peek(Math.min(queue.length, MAGIC.length))
    if (!head.equals(MAGIC.subarray(0, head.length))) {
      this.#refuse(head)
    } else if (queue.length >= GREETING_BYTES) {
      this.#session = Buffer.from(queue.take(GREETING_BYTES).subarray(MAGIC.length))
      if (queue.length > 0) super.receive(queue.take(queue.length))
      if (!this.destroyed) this.#finishOpening()
    }
  }

  protected override finish(): void {
    if (this.#session) super.finish()
    else this.#fail(new PipeError('ERR_PIPE_TRUNCATED', 'ended before its greeting'))
  }

  #refuse(head: Buffer): void {
    const version = head[7]
    const rightMagic = head.subarray(0, 7).equals(MAGIC.subarray(0, 7)) && version !== undefined
    const what = rightMagic ? `version ${version}, this is 1` : 'what came is no greeting'
    this.#fail(new PipeError('ERR_PIPE_PROTOCOL', what))
  }

  #fail(error: PipeError): void {
    this.destroy(PipeError.from(error, this.label))
  }

  #finishOpening(): void {
    const opened = this.#opened
    this.#opened = undefined
    opened?.()
  }
}
