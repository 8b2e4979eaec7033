// The repository's own rules, which no linter states. Each failure names file:line. The import
// arrows and what a pure file may use are lint rules: .config/eslint.config.js.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const read = (path: string) => readFileSync(root + path, 'utf8')
const linesOf = (path: string) => read(path).split('\n')
const exists = (path: string) => existsSync(root + path)

const NOT_OURS = new Set(['node_modules', 'dist', 'coverage', '.git'])

/** Every file of the repository below a folder, as paths from the root. */
function filesBelow(folder: string): string[] {
  return readdirSync(root + folder, { withFileTypes: true }).flatMap(entry => {
    if (NOT_OURS.has(entry.name)) return []
    const path = posix.join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(path) : [path]
  })
}

const files = filesBelow('.')
const programs = files.filter(path => /\.(ts|mts|js|mjs)$/.test(path))
const sources = files.filter(path => /^packages\/\w+\/src\/.*\.ts$/.test(path))
const packages = readdirSync(`${root}packages`)

/** `file:line: text` for each line that has a fault. */
function faults(paths: readonly string[], wrong: (line: string) => boolean): string[] {
  return paths.flatMap(path =>
    linesOf(path).flatMap((line, i) => (wrong(line) ? [`${path}:${i + 1}: ${line.trim()}`] : [])),
  )
}

test('a source file has at most 300 lines', () => {
  const long = sources.filter(path => linesOf(path).length > 301) // the last of them is empty
  expect(long.map(path => `${path}:301`)).toEqual([])
})

// Prettier sees to code; where that is longer, it is a string that cannot be broken.
test('a comment has at most 100 columns', () => {
  const comment = /^\s*(\/\/|\/\*|\*)|\S \/\/ /
  expect(faults(programs, line => line.length > 100 && comment.test(line))).toEqual([])
})

test('a source file begins with what it is', () => {
  const silent = sources.filter(path => !/^(#!.*\n)?(\/\/ |\/\*\* )\S/.test(read(path)))
  expect(silent.map(path => `${path}:1`)).toEqual([])
})

// In pieces, so that this file does not hold what it forbids.
const MARKS = [
  String.raw`\b(?:it|test|describe)\.(?:only|skip|todo)\b`,
  String.raw`\b(?:TO|FIX)(?:DO|ME)\b`,
  String.raw`\beslint-${'disable'}`,
  String.raw`\bas ${'any'}\b`,
  String.raw`@ts-${'(?:ignore|nocheck)'}`,
]

test('nothing is left for later, and no check is switched off', () => {
  const mark = new RegExp(MARKS.join('|'))
  expect(faults(programs, line => mark.test(line))).toEqual([])
})

const EXPORTED = /^export (?:default )?(?:abstract |async )*(?:function\*?|class|interface) (\w+)/

/** The exported declarations of a file that no comment explains: right above, or in the head of the
 *  file by name. Overloads share a comment; options are explained member by member. */
function undocumented(path: string): string[] {
  const lines = linesOf(path)
  const head = lines.slice(0, lines.indexOf('')).join(' ')
  const explained = new Set<string>()
  return lines.flatMap((line, i) => {
    const name = EXPORTED.exec(line)?.[1]
    if (name === undefined || explained.has(name) || /(Options|Init)$/.test(name)) return []
    explained.add(name)
    if (/^\/\/ |\*\/$/.test(lines[i - 1] ?? '')) return []
    return new RegExp(`\\b${name}\\b`, 'i').test(head) ? [] : [`${path}:${i + 1}: ${name}`]
  })
}

test('what a source file exports has a doc comment', () => {
  const named = sources.filter(path => !path.endsWith('/index.ts'))
  expect(named.flatMap(undocumented)).toEqual([])
})

interface Manifest {
  entries?: string[]
  private?: boolean
}
const manifest = (name: string) => JSON.parse(read(`packages/${name}/package.json`)) as Manifest

/** The files that a file imports, and they import, and so on, it included. */
function reachable(path: string, seen = new Set<string>()): Set<string> {
  if (seen.has(path) || !exists(path)) return seen
  seen.add(path)
  for (const [, target] of read(path).matchAll(/'(\.{1,2}\/[^']+\.ts)'/g)) {
    reachable(posix.join(posix.dirname(path), target!), seen)
  }
  return seen
}

test('every source file is reachable from an entry of its package', () => {
  const reached = new Set<string>()
  for (const name of packages) {
    const { entries = ['index'] } = manifest(name)
    for (const entry of entries) reachable(`packages/${name}/src/${entry}.ts`, reached)
  }
  expect(sources.filter(path => !reached.has(path))).toEqual([])
})

const testsOf = (name: string) => files.filter(path => path.startsWith(`packages/${name}/test/`))

const NO_CONFORMANCE: Record<string, string> = {
  core: 'memoryPair is the reference: testkit runs the suite over it',
  bridge: 'it is no pipe',
  cli: 'it is a program',
  trunk: 'its pipes are those of stripe, run there',
  testkit: 'it holds the suite',
}

test('every published package whose pipes are its own runs the conformance suite', () => {
  const without = packages.filter(name => {
    if (manifest(name).private || name in NO_CONFORMANCE) return false
    return !testsOf(name).some(path => /\bconformance\(/.test(read(path)))
  })
  expect(without.map(name => `packages/${name}/test: no call of conformance()`)).toEqual([])
})

const RULES = Array.from({ length: 12 }, (_, i) => i + 1)

test('every rule of the contract is named by a conformance test', () => {
  const suite = sources.filter(path => /^packages\/testkit\/src\/.*conformance/.test(path))
  const named = new Set(
    suite.flatMap(path => [...read(path).matchAll(/^ +rule: (\d+),$/gm)].map(toNumber)),
  )
  expect(RULES.filter(rule => !named.has(rule)).map(rule => `no test of rule ${rule}`)).toEqual([])
})

test('docs/contract.md states every rule, and each that it states is tested', () => {
  if (!exists('docs/contract.md')) return
  const heads = /^(?:#+ |\| *|)(?:rule )?\**(\d+)\b/gim // `1. `, `## Rule 1`, `| 1 |`, `**1.`
  const stated = new Set([...read('docs/contract.md').matchAll(heads)].map(toNumber))
  expect([...stated].sort((a, b) => a - b)).toEqual(RULES)
})

function toNumber(match: RegExpExecArray): number {
  return Number(match[1])
}

test('no file names the machine it was written on, or a package registry', () => {
  const homes = /(?<![\w.~-])\/(?:work|root|home)\/\w/
  const registries = /registry\.(?:npmjs|yarnpkg|npmmirror)|npm\.pkg\.github|npm\.jsr\.io/
  const binary = /\.(?:png|jpg|gif|ico|pcap|woff2?)$/
  const text = files.filter(path => !binary.test(path))
  expect(faults(text, line => homes.test(line) || registries.test(line))).toEqual([])
})
