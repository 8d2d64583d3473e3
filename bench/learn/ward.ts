// Planners in a ward that moves: the same requests in the same world for each, in the four places.
// Command: npm run bench:ward [-- --requests N --sample N --full --presets ward,home --workers N]

import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { SIMULATED_SOLVERS, type SimulatedSolver, STALE_SECONDS } from '../../src/app/index.ts';
import { parseFleet } from '../../src/plan/index.ts';
import { VectorEnvironment, WARD_PRESETS, type WardPreset, wardPreset } from '../../src/simulate/index.ts';
import { formatJoules, formatPercent, formatSeconds } from '../../src/util/index.ts';
import { readTextChecked } from '../../src/util/internal.ts';
import { PACK_COMMAND, sharedBundle } from '../lib/bundles.ts';
import { processorSeconds } from '../lib/figures.ts';
import { type ResultTable, writeResults } from '../lib/results.ts';
import { bundlesOf, tellJob, type WardJob, type WardResult } from './ward-jobs.ts';
import type { WardAnswer } from './ward-worker.ts';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '10000' },
    sample: { type: 'string', default: '1000' },
    full: { type: 'boolean', default: false },
    presets: { type: 'string', default: WARD_PRESETS.join(',') },
    workers: { type: 'string', default: String(Math.min(2, availableParallelism())) },
    seed: { type: 'string', default: '1' },
  },
});
const REQUESTS = Number(values.requests);
const SAMPLE = Math.min(REQUESTS, Number(values.sample));
const SEED = Number(values.seed);
const PRESETS = WARD_PRESETS.filter((preset) => values.presets.split(',').includes(preset));

/** Planners that take tens of milliseconds for a request: they are run on fewer requests unless all is asked for. */
const SLOW: readonly SimulatedSolver[] = ['exact', 'beam', 'greedy', 'distribute-only', 'prune-only'];

/** Plans that do not follow the fleet. */
const FIXED: readonly SimulatedSolver[] = ['static', 'local'];

/** A tenth as often, the sample sees as much of the ward's hours as ten times as many requests. */
const SAMPLE_RATE = 0.1;

function jobs(): WardJob[] {
  const job = (preset: WardPreset, solver: SimulatedSolver, requests: number, rate: number): WardJob => ({
    preset,
    solver,
    requests,
    rate,
    seed: SEED,
  });
  const all = PRESETS.flatMap((preset) => [
    ...SIMULATED_SOLVERS.filter((solver) => values.full || !SLOW.includes(solver)).map((solver) =>
      job(preset, solver, REQUESTS, 1),
    ),
    ...SIMULATED_SOLVERS.map((solver) => job(preset, solver, SAMPLE, SAMPLE_RATE)),
  ]);
  // Long ones first, so that no process is left with one at the end.
  const weight = ({ solver, requests, preset }: WardJob): number =>
    requests * (SLOW.includes(solver) ? 20 : 1) * (preset === 'clinic' ? 3 : 1);
  return all.toSorted((a, b) => weight(b) - weight(a));
}

/** Jobs by processes that take one at a time. */
async function workThrough(list: readonly WardJob[]): Promise<WardResult[]> {
  const left = list.values();
  const results: WardResult[] = [];
  const path = fileURLToPath(new URL('ward-worker.ts', import.meta.url));
  const oneWorker = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = fork(path, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
      let finished = false;
      child.on('message', (answer: WardAnswer) => {
        if (answer.kind === 'failed') {
          reject(new Error(answer.reason));
          child.disconnect();
          return;
        }
        if (answer.kind === 'result') {
          results.push(answer.result);
          const { job, seconds } = answer.result;
          process.stderr.write(
            `${results.length}/${list.length} ${tellJob(job)}: ${formatSeconds(seconds)}\n`,
          );
        }
        const job = left.next();
        if (!job.done) {
          child.send(job.value);
          return;
        }
        finished = true;
        child.disconnect();
      });
      child.on('error', reject);
      child.on('exit', (code) => {
        if (finished) resolve();
        else reject(new Error(`a process of the study ended with code ${code}`));
      });
    });
  await Promise.all(Array.from({ length: Number(values.workers) }, oneWorker));
  return results;
}

const told = (value: number | null, format: (value: number) => string): string =>
  value === null ? '' : format(value);

