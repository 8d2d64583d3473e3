// How large an instance of planning is proven optimal, how soon, how near the guided beam comes, how long planning anew
// takes, and the same instances by HiGHS and by the study's prototype.
// Command: npm run bench:plan

import { exactPlanner } from '../src/plan/index.ts';
import {
  highsPlanner,
  type PlanningInstance,
  type RandomInstanceOptions,
  randomInstance,
  type SolveOptions,
  solve,
} from '../src/plan/internal.ts';
import { median } from '../src/util/index.ts';
import { processorSeconds, quantile } from './lib/figures.ts';
import { type ResultTable, writeResults } from './lib/results.ts';
import { loadPrototype, type Prototype, withOneList } from './plan/prototype.ts';

type Size = readonly [
  stages: number,
  devices: number,
  levels: number,
  instances: number,
  /** With 2, each stage has an eight-bit form too. */
  precisions?: 2,
];

const TIGHTNESS = [0.5, 0.8];
const LIMIT = 10;
const SIZES: readonly Size[] = [
  [16, 10, 8, 10],
  [16, 10, 8, 10, 2],
  [10, 4, 9, 5],
  [20, 6, 9, 5],
  [20, 12, 9, 5],
  [40, 12, 9, 3],
  [40, 20, 9, 3],
];
const HIGHS_LIMIT = 60;
/** Runs of the exact planner beside HiGHS, whose one run is much longer. */
const REPEATS = 5;
const HIGHS_SIZES: readonly Size[] = [
  [5, 3, 5, 3],
  [8, 3, 5, 3],
  [8, 4, 9, 3],
  [12, 4, 9, 2],
];
const PROTOTYPE_SIZES: readonly Size[] = [
  [16, 10, 8, 4],
  [20, 6, 9, 3],
  [20, 12, 9, 3],
];

async function timed<T>(run: () => T | Promise<T>): Promise<{ readonly value: T; readonly seconds: number }> {
  const started = processorSeconds();
  const value = await run();
  return { value, seconds: processorSeconds() - started };
}

/** The median of a few runs: a search of milliseconds is else timed with what the engine compiles beside it. */
async function repeated<T>(run: () => Promise<T>): Promise<{ readonly value: T; readonly seconds: number }> {
  const first = await timed(run);
  const seconds = [first.seconds];
  while (seconds.length < REPEATS) seconds.push((await timed(run)).seconds);
  return { value: first.value, seconds: median(seconds) };
}

/** Stops a search after so many seconds of the processor. */
function within(seconds: number): SolveOptions {
  const until = processorSeconds() + seconds;
  const signal = {
    get aborted() {
      return processorSeconds() > until;
    },
  };
  return { labels: Number.POSITIVE_INFINITY, signal };
}

function instances(
  [stages, devices, levels, count, precisions]: Size,
  tightness: number,
  more: Partial<RandomInstanceOptions> = {},
) {
  return Array.from({ length: count }, (_, i) =>
    randomInstance({
      stages,
      devices,
      levels,
      tightness,
      seed: i + 1,
      precisions: precisions === 2,
      ...more,
    }),
  );
}

const nameOf = ([stages, devices, levels, , precisions]: Size): string =>
  [stages, devices, levels, ...(precisions ? [precisions] : [])].join(' x ');

const show = (seconds: number): string => seconds.toPrecision(2);
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

/** Gaps of the guided beam to proven optima, over all sizes. */
const beamGaps: number[] = [];
let beamMissed = 0;

