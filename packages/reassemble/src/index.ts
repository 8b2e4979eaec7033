// @striper/reassemble: one ordered byte pipe over parcels. Read reassemble.ts first.

export { reassemble, type ReassembleOptions } from './reassemble.ts'
export type { ReassemblePipe, ReassembleStats } from './reassemble.ts'
