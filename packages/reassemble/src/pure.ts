// @striper/reassemble/pure: the two halves of a stream, without pipes, for whoever carries many of
// them over one (mux). They are no part of what users import.

export { Incoming, MAX_HELD_PARCELS } from './pure/incoming.ts'
export { Outgoing } from './pure/outgoing.ts'
export { INITIAL_CREDIT } from './pure/wire.ts'
