// docs/security.md and docs/seeds.md name tests that show what they say. Each is there.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')

/** `file` "part of a name": the tests that a document names. */
function named(document: string) {
  return [...read(document).matchAll(/`([\w./-]+\.test\.ts)`\s+"([^"]+)"/g)].map(
    ([, file = '', name = '']) => ({
      file: file.startsWith('examples/') ? file : `packages/${file}`,
      name: name.replace(/\s+/g, ' '), // a line of the document ends where it likes
    }),
  )
}

for (const [document, least] of [
  ['docs/security.md', 40],
  ['docs/seeds.md', 30],
] as const) {
  test(`every test that ${document} names is there`, () => {
    const all = named(document)
    expect(all.length).toBeGreaterThanOrEqual(least)
    for (const { file, name } of all) expect(read(file), `${document}, ${file}`).toContain(name)
  })
}

test('docs/security.md has a line for each threat', () => {
  const numbers = [...read('docs/security.md').matchAll(/^\| T(\d+) \| [^|]+ \| [^|]+ \|/gm)]
  expect(numbers.map(([, number]) => Number(number))).toEqual(
    Array.from({ length: 38 }, (_, i) => i + 1),
  )
})
