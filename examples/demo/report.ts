// The figures of the demonstration: as a table for people, as one line of JSON for programs.

import { table } from '@striper/cli/terminal'
import type { Download } from './download.ts'

/** Less than this share of the lanes' number is a failure. */
const LEAST_SHARE = 0.9

export interface Figures {
  single: { seconds: number; megabytesPerSecond: number }
  striped: { seconds: number; megabytesPerSecond: number; lanes: number; lanesKilled: number }
  /** How many times faster the second was. */
  ratio: number
  /** Whether both brought what the server had. */
  sha256Equal: boolean
}

export interface Outcome {
  bytes: number
  /** Of the file, at the server. */
  sha256: string
  single: Download
  striped: Download
  lanes: number
  lanesKilled: number
}

/** What there is to tell, rounded to what was measured. */
export function figures({ bytes, sha256, single, striped, lanes, lanesKilled }: Outcome): Figures {
  const speed = ({ seconds }: Download) => ({
    seconds: round(seconds),
    megabytesPerSecond: round(bytes / 1e6 / seconds),
  })
  return {
    single: speed(single),
    striped: { ...speed(striped), lanes, lanesKilled },
    ratio: round(single.seconds / striped.seconds),
    sha256Equal: single.sha256 === sha256 && striped.sha256 === sha256,
  }
}

/** What is wrong with them, if anything. */
export function complaint({ ratio, striped, sha256Equal }: Figures): string | undefined {
  if (!sha256Equal) return 'what arrived is not what was sent'
  const least = LEAST_SHARE * striped.lanes
  if (ratio >= least) return undefined
  return `${ratio} times as fast, and ${striped.lanes} lanes should be ${least.toFixed(1)} times`
}

/** The table, line by line. */
export function tableOf({ single, striped, ratio, sha256Equal }: Figures): string[] {
  const row = (name: string, { seconds, megabytesPerSecond }: Figures['single'], times: number) => [
    name,
    seconds.toFixed(2),
    megabytesPerSecond.toFixed(2),
    times.toFixed(2),
  ]
  return [
    ...table([
      ['', 'seconds', 'MB/s', 'ratio'],
      row('one connection', single, 1),
      row(`${striped.lanes} lanes`, striped, ratio),
    ]),
    `SHA-256 ${sha256Equal ? 'equal: both are what the server sent' : 'NOT EQUAL'}`,
  ]
}

function round(value: number): number {
  return Number(value.toFixed(3))
}
