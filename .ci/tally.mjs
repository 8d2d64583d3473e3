// Prints `N passed, N failed` from the number of failed steps (those of tests included) and Vitest's JSON reports, one a step.
// A test file that could not run counts as one failure; a failed test step is not counted again beside its tests.
import { readFileSync } from 'node:fs';

const [failedSteps, ...paths] = process.argv.slice(2);
let steps = Number(failedSteps);
let passed = 0;
let failed = 0;
for (const path of paths) {
  let inReport = 0;
  for (const file of resultsOf(path)) {
    const failures = file.assertionResults.filter(({ status }) => status === 'failed').length;
    passed += file.assertionResults.filter(({ status }) => status === 'passed').length;
    inReport += failures === 0 && file.status === 'failed' ? 1 : failures;
  }
  if (inReport > 0 && steps > 0) steps--;
  failed += inReport;
}
console.log(`${passed} passed, ${failed + steps} failed`);

/** Nothing where the tests never ran, or died before the report: that step has failed already. */
function resultsOf(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).testResults;
  } catch {
    return [];
  }
}
