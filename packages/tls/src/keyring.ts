// A keyring: the secrets that a server takes, which may change while it runs.

import type { Secret } from './secret.ts'

/** The secrets that a server takes. What is added or deleted counts from the next handshake on;
 *  connections that are open stay open: `revoke` of a gatherer closes those too. */
export class Keyring {
  readonly #secrets = new Map<string, Secret>() // by identity

  constructor(secrets: Iterable<Secret> = []) {
    for (const secret of secrets) this.add(secret)
  }

  /** The ids of its secrets. */
  get ids(): readonly string[] {
    return [...this.#secrets.values()].map(({ id }) => id)
  }

  add(secret: Secret): void {
    this.#secrets.set(secret.identity, secret)
  }

  /** Deletes the secret of that id. False: there is none. */
  delete(id: string): boolean {
    return this.#secrets.delete(`s1.${id}`)
  }

  /** The secret of an identity that a client said, whatever it said. */
  find(identity: string): Secret | undefined {
    return this.#secrets.get(identity)
  }
}
