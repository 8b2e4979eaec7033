// One `--bind`: a place on this machine to dial lanes from, and what is said of them.

import { isIP } from 'node:net'
import { size } from './values.ts'

/** Lanes from one place, at most. */
export const MOST_LANES = 32

/** Where lanes are dialled from, how many, and what is said of them. */
export interface LanePlace {
  /** An IP address, or the name of an interface; '' is wherever the system likes. */
  readonly from: string
  /** 1 to 32. */
  readonly count: number
  /** How much they are preferred; above 0, default 1. */
  readonly weight?: number
  /** Used only while no other lane works; default false. */
  readonly backup?: boolean
  /** Bytes that may go by the place, all its lanes together; no limit. */
  readonly budgetBytes?: number
}

/** Reads ADDRESS|INTERFACE[*N][,weight=W][,backup][,budget=SIZE], or *N for the default. Throws a
 *  RangeError that says what is wrong. */
export function parsePlace(text: string): LanePlace {
  const [head = '', ...properties] = text.split(',')
  const [, name = '', number] = /^([^*]*)(?:\*(.*))?$/.exec(head) ?? [undefined, head]
  const from = name.replace(/^\[(.*)\]$/, '$1')
  const isDefault = from === '' && number !== undefined
  if (!isDefault && isIP(from) === 0 && !/^[A-Za-z][\w.@-]{0,62}$/.test(from)) {
    throw new RangeError(`'${text}': '${name}' is neither an address nor an interface`)
  }
  const place: { -readonly [K in keyof LanePlace]: LanePlace[K] } = { from, count: 1 }
  if (number !== undefined) place.count = /^\d{1,4}$/.test(number) ? Number(number) : 0
  if (place.count < 1 || place.count > MOST_LANES) {
    throw new RangeError(`'${text}': '*${number}' has to be *1 to *${MOST_LANES}`)
  }
  const seen = new Set<string>()
  for (const property of properties) {
    const [, key = '', value] = /^([^=]*)(?:=(.*))?$/.exec(property) ?? []
    if (seen.has(key)) throw new RangeError(`'${text}' says '${key}' twice`)
    seen.add(key)
    if (key === 'backup' && value === undefined) place.backup = true
    else if (key === 'weight') place.weight = weight(text, value)
    else if (key === 'budget') place.budgetBytes = size(value ?? '')
    else throw new RangeError(`'${text}': '${property}' is not weight=W, backup or budget=SIZE`)
  }
  return place
}

function weight(text: string, value = ''): number {
  const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) : 0
  if (number > 0) return number
  throw new RangeError(`'${text}': a weight is a number above 0`)
}
