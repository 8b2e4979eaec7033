// Rule 2 in code: whoever stands on a Duplex owns it, and nobody else does.
//
// So a Duplex can know its owner, and all owners of a class share one set of listeners, which look
// there whom to tell. With a closure for each event of each Duplex, they were a quarter of what a
// conversation holds while nothing is said (decision 0090).

import { labelOf } from './pipe.ts'
import type { Duplex } from './stream.ts'

const OWNER = Symbol('owner')

interface Owned {
  [OWNER]?: object | undefined
}

/** What the owner of a Duplex does about its events. */
export interface Heard<Owner> {
  readonly data?: (owner: Owner, from: Duplex, chunk: Buffer) => void
  readonly error?: (owner: Owner, from: Duplex, error: Error) => void
  readonly close?: (owner: Owner, from: Duplex) => void
  readonly drain?: (owner: Owner, from: Duplex) => void
  readonly end?: (owner: Owner, from: Duplex) => void
  readonly finish?: (owner: Owner, from: Duplex) => void
}

/** What an event brings: a chunk, an error, or nothing. */
type Value = Buffer & Error

/** The listeners of all owners of one class. */
export class Listeners<Owner extends object> {
  readonly #listeners = new Map<string, (this: Duplex, value: Value) => void>()

  constructor(heard: Heard<Owner>) {
    type Tell = (owner: Owner, from: Duplex, value: Value) => void
    for (const [event, tell] of Object.entries(heard) as [string, Tell][]) {
      this.#listeners.set(event, function (value) {
        const owner = (this as Owned)[OWNER]
        // Within one emit() it may have been released by whoever heard of it first.
        if (owner) tell(owner as Owner, this, value)
      })
    }
  }

  /** `owner` hears of these events of a Duplex from now on, and nobody else may until it is
   *  released, or has closed. Throws a TypeError where somebody else owns it. */
  listen(to: Duplex, owner: Owner, ...events: (keyof Heard<Owner>)[]): void {
    if (ownerOf(to) !== owner) throwIfOwned(to)
    ;(to as Owned)[OWNER] = owner
    for (const event of events) to.on(event, this.#listeners.get(event)!)
  }

  /** Of these events it does not hear any more. */
  unlisten(from: Duplex, ...events: (keyof Heard<Owner>)[]): void {
    for (const event of events) from.off(event, this.#listeners.get(event)!)
  }

  /** The Duplex is nobody's again. */
  release(from: Duplex): void {
    for (const [event, listener] of this.#listeners) from.off(event, listener)
    ;(from as Owned)[OWNER] = undefined
  }
}

/** Throws the TypeError for a Duplex that may not have another owner just now. */
export function throwIfOwned(duplex: Duplex): void {
  if (ownerOf(duplex) === undefined || duplex.closed) return
  throw new TypeError(`${labelOf(duplex)} has an owner already`)
}

/** Who owns a Duplex, by the listeners here; undefined where nobody does. */
export function ownerOf(duplex: Duplex): object | undefined {
  return (duplex as Owned)[OWNER]
}
