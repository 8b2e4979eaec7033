// @striper/frame: length-prefixed messages over a byte pipe.

export { frame, FrameCodec, type FrameOptions } from './frame.ts'
