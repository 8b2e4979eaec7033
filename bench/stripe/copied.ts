// Counts what JavaScript copies from buffer to buffer, wherever it does so. Copies in the kernel,
// in TLS and in Node's own C++ are not seen.

let copied = 0

/** Bytes that were copied since the count began. */
export function copiedBytes(): number {
  return copied
}

/** Begins to count, for good. */
export function countCopies(): void {
  watch(Buffer.prototype as object, 'copy', (_args, result) => result as number)
  watch(Buffer.prototype as object, 'set', ([source]) => (source as Uint8Array).length)
  watch(Buffer, 'concat', (_args, result) => (result as Buffer).length)
  watch(Buffer, 'from', ([source]) => (source instanceof Uint8Array ? source.length : 0))
}

/** Adds what each call of a function copies. */
function watch(
  of: object,
  name: string,
  bytes: (args: readonly unknown[], result: unknown) => number,
): void {
  const functions = of as Record<string, (...args: unknown[]) => unknown>
  const plain = functions[name]!
  functions[name] = function (this: unknown, ...args: unknown[]) {
    const result = plain.apply(this, args)
    copied += bytes(args, result)
    return result
  }
}
