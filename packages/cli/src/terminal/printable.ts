// Names that somebody else chose, made fit for a terminal: what moves a cursor, rings a bell, turns
// the writing direction round or hides (C0, C1, bidi, zero width) must never reach it.

/** The text with all but printable ASCII as `\u{…}`: one column for each character of what comes
 *  back, whatever terminal and font. A backslash is doubled, so that no two texts look alike. */
export function printable(text: string): string {
  return text.replace(/[^ -[\]-~]/gu, char =>
    char === '\\' ? '\\\\' : `\\u{${char.codePointAt(0)!.toString(16)}}`,
  )
}

/** A value as JSON in printable ASCII: the same value, harmless to look at. */
export function asciiJson(value: unknown): string {
  const escape = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(value).replace(/[^ -~]/g, escape)
}

/** The text in exactly so many columns: cut with `…`, or filled up at its end (its beginning for
 *  `right`). For what `printable` gave, or characters of one column. */
export function fit(text: string, columns: number, side: 'left' | 'right' = 'left'): string {
  if (columns <= 0) return ''
  const cut = text.length <= columns ? text : `${text.slice(0, columns - 1)}…`
  return side === 'left' ? cut.padEnd(columns) : cut.padStart(columns)
}
