// The lint rules: those of typescript-eslint, and the architecture (docs/architecture.md).
import { readdirSync } from 'node:fs'
import { builtinModules } from 'node:module'
import process from 'node:process'
import js from '@eslint/js'
import { defineConfig } from 'eslint/config'
import ts from 'typescript-eslint'

/** Who may import whom, where it is not `core` alone. Tests may import anything. */
const arrows = {
  core: [],
  mux: ['core', 'reassemble/pure'],
  trunk: ['core', 'stripe'],
  striper: ['core', 'tcp', 'tls', 'frame', 'reassemble', 'mux', 'stripe', 'bridge', 'trunk'],
  cli: ['striper'],
}
/** The packages that may use what a browser lacks. */
const nodeOnly = ['tcp', 'tls', 'trunk', 'striper', 'cli', 'testkit']
/** The libraries' two dependencies, and the one file that imports each. */
const owners = {
  'readable-stream': 'packages/core/src/stream.ts',
  debug: 'packages/core/src/log.ts',
}
/** What a pure core may take from core: nothing that is a stream or has a clock. */
const pureNames = [
  'PipeError',
  'isPipeError',
  'ByteQueue',
  'compact',
  'readInteger',
  'writeInteger',
  'sizeOf',
  'whole',
  'pieces',
  'behind',
  'SharedLoan',
  'NO_BYTES',
]

const forbid = (regex, message, options) => ({ regex, message, ...options })
const anywhere = [
  forbid('(^|/)(src|dist)/', 'Import a package by its name, not by its files.'),
  forbid(`^(${builtinModules.join('|')})$`, 'Name a module of Node with `node:`.'),
]
const onlyItsOwner = file =>
  Object.entries(owners)
    .filter(([, owner]) => owner !== file)
    .map(([name, owner]) => forbid(`^${name}(/|$)`, `Only ${owner} imports ${name}.`))
const needsNode = forbid('^node:', `Only ${nodeOnly.join(', ')} may name what a browser lacks.`, {
  allowTypeImports: true,
})
const notPure = [
  forbid(
    '^(\\.\\./|node:|@striper/(?!core$|reassemble/pure$))',
    'A pure core imports what is pure, and types.',
    { allowTypeImports: true },
  ),
  forbid('^@striper/core$', `A pure core takes types from core, and ${pureNames.join(', ')}.`, {
    allowTypeImports: true,
    allowImportNames: pureNames,
  }),
]

const imports = (files, patterns) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns }] },
})

function architecture(name) {
  const source = `packages/${name}/src/**`
  const own = arrows[name] ?? ['core']
  const siblings = forbid(
    `${own.includes('striper') ? '' : '^striper$|'}^@striper/(?!(${own.join('|')})$)`,
    `${name} may import ${own.join(', ') || 'none of its siblings'}, by name.`,
  )
  const common = [...anywhere, siblings, ...(nodeOnly.includes(name) ? [] : [needsNode])]
  return [
    imports([source], [...common, ...onlyItsOwner()]),
    imports([`packages/${name}/src/pure/**`], [...common, ...onlyItsOwner(), ...notPure]),
    ...Object.values(owners)
      .filter(owner => owner.startsWith(`packages/${name}/`))
      .map(owner => imports([owner], [...common, ...onlyItsOwner(owner)])),
  ]
}

const nodeGlobals = {
  ...{ console: 'readonly', performance: 'readonly', URL: 'readonly' },
  ...{ setTimeout: 'readonly', clearTimeout: 'readonly' },
}
const clocks = [
  'Date',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
]
const pureGlobals = {
  'no-restricted-globals': [
    'error',
    ...clocks.map(name => ({ name, message: 'A pure core is given the time.' })),
    { name: 'globalThis', message: 'A pure core is given what it needs.' },
  ],
  'no-restricted-properties': [
    'error',
    { object: 'Math', property: 'random', message: 'A pure core is given its randomness.' },
  ],
}

export default defineConfig(
  { ignores: ['**/dist/**', '**/node_modules/**'] },
  js.configs.recommended,
  ts.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { project: './tsconfig.json', tsconfigRootDir: process.cwd() },
    },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      // noUncheckedIndexedAccess makes some honest.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/unbound-method': ['error', { ignoreStatic: true }],
      'no-console': 'error',
    },
  },
  {
    files: ['packages/*/src/**'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'ImportExpression',
          message: 'Imports are static: the rules here see no other.',
        },
      ],
    },
  },
  ...readdirSync('packages').flatMap(architecture),
  { files: ['packages/*/src/pure/**'], rules: pureGlobals },
  imports(['examples/**', 'bench/**'], [...anywhere, ...onlyItsOwner()]),
  { files: ['examples/**', 'bench/**', '.ci/**'], rules: { 'no-console': 'off' } },
  { files: ['**/*.js', '**/*.mjs', '.ci/**'], extends: [ts.configs.disableTypeChecked] },
  { files: ['.ci/**'], languageOptions: { globals: nodeGlobals } },
)
