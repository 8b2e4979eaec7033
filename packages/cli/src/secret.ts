// Secrets are those of the library. Here is what keeps one that was typed in the wrong place out of
// what is printed.

export { newSecret, parseSecret, type Secret } from 'striper'

const HIDDEN = 'striper1_(hidden)'
const ANYWHERE = /striper1_[\w-]+/g

/** The text with whatever looks like a secret hidden: somebody typed one where it does not belong,
 *  and the complaint must not repeat it. */
export function withoutSecrets(text: string): string {
  return text.replace(ANYWHERE, HIDDEN)
}
