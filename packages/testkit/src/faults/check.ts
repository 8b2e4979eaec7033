// What a fault layer is told is checked where it is told, so that a mistake shows there.

/** Throws a RangeError unless the value is a number of at least `low`. */
export function atLeast(low: number, value: number, name: string): void {
  if (!(value >= low)) throw new RangeError(`${name} must be ${low} or more, got ${value}`)
}

/** Throws a RangeError unless the value is a whole number of at least `low`. */
export function wholeNumber(low: number, value: number, name: string): void {
  if (Number.isSafeInteger(value) && value >= low) return
  throw new RangeError(`${name} must be a whole number of ${low} or more, got ${value}`)
}