async function proofTable(): Promise<ResultTable> {
  const rows: (string | number)[][] = [];
  for (const size of SIZES) {
    for (const tightness of TIGHTNESS) {
      const seconds: number[] = [];
      const beamSeconds: number[] = [];
      const gaps: number[] = [];
      let [infeasible, without] = [0, 0];
      for (const instance of instances(size, tightness)) {
        const exact = await timed(() => solve(instance, 'exact', within(LIMIT)));
        const beam = await timed(() => solve(instance, 'beam', within(LIMIT)));
        const { status, objective, bound } = exact.value;
        beamSeconds.push(beam.seconds);
        if (status === 'gap') gaps.push(1 - bound / objective);
        if (status === 'unknown') without++;
        if (status === 'infeasible') infeasible++;
        if (status === 'optimal' && beam.value.decisions) beamGaps.push(beam.value.objective / objective - 1);
        if (status === 'optimal' && !beam.value.decisions) beamMissed++;
        const proven = status === 'optimal' || status === 'infeasible';
        seconds.push(proven ? exact.seconds : Number.POSITIVE_INFINITY);
      }
      const soon = (limit: number): number => seconds.filter((value) => value <= limit).length;
      const typical = median(seconds);
      rows.push([
        nameOf(size),
        tightness,
        size[3],
        soon(1),
        soon(LIMIT * 1.2),
        infeasible,
        without,
        Number.isFinite(typical) ? show(typical) : `> ${LIMIT}`,
        show(median(beamSeconds)),
        gaps.length > 0 ? gaps.map(percent).join(', ') : '',
      ]);
      process.stderr.write(`${rows.at(-1)?.join(' | ')}\n`);
    }
  }
  return {
    title: 'Proven optimal',
    columns: [
      'stages x devices x levels (x precisions)',
      'tightness',
      'instances',
      'proven in 1 s',
      `in ${LIMIT} s`,
      'of them infeasible',
      'neither plan nor proof',
      'median s',
      'beam, median s',
      'gaps of the others',
    ],
    rows,
    note: 'Sets of each stage: all single devices, 12 pairs, 8 fours. Tightness 0.5: limits of devices bind a little; 0.8: several bind. With two precisions each stage has an eight-bit form too, and tensors may travel as eight bits.',
  };
}

function beamTable(): ResultTable {
  return {
    title: 'Guided beam against the proven optimum',
    columns: ['instances', 'without a plan', 'median gap', 'p90', 'largest'],
    rows: [
      [
        beamGaps.length,
        beamMissed,
        percent(median(beamGaps)),
        percent(quantile(beamGaps, 0.9)),
        percent(Math.max(...beamGaps)),
      ],
    ],
  };
}

async function replanTable(): Promise<ResultTable> {
  const rows: (string | number)[][] = [];
  for (const tightness of TIGHTNESS) {
    const [cold, warm, beam]: [number[], number[], number[]] = [[], [], []];
    for (const [at, instance] of instances([16, 10, 8, 10], tightness).entries()) {
      const first = solve(instance, 'exact', within(LIMIT));
      if (!first.decisions) continue;
      const changed = withSlowerLink(instance, 1 + (at % 9), (at * 3) % 10);
      const start = { multipliers: first.multipliers, decisions: first.decisions };
      cold.push((await timed(() => solve(changed, 'exact', within(LIMIT)))).seconds);
      warm.push((await timed(() => solve(changed, 'exact', { ...within(LIMIT), warm: start }))).seconds);
      beam.push((await timed(() => solve(changed, 'beam', { ...within(LIMIT), warm: start }))).seconds);
    }
    rows.push([tightness, cold.length, show(median(cold)), show(median(warm)), show(median(beam))]);
    process.stderr.write(`${rows.at(-1)?.join(' | ')}\n`);
  }
  return {
    title: 'Planning anew after one link halved, 16 x 10 x 8: median seconds',
    columns: ['tightness', 'instances', 'exact, cold', 'exact, warm', 'beam, warm'],
    rows,
  };
}

function withSlowerLink(instance: PlanningInstance, d: number, e: number): PlanningInstance {
  const bandwidth = instance.bandwidth.map((row, from) =>
    row.map((value, to) => ((from === d && to === e) || (from === e && to === d) ? value / 2 : value)),
  );
  return { ...instance, bandwidth };
}

