// Gaps to the exact planner, by size and by bundle.
import { readFile } from 'node:fs/promises';
import { drawInstance, drawProblem, PolicyPlanner, TRAINING_RANGES } from '../../src/learn/index.ts';
import {
  beamPlanner,
  buildProblem,
  checkPlan,
  exactPlanner,
  greedyPlanner,
  localPlanner,
  type Planner,
  RAW_INPUT_CHOICES,
} from '../../src/plan/index.ts';
import { type PlanningInstance, randomPlanner } from '../../src/plan/internal.ts';
import { median } from '../../src/util/index.ts';
import { sharedBundle } from '../lib/bundles.ts';
import { quantile } from '../lib/figures.ts';
import type { ResultTable } from '../lib/results.ts';
import { SHARED_MODELS } from '../lib/shared.ts';

const LABELS = { exact: 400_000, beam: 100_000 } as const;
/** Numbers of requests that no training comes to, and no held-back set either. */
const FIRST_SEED = 700_000_000;

interface SizeClass {
  readonly stages: readonly [number, number];
  readonly devices: readonly [number, number];
  /** Share of all requests. */
  readonly share: number;
  readonly trained: boolean;
  /** Whether stages have eight-bit forms. */
  readonly precisions?: boolean;
}

const CLASSES: readonly SizeClass[] = [
  { stages: [5, 8], devices: [2, 4], share: 0.2, trained: true },
  { stages: [9, 14], devices: [5, 8], share: 0.2, trained: true },
  { stages: [15, 20], devices: [9, 12], share: 0.2, trained: true },
  { stages: [5, 20], devices: [13, 20], share: 0.1, trained: false },
  { stages: [21, 30], devices: [2, 12], share: 0.1, trained: false },
  { stages: [31, 40], devices: [2, 12], share: 0.1, trained: false },
  { stages: [31, 40], devices: [13, 20], share: 0.1, trained: false },
  { stages: [5, 8], devices: [2, 4], share: 0.1, trained: true, precisions: true },
  { stages: [9, 14], devices: [5, 8], share: 0.1, trained: true, precisions: true },
  { stages: [15, 20], devices: [9, 12], share: 0.1, trained: true, precisions: true },
];

/** The shipped policy. */
export async function shippedPolicy(): Promise<PolicyPlanner> {
  const path = new URL('../../models/policy.onnx', import.meta.url);
  return PolicyPlanner.open(await readFile(path), 'the shipped policy');
}

/** What one planner did with some requests that have a plan. */
class Tally {
  readonly gaps: number[] = [];
  readonly seconds: number[] = [];
  missed = 0;
  violations = 0;

  async take(planner: Planner, instance: PlanningInstance, exact: number): Promise<void> {
    const began = performance.now();
    const { decisions, objective } = await planner.plan(instance, { labels: LABELS.beam });
    this.seconds.push((performance.now() - began) / 1000);
    if (!decisions) {
      this.missed++;
      return;
    }
    if (checkPlan(instance, decisions).violations.length > 0) this.violations++;
    this.gaps.push(objective / exact - 1);
  }

  get mean(): number {
    return this.gaps.reduce((sum, gap) => sum + gap, 0) / Math.max(1, this.gaps.length);
  }
}

const percent = (share: number): string => (Number.isFinite(share) ? `${(100 * share).toFixed(2)} %` : '-');

const COLUMNS = [
  'requests',
  'without a plan',
  'exact proven',
  'mean',
  'median',
  'p95',
  'worst',
  'no plan found',
  'violations',
];

/** A group of requests under all planners. */
class Group {
  readonly tallies = new Map<string, Tally>();
  requests = 0;
  infeasible = 0;
  proven = 0;

  async take(planners: readonly Planner[], instance: PlanningInstance): Promise<void> {
    this.requests++;
    const exact = await exactPlanner.plan(instance, { labels: LABELS.exact });
    if (!exact.decisions) {
      this.infeasible++;
      return;
    }
    if (exact.status === 'optimal') this.proven++;
    for (const planner of planners) {
      const tally = this.tallies.get(planner.name) ?? new Tally();
      this.tallies.set(planner.name, tally);
      await tally.take(planner, instance, exact.objective);
    }
  }

  row(name: string): (string | number)[] {
    const tally = this.tallies.get(name) ?? new Tally();
    const planned = this.requests - this.infeasible;
    return [
      ...[this.requests, this.infeasible, planned > 0 ? percent(this.proven / planned) : '-'],
      ...[percent(tally.mean), percent(median(tally.gaps)), percent(quantile(tally.gaps, 0.95))],
      ...[percent(Math.max(...tally.gaps)), tally.missed, tally.violations],
    ];
  }
}

/**
 * Random requests in classes of sizes; then all planners over what was trained on, and over what was not.
 * @param classes those with eight-bit forms alone, or all
 */
