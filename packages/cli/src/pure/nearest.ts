// Which known name somebody may have meant.

/** The known name that is fewest edits away (Levenshtein, 1965), if that is few for its length. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  let least = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const each of known) {
    const edits = distance(name, each)
    if (edits < least) [best, least] = [each, edits]
  }
  return best
}

/** ` (did you mean 'x'?)`, or nothing. */
export function didYouMean(name: string, known: Iterable<string>, mark = ''): string {
  const best = nearest(name, known)
  return best === undefined ? '' : ` (did you mean '${mark}${best}'?)`
}

function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const change = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, change))
    }
    row = next
  }
  return row[to.length]!
}
