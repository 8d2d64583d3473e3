// Planning real bundles on random fleets: what is proven how soon, how far every heuristic is from the optimum, what the
// optimum gains over simpler ways, and HiGHS on the smallest.
// Command: npm run bench:plan-bundles (packs the shared models first where they are not in bench/.cache, which takes long)
import { plannerOf, type SolverName } from '../src/app/index.ts';
import { buildProblem, exactPlanner, type Planner, type PlannerResult } from '../src/plan/index.ts';
import { highsPlanner, type PlanningInstance, randomFleet } from '../src/plan/internal.ts';
import { median, must } from '../src/util/index.ts';
import { PACK_COMMAND, sharedBundle } from './lib/bundles.ts';
import { processorSeconds, quantile } from './lib/figures.ts';
import { type ResultTable, writeResults } from './lib/results.ts';
import { SHARED_MODELS } from './lib/shared.ts';

const DEVICES = [2, 4, 8, 12] as const;
const TIGHTNESS = [0.5, 0.8] as const;
const SEEDS = [1, 2, 3, 4, 5, 6] as const;
const LIMIT = 10;
const HIGHS_LIMIT = 60;
const REPEATS = 3;

const OTHERS = [
  'beam',
  'greedy',
  'heft',
  'prune-only',
  'distribute-only',
  'local',
] as const satisfies readonly SolverName[];

/** One instance and what became of it. */
interface Case {
  readonly bundle: string;
  readonly devices: number;
  readonly tightness: number;
  readonly levels: 'free' | 'certified';
  readonly instance: PlanningInstance;
  readonly exact: Timed;
  readonly others: readonly Timed[];
}

interface Timed {
  readonly result: PlannerResult;
  readonly seconds: number;
}

async function timed(planner: Planner, instance: PlanningInstance, limit: number): Promise<Timed> {
  const until = processorSeconds() + limit;
  const signal = new Proxy(new AbortController().signal, {
    get: (target, key) => (key === 'aborted' ? processorSeconds() > until : Reflect.get(target, key)),
  });
  const started = processorSeconds();
  const result = await planner.plan(instance, { labels: Number.POSITIVE_INFINITY, signal });
  return { result, seconds: processorSeconds() - started };
}

const show = (seconds: number): string => (Number.isFinite(seconds) ? seconds.toPrecision(2) : `> ${LIMIT}`);
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

async function cases(): Promise<Case[]> {
  const found: Case[] = [];
  for (const { name } of SHARED_MODELS) {
    const { manifest } = await sharedBundle(name);
    for (const levels of ['free', 'certified'] as const) {
      for (const devices of DEVICES) {
        for (const tightness of TIGHTNESS) {
          for (const seed of SEEDS) {
            const { fleet, request } = randomFleet(manifest, { devices, seed, tightness });
            const { instance } = buildProblem(manifest, fleet, { ...request, levels });
            const exact = await timed(exactPlanner, instance, LIMIT);
            const others: Timed[] = [];
            for (const name of OTHERS) others.push(await timed(plannerOf(name), instance, LIMIT));
            found.push({ bundle: name, devices, tightness, levels, instance, exact, others });
          }
          process.stderr.write(`${name} ${levels} ${devices} ${tightness}\n`);
        }
      }
    }
  }
  return found;
}

const isProven = ({ exact: { result } }: Case): boolean =>
  result.status === 'optimal' || result.status === 'infeasible';

/** Cases by what a key says, in the order in which keys come. */
function grouped(all: readonly Case[], keyOf: (one: Case) => string): Map<string, Case[]> {
  const groups = new Map<string, Case[]>();
  for (const one of all) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one]);
  return groups;
}

function proofTable(all: readonly Case[]): ResultTable {
  const groups = grouped(all, ({ bundle, levels, devices }) => `${bundle} | ${levels} | ${devices}`);
  const rows = [...groups].map(([key, some]) => {
    const seconds = some.map((one) => (isProven(one) ? one.exact.seconds : Number.POSITIVE_INFINITY));
    const gaps = some.flatMap(({ exact: { result } }) =>
      result.status === 'gap' ? [1 - result.bound / result.objective] : [],
    );
    return [
      ...key.split(' | '),
      some.length,
      seconds.filter((value) => value <= 1).length,
      seconds.filter((value) => value <= 1.2 * LIMIT).length,
      some.filter(({ exact }) => exact.result.status === 'infeasible').length,
      show(median(seconds)),
      show(Math.max(...seconds)),
      gaps.map(percent).join(', '),
    ];
  });
  return {
    title: 'Proven optimal',
    columns: [
      'bundle',
      'levels',
      'devices',
      'instances',
      'proven in 1 s',
      `in ${LIMIT} s`,
      'of them infeasible',
      'median s',
      'longest s',
      'gaps of the others',
    ],
    rows,
  };
}