export async function gapsBySize(
  count: number,
  say: (text: string) => void,
  classes: 'all' | 'precisions' = 'all',
): Promise<ResultTable[]> {
  const policy = await shippedPolicy();
  const planners = [policy, beamPlanner, greedyPlanner, localPlanner, randomPlanner(1)];
  const rows: (string | number)[][] = [];
  const [inside, outside, rounding] = [new Group(), new Group(), new Group()];
  let seed = FIRST_SEED;
  for (const { stages, devices, share, trained, precisions = false } of CLASSES) {
    if (classes === 'precisions' && !precisions) continue;
    const group = new Group();
    for (let i = 0; i < Math.round(count * share); i++) {
      const ranges = { ...TRAINING_RANGES, stages, devices, precisions: precisions ? 1 : 0 };
      await group.take(planners, drawInstance(seed++, ranges));
    }
    const name = `${stages.join('-')} x ${devices.join('-')}${precisions ? ', float32 or int8' : ''}`;
    rows.push([name, trained ? 'yes' : 'no', ...group.row('policy')]);
    merge(precisions ? rounding : trained ? inside : outside, group);
    say(`sizes ${name}: mean gap ${percent(group.tallies.get('policy')?.mean ?? Number.NaN)}`);
  }
  await policy.close();
  const byPlanner = (group: Group, where: string): (string | number)[][] =>
    planners.map(({ name }) => {
      const {
        gaps = [],
        missed = 0,
        violations = 0,
        seconds = [],
        mean = Number.NaN,
      } = group.tallies.get(name) ?? {};
      const ms = (share: number): string => (1000 * quantile(seconds, share)).toPrecision(2);
      return [
        ...[
          where,
          name,
          gaps.length + missed,
          percent(mean),
          percent(median(gaps)),
          percent(Math.max(...gaps)),
        ],
        ...[missed, violations, ms(0.5), ms(0.99)],
      ];
    });
  return [
    {
      title: 'Random requests by size',
      columns: ['stages x devices', 'trained on', ...COLUMNS],
      rows,
      note: 'Levels 2 to 8, splits of all kinds, shared channels, privacy, measured times, trunks, missing links; two in three stretched away from the generator (src/learn/train/draws.ts).',
    },
    {
      title: 'Beside other planners',
      columns: [
        'sizes',
        'planner',
        'requests',
        'mean',
        'median',
        'worst',
        'no plan found',
        'violations',
        'p50 ms',
        'p99 ms',
      ],
      rows: [
        { group: inside, where: 'trained on' },
        { group: outside, where: 'not trained on' },
        { group: rounding, where: 'trained on, float32 or int8' },
      ].flatMap(({ group, where }) => (group.requests > 0 ? byPlanner(group, where) : [])),
      note: 'Milliseconds of the clock, on a machine that others use too. Gaps are over the requests that a planner found a plan for.',
    },
  ];
}

function merge(into: Group, group: Group): void {
  into.requests += group.requests;
  into.infeasible += group.infeasible;
  into.proven += group.proven;
  for (const [name, tally] of group.tallies) {
    const own = into.tallies.get(name) ?? new Tally();
    into.tallies.set(name, own);
    own.gaps.push(...tally.gaps);
    own.seconds.push(...tally.seconds);
    own.missed += tally.missed;
    own.violations += tally.violations;
  }
}

/**
 * The shared models, which no policy is trained on, on random fleets.
 * @param int8 their bundles with eight-bit forms; on these also requests that let the raw input go to trusted devices
 */
export async function gapsByBundle(
  count: number,
  say: (text: string) => void,
  int8 = false,
): Promise<ResultTable> {
  const policy = await shippedPolicy();
  const rows: (string | number)[][] = [];
  for (const { name } of SHARED_MODELS) {
    const { manifest } = await sharedBundle(name, int8);
    for (const rawInput of int8 ? RAW_INPUT_CHOICES : (['source'] as const)) {
      const group = new Group();
      for (let i = 0; i < count; i++) {
        const { fleet, request } = drawProblem(manifest, i + 1);
        const { instance } = buildProblem(manifest, fleet, { ...request, rawInput });
        await group.take([policy, greedyPlanner], instance);
      }
      const [mean, ofGreedy] = ['policy', 'greedy'].map((planner) =>
        percent(group.tallies.get(planner)?.mean ?? Number.NaN),
      );
      const row = rawInput === 'source' ? name : `${name}, input sent`;
      rows.push([row, manifest.stages.length, ...group.row('policy'), ofGreedy ?? '']);
      say(`bundle ${row}: mean gap ${mean}`);
    }
  }
  await policy.close();
  return {
    title: `Bundles of models not trained on${int8 ? ', with eight-bit forms' : ''}`,
    columns: ['bundle', 'stages', ...COLUMNS, 'greedy, mean'],
    rows,
    note: 'Random fleets of 2 to 12 devices (src/plan/random/random-fleet.ts); half with certified levels, half with free ones.',
  };
}
