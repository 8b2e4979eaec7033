// @striper/frame: length-prefixed messages over a byte pipe.

export { FrameCodec } from './codec.ts'
export { frame, type FrameOptions } from './frame.ts'
