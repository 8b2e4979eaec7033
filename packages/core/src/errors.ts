// PipeError: the one error that pipes speak of, with a closed set of codes.
//
// What the world does wrong arrives as a PipeError through `destroy(error)`, with the system's own
// error as `cause`. What a programmer does wrong is thrown at once, as a TypeError or a RangeError.

/**
 * | code                 | what happened                                  | a caller may        |
 * |----------------------|------------------------------------------------|---------------------|
 * | `ERR_PIPE_ABORTED`   | this end gave up: a signal, a stop             | let it be           |
 * | `ERR_PIPE_AUTH`      | an end is not who it should be                 | see to the keys     |
 * | `ERR_PIPE_CLOSED`    | it closed before its end, nobody said why      | try again           |
 * | `ERR_PIPE_CONNECT`   | it could not be opened: refused, unreachable   | try again           |
 * | `ERR_PIPE_RESET`     | the peer aborted                               | try again           |
 * | `ERR_PIPE_TIMEOUT`   | nothing came in the time allowed               | try again           |
 * | `ERR_PIPE_TRUNCATED` | it ended inside a unit: what came is not whole | treat it as a loss  |
 * | `ERR_PIPE_PROTOCOL`  | the peer broke the wire format                 | report it           |
 * | `ERR_PIPE_LIMIT`     | a stated bound was exceeded                    | report it           |
 * | `ERR_PIPE_NO_LANES`  | a stripe was without lanes for too long        | try again           |
 */
export type PipeErrorCode =
  | 'ERR_PIPE_ABORTED'
  | 'ERR_PIPE_AUTH'
  | 'ERR_PIPE_CLOSED'
  | 'ERR_PIPE_CONNECT'
  | 'ERR_PIPE_RESET'
  | 'ERR_PIPE_TIMEOUT'
  | 'ERR_PIPE_TRUNCATED'
  | 'ERR_PIPE_PROTOCOL'
  | 'ERR_PIPE_LIMIT'
  | 'ERR_PIPE_NO_LANES'

export class PipeError extends Error {
  override readonly name = 'PipeError'
  readonly code: PipeErrorCode
  /** The label of the pipe that speaks, or '' where a codec or a pure core does. */
  readonly label: string
  /** What happened, without the label. */
  readonly sentence: string

  constructor(
    code: PipeErrorCode,
    sentence: string,
    options: { label?: string; cause?: unknown } = {},
  ) {
    const { label = '', cause } = options
    super(label ? `${label}: ${sentence}` : sentence, cause === undefined ? {} : { cause })
    this.code = code
    this.label = label
    this.sentence = sentence
  }

  /** Any failure as a PipeError of the pipe `label`, with the failure as its cause. The code of a
   *  PipeError is kept; a system error gets the code of what it means. */
  static from(failure: unknown, label: string): PipeError {
    if (isPipeError(failure)) {
      if (failure.label === label) return failure
      const cause = failure.label ? failure : failure.cause // a core's error has no label to keep
      return new PipeError(failure.code, failure.sentence, { label, cause })
    }
    const message = failure instanceof Error ? failure.message : String(failure)
    const system = (failure as { code?: unknown } | null)?.code
    const code = typeof system === 'string' ? (SYSTEM[system] ?? 'ERR_PIPE_CLOSED') : undefined
    return new PipeError(code ?? 'ERR_PIPE_CLOSED', message, { label, cause: failure })
  }
}

/** Whether a failure is a PipeError, of this copy of the package or of another (ESM beside
 *  CommonJS). */
export function isPipeError(failure: unknown): failure is PipeError {
  return failure instanceof Error && failure.name === 'PipeError' && 'code' in failure
}

const SYSTEM: Readonly<Record<string, PipeErrorCode>> = {
  ECONNRESET: 'ERR_PIPE_RESET',
  EPIPE: 'ERR_PIPE_RESET',
  ECONNABORTED: 'ERR_PIPE_RESET',
  ETIMEDOUT: 'ERR_PIPE_TIMEOUT',
  ECONNREFUSED: 'ERR_PIPE_CONNECT',
  EHOSTUNREACH: 'ERR_PIPE_CONNECT',
  ENETUNREACH: 'ERR_PIPE_CONNECT',
  ENOTFOUND: 'ERR_PIPE_CONNECT',
  EAI_AGAIN: 'ERR_PIPE_CONNECT',
  ENOENT: 'ERR_PIPE_CONNECT',
  EACCES: 'ERR_PIPE_CONNECT',
  EADDRINUSE: 'ERR_PIPE_CONNECT',
  EADDRNOTAVAIL: 'ERR_PIPE_CONNECT',
  EINVAL: 'ERR_PIPE_CONNECT',
  EMFILE: 'ERR_PIPE_CONNECT',
  ENFILE: 'ERR_PIPE_CONNECT',
}
