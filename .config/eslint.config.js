import process from 'node:process'
import js from '@eslint/js'
import { defineConfig } from 'eslint/config'
import ts from 'typescript-eslint'

// What may not appear where: the architecture (docs/architecture.md) as lint rules.
const pure = {
  'no-restricted-globals': [
    'error',
    ...['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'].map(
      name => ({ name, message: 'A pure core is given the time; it does not ask for it.' }),
    ),
  ],
  'no-restricted-properties': [
    'error',
    { object: 'Math', property: 'random', message: 'A pure core is given its randomness.' },
  ],
}
const nodeOnly = ['net', 'tls', 'fs', 'os', 'child_process', 'dgram', 'stream', 'process', 'crypto']

export default defineConfig(
  { ignores: ['**/dist/**', '**/node_modules/**', '.ci/**'] },
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
      '@typescript-eslint/no-non-null-assertion': 'off', // noUncheckedIndexedAccess makes some honest
      '@typescript-eslint/unbound-method': ['error', { ignoreStatic: true }],
      'no-console': 'error',
    },
  },
  { files: ['examples/**', 'bench/**'], rules: { 'no-console': 'off' } },
  { files: ['**/*.js'], extends: [ts.configs.disableTypeChecked] },
  { files: ['packages/*/src/pure/**'], rules: pure },
  {
    files: ['packages/{core,frame,reassemble,stripe,bridge}/src/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: nodeOnly.map(name => ({
            name: `node:${name}`,
            allowTypeImports: true,
            message: 'Only tcp, tls, trunk and cli may name what a browser lacks.',
          })),
        },
      ],
    },
  },
)