function table(
  results: readonly WardResult[],
  preset: WardPreset,
  requests: number,
  rate: number,
): ResultTable {
  const own = results
    .filter(({ job }) => job.preset === preset && job.requests === requests && job.rate === rate)
    .toSorted((a, b) => (a.summary.objective ?? 0) - (b.summary.objective ?? 0));
  const hours = requests / (wardPreset(preset).requests.perSecond * rate) / 3600;
  return {
    title: `${preset}: ${requests} requests in about ${hours.toFixed(1)} hours`,
    columns: [
      'planner',
      'objective',
      'of served',
      'latency',
      'p50',
      'p95',
      'energy',
      'accuracy',
      'decides in',
      'served',
      'late',
      'lost',
      'refused',
      'broken plans',
      'simulated in',
    ],
    rows: own.map(({ job, summary, seconds }) => [
      job.solver,
      told(summary.objective, (value) => value.toFixed(4)),
      told(summary.objectiveServed, (value) => value.toFixed(4)),
      told(summary.latency, formatSeconds),
      told(summary.latencyP50, formatSeconds),
      told(summary.latencyP95, formatSeconds),
      told(summary.energy, formatJoules),
      told(summary.accuracy, formatPercent),
      told(summary.decisionMs, (value) => formatSeconds(value / 1000)),
      summary.served,
      summary.late,
      summary.lost,
      summary.refused,
      summary.violations,
      formatSeconds(seconds),
    ]),
  };
}

/** Against the best, and against the best plan that does not follow the fleet. */
function summaryTable(results: readonly WardResult[], requests: number, rate: number): ResultTable {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const solvers = SIMULATED_SOLVERS.filter((solver) =>
    results.some(({ job }) => job.solver === solver && job.requests === requests && job.rate === rate),
  );
  const objective = (preset: WardPreset, solver: SimulatedSolver): number =>
    results.find(
      ({ job }) =>
        job.preset === preset && job.solver === solver && job.requests === requests && job.rate === rate,
    )?.summary.objective ?? Number.NaN;
  return {
    title: `Objective above the best planner's, and below that of the best fixed plan: ${requests} requests`,
    columns: ['planner', ...PRESETS],
    rows: solvers.map((solver) => [
      solver,
      ...PRESETS.map((preset) => {
        const own = objective(preset, solver);
        const best = Math.min(...solvers.map((other) => objective(preset, other)));
        const fixed = Math.min(...FIXED.map((other) => objective(preset, other)));
        return `+${percent(own / best - 1)}, ${percent(1 - own / fixed)}`;
      }),
    ]),
    note: `First: how far above the best. Second: how much better than the better of ${FIXED.join(' and ')} (negative: worse).`,
  };
}

async function stepsTable(): Promise<ResultTable> {
  const rows: (string | number)[][] = [];
  for (const preset of PRESETS) {
    const path = fileURLToPath(new URL(`../../examples/fleets/${preset}.json`, import.meta.url));
    const fleet = parseFleet(await readTextChecked(path, 'fleet'), path);
    for (const wards of [1, 64]) {
      const environments = new VectorEnvironment(
        Array.from({ length: wards }, (_, seed) => ({ fleet, parameters: wardPreset(preset), seed })),
      );
      const run = (steps: number): number => {
        const before = processorSeconds();
        for (let step = 0; step < steps; step++) environments.step();
        return processorSeconds() - before;
      };
      run(Math.ceil(20_000 / wards));
      const steps = Math.ceil(200_000 / wards);
      rows.push([preset, fleet.devices.length, wards, Math.round((steps * wards) / run(steps))]);
    }
  }
  return {
    title: 'Steps of environments in a second of one core',
    columns: ['place', 'devices', 'wards together', 'steps a second'],
    rows,
    note: 'A step moves every link and device of one ward by one block.',
  };
}

// Packed here, where it is seen, and not by several processes at once.
for (const name of new Set(PRESETS.flatMap(bundlesOf))) await sharedBundle(name);
const results = await workThrough(jobs());
const pairs: [requests: number, rate: number][] = [
  [REQUESTS, 1],
  [SAMPLE, SAMPLE_RATE],
];
process.stdout.write(
  await writeResults('ward', {
    title: 'Planners in a ward that moves',
    command: 'npm run bench:ward',
    about: [
      'Each planner meets the same requests in the same world (`docs/ward.md`), once each: objective is the mean over all requests, one without a result in time counting its whole deadline and the whole accuracy; the other means are over served requests.',
      `\`exact-stale\` plans anew every ${STALE_SECONDS} s, \`static\` once; the time to decide counts against deadlines and in the objective, from what was looked at.`,
      `Planners that take tens of milliseconds were run on ${SAMPLE} requests at a tenth of the rate${values.full ? ', and on all' : ''}; all others on both.`,
      `Bundles: ${bundlesOf('ward').join(', ')}; at home ${bundlesOf('home').join(', ')}. \`${PACK_COMMAND}\`. Seed ${SEED}.`,
    ].join(' '),
    tables: [
      ...pairs.map(([requests, rate]) => summaryTable(results, requests, rate)),
      ...PRESETS.flatMap((preset) => pairs.map(([requests, rate]) => table(results, preset, requests, rate))),
      await stepsTable(),
    ],
  }),
);
