// @striper/mux: many channels over one parcel pipe. Read mux.ts first.

export { mux } from './mux.ts'
export type { Mux, MuxStats } from './mux.ts'
export type { Channel } from './channel.ts'
export type { MuxOptions, OpenOptions } from './options.ts'
export { WindowPool } from './pure/pool.ts'
export type { Priority } from './pure/wire.ts'
