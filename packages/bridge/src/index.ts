// @striper/bridge: two pipes of a kind become one conversation. Read bridge.ts first.

export { bridge, type Bridge, type BridgeOptions, type BridgeResult } from './bridge.ts'
export type { LegStats } from './leg.ts'
