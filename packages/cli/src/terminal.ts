// @striper/cli/terminal: what a program prints with: figures as people read them, a block that is
// drawn in place, a decent way to stop. The command and the examples share it.

export { explain } from './terminal/explain.ts'
export { formatBytes, formatRate, formatTime, Rate, table } from './terminal/format.ts'
export { FullScreen } from './terminal/full-screen.ts'
export { asciiJson, fit, printable } from './terminal/printable.ts'
export { Screen } from './terminal/screen.ts'
export { onStop } from './terminal/stop.ts'