function gapTable(all: readonly Case[]): ResultTable {
  const optimal = all.filter(({ exact }) => exact.result.status === 'optimal');
  const groups = grouped(optimal, ({ bundle, levels }) => `${bundle} | ${levels}`);
  const rows = [...groups].flatMap(([key, some]) =>
    OTHERS.map((name, at) => {
      const own = some.map((one) => must(one.others[at], name));
      const gaps = own
        .map(({ result }, i) => result.objective / must(some[i], 'a case').exact.result.objective - 1)
        .filter(Number.isFinite)
        .sort((a, b) => a - b);
      return [
        ...key.split(' | '),
        name,
        some.length,
        some.length - gaps.length,
        gaps.length > 0 ? percent(median(gaps)) : '',
        gaps.length > 0 ? percent(quantile(gaps, 0.9)) : '',
        gaps.length > 0 ? percent(gaps.at(-1) ?? Number.NaN) : '',
        show(median(own.map(({ seconds }) => seconds))),
      ];
    }),
  );
  return {
    title: 'How far above the proven optimum',
    columns: [
      'bundle',
      'levels',
      'planner',
      'instances',
      'without a plan',
      'median',
      'p90',
      'largest',
      'median s',
    ],
    rows,
    note: '`prune-only`, `distribute-only` and `local` are not worse planners but poorer ways: on the source alone, without pruning, and both.',
  };
}

async function highsTable(all: readonly Case[]): Promise<ResultTable> {
  const rows: (string | number)[][] = [];
  const small = all.filter(({ devices, levels }) => devices === 2 && levels === 'free');
  for (const [name, some] of grouped(small, ({ bundle }) => bundle)) {
    for (const { instance, exact: first } of some.filter((_, at) => at % SEEDS.length < 2)) {
      const runs = [first];
      while (runs.length < REPEATS) runs.push(await timed(exactPlanner, instance, LIMIT));
      const seconds = median(runs.map((run) => run.seconds));
      const highs = await timedHighs(instance);
      const { status, objective } = first.result;
      const finished = highs.result.status === 'optimal' || highs.result.status === 'infeasible';
      const same =
        status === highs.result.status &&
        (status === 'infeasible' || Math.abs(objective / highs.result.objective - 1) < 3e-6);
      rows.push([
        name,
        status,
        show(seconds),
        `${finished ? '' : '> '}${highs.seconds.toPrecision(2)}`,
        `${finished ? '' : '> '}${Math.round(highs.seconds / seconds)}`,
        finished ? (same ? 'yes' : 'NO') : '',
      ]);
      process.stderr.write(`${rows.at(-1)?.join(' | ')}\n`);
    }
  }
  return {
    title: 'Beside HiGHS: 2 devices, free levels',
    columns: ['bundle', 'status', 'exact s', 'HiGHS s', 'times', 'same optimum'],
    rows,
    note: `HiGHS 1.15.3 (WebAssembly, one thread) on the split arc flow, stopped after ${HIGHS_LIMIT} s. Exact: median of ${REPEATS} runs.`,
  };
}

/** HiGHS does not look at a signal while it runs. */
async function timedHighs(instance: PlanningInstance): Promise<Timed> {
  const started = processorSeconds();
  const result = await highsPlanner.plan(instance, { seconds: HIGHS_LIMIT });
  return { result, seconds: processorSeconds() - started };
}

const all = await cases();
process.stdout.write(
  await writeResults('plan-bundles', {
    title: 'Exact planning of real bundles on random fleets',
    command: 'npm run bench:plan-bundles',
    about:
      `Bundles of the three shared models, each made by \`${PACK_COMMAND}\`, on random fleets of 2 to 12 devices ` +
      '(`src/plan/random/random-fleet.ts`), half of them at tightness 0.5 and half at 0.8. Seconds are those of the process on ' +
      'its processors, so that other work on the machine does not count; garbage collection does.',
    tables: [proofTable(all), gapTable(all), await highsTable(all)],
  }),
);
