// The one place that names readable-stream.
//
// Its classes have the shape of Node's but are other classes, on every version of Node the same:
// `instanceof` against `node:stream` is false both ways, so nothing in striper asks for it. They
// are typed as Node's, because @types/readable-stream lacks parts (`_construct`, for one).

import { Duplex as ReadableStreamDuplex } from 'readable-stream'
import type { Duplex as NodeDuplex } from 'node:stream'

export const Duplex = ReadableStreamDuplex as unknown as typeof NodeDuplex
export type Duplex = NodeDuplex
