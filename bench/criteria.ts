// Every criterion on every shared model, by ratio, number of calibration samples and seed, without retraining or repair.
// Takes hours; goes on where it was cut. Command: npm run bench:criteria [-- --report | --workers N | --minutes N]
import { parseArgs } from 'node:util';
import { appendLine, type Cell, cellsPath, readLines } from './criteria/cells.ts';
import { keyOf, planJobs } from './criteria/plan.ts';
import { workThrough } from './criteria/pool.ts';
import { writeReport } from './criteria/report.ts';

const { values } = parseArgs({
  options: {
    report: { type: 'boolean', default: false },
    workers: { type: 'string', default: '2' },
    minutes: { type: 'string', default: 'Infinity' },
  },
});

const path = cellsPath('criteria');
const jobs = planJobs();
if (!values.report) {
  const done = new Set((await readLines<Cell>(path)).map(keyOf));
  const missing = jobs.filter((job) => !done.has(keyOf(job)));
  let count = jobs.length - missing.length;
  await workThrough(missing, {
    workers: Number(values.workers),
    until: Date.now() + Number(values.minutes) * 60_000,
    onCell: async (cell) => {
      await appendLine(path, cell);
      process.stderr.write(`${++count}/${jobs.length} ${keyOf(cell)} ${cell.seconds} s\n`);
    },
    onFailure: (key, reason) => process.stderr.write(`failed: ${key}: ${reason}\n`),
  });
}
process.stdout.write(await writeReport(jobs, await readLines<Cell>(path)));
