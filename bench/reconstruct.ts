// Repair of pruned networks on every shared model, by method, share of MACs, number of samples, criterion and seed.
// Takes hours; goes on where it was cut. Command: npm run bench:reconstruct [-- --report | --minutes N]
import { parseArgs } from 'node:util';
import { appendLine, cellsPath, readLines } from './criteria/cells.ts';
import { measureJob } from './reconstruct/measure.ts';
import { type Cell, isWhole, keyOf, newest, planJobs } from './reconstruct/plan.ts';
import { writeReport } from './reconstruct/report.ts';

const { values } = parseArgs({
  options: {
    report: { type: 'boolean', default: false },
    minutes: { type: 'string', default: 'Infinity' },
  },
});

const path = cellsPath('reconstruct');
const jobs = planJobs();
if (!values.report) {
  const done = new Set(
    newest(await readLines<Cell>(path))
      .filter(isWhole)
      .map(keyOf),
  );
  const until = Date.now() + Number(values.minutes) * 60_000;
  for (const job of jobs) {
    if (done.has(keyOf(job)) || Date.now() > until) continue;
    try {
      const cell = await measureJob(job);
      await appendLine(path, cell);
      process.stderr.write(`${keyOf(job)} ${cell.seconds} s\n`);
    } catch (error) {
      process.stderr.write(`failed: ${keyOf(job)}: ${error instanceof Error ? error.message : error}\n`);
    }
  }
}
process.stdout.write(await writeReport(jobs, newest(await readLines<Cell>(path))));
