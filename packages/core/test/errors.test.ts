import { isPipeError, PipeError } from '@striper/core'
import { expect, test } from 'vitest'

function system(code: string): Error {
  return Object.assign(new Error(`read ${code}`), { code })
}

test('the message is a sentence with the label in front', () => {
  const error = new PipeError('ERR_PIPE_LIMIT', 'too long', { label: 'frame(tcp#1)' })
  expect(error).toMatchObject({
    name: 'PipeError',
    message: 'frame(tcp#1): too long',
    code: 'ERR_PIPE_LIMIT',
    label: 'frame(tcp#1)',
    sentence: 'too long',
  })
  expect('cause' in error).toBe(false)
  expect(new PipeError('ERR_PIPE_LIMIT', 'too long').message).toBe('too long')
})

test.each([
  ['ECONNRESET', 'ERR_PIPE_RESET'],
  ['EPIPE', 'ERR_PIPE_RESET'],
  ['ETIMEDOUT', 'ERR_PIPE_TIMEOUT'],
  ['ECONNREFUSED', 'ERR_PIPE_CONNECT'],
  ['EADDRINUSE', 'ERR_PIPE_CONNECT'],
  ['ENOENT', 'ERR_PIPE_CONNECT'],
  ['ESOMETHING', 'ERR_PIPE_CLOSED'],
])('from(): the system error %s is %s, and stays the cause', (code, expected) => {
  const cause = system(code)
  const error = PipeError.from(cause, 'tcp#1')
  expect(error).toMatchObject({ code: expected, label: 'tcp#1', message: `tcp#1: read ${code}` })
  expect(error.cause).toBe(cause)
})

test('from(): a PipeError keeps its code, and becomes the cause', () => {
  const below = new PipeError('ERR_PIPE_TRUNCATED', 'ended early', { label: 'tcp#1' })
  const above = PipeError.from(below, 'frame(tcp#1)')
  expect(above.message).toBe('frame(tcp#1): ended early')
  expect(above.code).toBe('ERR_PIPE_TRUNCATED')
  expect(above.cause).toBe(below)
})

test('from(): an error of the pipe itself is left as it is', () => {
  const error = new PipeError('ERR_PIPE_RESET', 'x', { label: 'tcp#1' })
  expect(PipeError.from(error, 'tcp#1')).toBe(error)
})

test('from(): an error without a label gets one, and adds no cause but its own', () => {
  expect(PipeError.from(new PipeError('ERR_PIPE_LIMIT', 'x'), 'a').cause).toBe(undefined)
  const reason = new Error('why')
  const bare = new PipeError('ERR_PIPE_LIMIT', 'x', { cause: reason })
  expect(PipeError.from(bare, 'a')).toMatchObject({ label: 'a', cause: reason })
})

test.each([['a string'], [undefined], [null], [7]])('from(): even %j becomes an error', thrown => {
  const error = PipeError.from(thrown, 'a')
  expect(error).toMatchObject({ code: 'ERR_PIPE_CLOSED', message: `a: ${String(thrown)}` })
})

test('isPipeError() knows one of another copy of the package, and nothing else', () => {
  const other = Object.assign(new Error('x'), { name: 'PipeError', code: 'ERR_PIPE_RESET' })
  expect(isPipeError(other)).toBe(true)
  expect(isPipeError(new PipeError('ERR_PIPE_RESET', 'x'))).toBe(true)
  for (const not of [system('EPIPE'), { name: 'PipeError', code: 'x' }, null, undefined, 'x']) {
    expect(isPipeError(not)).toBe(false)
  }
})
