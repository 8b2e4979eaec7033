// A counter's zero.
//
// V8 keeps a field that has held only small integers as one. A count of bytes passes 2^31 after
// two gigabytes; the object has another shape then, and all code that was compiled for the old one
// is thrown away, in the middle of a stream that is busy. A field that begins with a double is one
// from the start.

/** 0, as a double: for what counts bytes and is never taken back. */
export const NO_BYTES: number = new Float64Array(1)[0]!
