// Prints what a run of vitest came to, from its JSON report, as one line:
// `N passed, N failed, N skipped`. A file that could not be loaded, and a report that is not there,
// count as one failed.
//
//   node .ci/counts.mjs report.json

import { existsSync, readFileSync } from 'node:fs'
import process from 'node:process'

const [path] = process.argv.slice(2)
const report = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : { testResults: [] }
const failedTests = report.numFailedTests ?? 1
const brokenFiles = report.testResults.filter(
  file => file.status === 'failed' && file.assertionResults.every(test => test.status !== 'failed'),
)
const passed = report.numPassedTests ?? 0
const skipped = (report.numPendingTests ?? 0) + (report.numTodoTests ?? 0)
console.log(`${passed} passed, ${failedTests + brokenFiles.length} failed, ${skipped} skipped`)
