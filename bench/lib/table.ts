// A table for people. Pure.

/** One line: the first `left` cells stand at the left of their columns, the others at the right. */
export function line(cells: readonly string[], widths: readonly number[], left = 1): string {
  return cells
    .map((cell, column) => {
      const width = widths[column] ?? 0
      return column < left ? cell.padEnd(width) : cell.padStart(width)
    })
    .join('  ')
    .trimEnd()
}
