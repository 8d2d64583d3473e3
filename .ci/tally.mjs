// Prints `N passed, N failed` from Vitest's JSON report and the number of failed steps (the test step included).
// A test file that could not run counts as one failure; a failed test step is not counted again beside its tests.
import { readFileSync } from 'node:fs';

const [path, failedSteps] = process.argv.slice(2);
let steps = Number(failedSteps);
let report;
try {
  report = JSON.parse(readFileSync(path, 'utf8'));
} catch {
  report = undefined; // the tests never ran, or died before the report: that step has failed already
}
let passed = 0;
let failed = 0;
for (const file of report?.testResults ?? []) {
  const failures = file.assertionResults.filter(({ status }) => status === 'failed').length;
  passed += file.assertionResults.filter(({ status }) => status === 'passed').length;
  failed += failures === 0 && file.status === 'failed' ? 1 : failures;
}
if (failed > 0 && steps > 0) steps--;
console.log(`${passed} passed, ${failed + steps} failed`);