async function highsTable(): Promise<ResultTable> {
  const rows: (string | number)[][] = [];
  for (const size of HIGHS_SIZES) {
    for (const [at, instance] of instances(size, 0.8, { lossUnit: 5e-4 }).entries()) {
      const exact = await repeated(() => exactPlanner.plan(instance));
      const highs = await timed(() => highsPlanner.plan(instance, { seconds: HIGHS_LIMIT }));
      const same =
        exact.value.status === highs.value.status &&
        (exact.value.status === 'infeasible' ||
          Math.abs(exact.value.objective / highs.value.objective - 1) < 3e-6);
      const finished = highs.value.status === 'optimal' || highs.value.status === 'infeasible';
      rows.push([
        `${nameOf(size)}, ${at + 1}`,
        exact.value.status,
        show(exact.seconds),
        finished ? show(highs.seconds) : `> ${show(highs.seconds)}`,
        `${finished ? '' : '> '}${Math.round(highs.seconds / exact.seconds)}`,
        finished ? (same ? 'yes' : 'NO') : '',
      ]);
      process.stderr.write(`${rows.at(-1)?.join(' | ')}\n`);
    }
  }
  return {
    title: 'Beside HiGHS, tightness 0.8',
    columns: ['instance', 'status', 'exact s', 'HiGHS s', 'times', 'same optimum'],
    rows,
    note: `HiGHS 1.15.3 (WebAssembly, one thread) on the split arc flow. Exact: median of ${REPEATS} runs.`,
  };
}

async function prototypeTable(prototype: Prototype): Promise<ResultTable> {
  const rows: (string | number)[][] = [];
  for (const size of PROTOTYPE_SIZES) {
    for (const tightness of TIGHTNESS) {
      const [ours, theirs]: [number[], number[]] = [[], []];
      let [proven, provenTheirs, slower, wrong] = [0, 0, 0, 0];
      for (const drawn of instances(size, tightness, { privacy: 'open' })) {
        const instance = withOneList(drawn);
        const exact = await timed(() => solve(instance, 'exact', within(LIMIT)));
        const other = await timed(() => prototype(instance, 2 * LIMIT));
        const { status, objective } = exact.value;
        const done = status === 'optimal' || status === 'infeasible';
        ours.push(exact.seconds);
        theirs.push(other.seconds);
        proven += Number(done);
        provenTheirs += Number(other.value.proven);
        slower += Number(other.value.proven && exact.seconds > other.seconds);
        const differ = Math.abs(objective / other.value.objective - 1) > 1e-5;
        wrong += Number(done && other.value.proven && Number.isFinite(objective) && differ);
      }
      rows.push([
        nameOf(size),
        tightness,
        size[3],
        proven,
        provenTheirs,
        show(median(ours)),
        show(median(theirs)),
        slower,
        wrong,
      ]);
      process.stderr.write(`${rows.at(-1)?.join(' | ')}\n`);
    }
  }
  return {
    title: "Beside the study's prototype",
    columns: [
      'stages x devices x levels',
      'tightness',
      'instances',
      'proven',
      'prototype proven',
      'median s',
      'prototype, median s',
      'slower',
      'optima that differ',
    ],
    rows,
    note: `One list of sets for all stages. Stopped at ${LIMIT} s; the prototype at ${2 * LIMIT} s by the clock.`,
  };
}

// The first searches compile.
for (const seed of [98, 99])
  solve(randomInstance({ stages: 10, devices: 6, levels: 5, seed, tightness: 0.8 }), 'exact');
const prototype = await loadPrototype();
const tables = [
  await proofTable(),
  beamTable(),
  await replanTable(),
  await highsTable(),
  ...(prototype ? [await prototypeTable(prototype)] : []),
];
process.stdout.write(
  await writeResults('plan', {
    title: 'Exact planning',
    command: 'npm run bench:plan',
    about:
      'Random instances (`src/plan/random/random-instance.ts`). Seconds are those of the process on its processors, so that other work on the machine does not count; garbage collection does.',
    tables,
  }),
);
