// @striper/cli: the command `striper`, and for programs what a running one says of itself.

export { ask } from './ask.ts'
export type { Forward } from './values.ts'
export type { ClientSettings, CommonSettings, Security, ServerSettings } from './settings.ts'
export { mayConnect, mayListen, parseAllow, parseAllowListen } from './pure/allow.ts'
export type { AllowRule, ListenRule, Refusal, Verdict } from './pure/allow.ts'
export * from './snapshot.ts'
