// How far `auto` stays behind the best in hindsight: what it chose from calibration samples against what would have been
// best on the test samples.
import { AUTO_CANDIDATES } from '../../src/prune/internal.ts';
import type { ResultTable } from '../lib/results.ts';
import { AUTO, GOAL_RATIOS, SEEDS, SIZES, STUDIED } from './plan.ts';
import { mean } from './statistics.ts';
import { at, MODELS, type Summary } from './summary.ts';

const GOAL_POINTS = 1;

/** Means over the goal's ratios and the seeds that there are, in accuracy. */
interface Regret {
  readonly seeds: number;
  readonly auto: number;
  /** The best of all criteria, chosen anew at each ratio and seed. */
  readonly best: number;
  /** The best of what `auto` chooses from, likewise. */
  readonly bestCandidate: number;
  /** The criterion with the best mean over the ratios, chosen anew for each seed. */
  readonly bestSingle: number;
  readonly picks: readonly string[];
}

/** By number of samples and model; undefined before `auto` was measured. */
export function autoTable(summary: Summary): ResultTable | undefined {
  const rows = SIZES.toReversed().flatMap((size) => {
    const found = MODELS.map((model) => ({ model, regret: regretOf(summary, model, size) }));
    const complete = found.flatMap(({ regret }) => regret ?? []);
    const over = (of: (regret: Regret) => number): number => mean(complete.map(of));
    const own = found.flatMap(({ model, regret }) => (regret ? [row(size, model, regret)] : []));
    if (complete.length < MODELS.length) return own;
    const behind = 100 * over(({ best, auto }) => best - auto);
    const behindSingle = 100 * over(({ bestSingle, auto }) => bestSingle - auto);
    return [
      ...own,
      [
        size,
        'mean over models',
        over(({ auto }) => auto).toFixed(3),
        behind.toFixed(1),
        (100 * over(({ bestCandidate, auto }) => bestCandidate - auto)).toFixed(1),
        behindSingle.toFixed(1),
        Math.min(...complete.map(({ seeds }) => seeds)),
        `goal <= ${GOAL_POINTS}: ${verdict(behind)} against the best at each ratio, ${verdict(behindSingle)} against the best single criterion`,
      ],
    ];
  });
  if (rows.length === 0) return undefined;
  return {
    title: `auto: points behind the best in hindsight, mean over ratios ${GOAL_RATIOS[0]} to ${GOAL_RATIOS.at(-1)} and seeds, uniform`,
    columns: [
      'samples a class',
      'model',
      'accuracy of auto',
      'behind the best',
      'behind the best candidate',
      'behind the best single criterion',
      'seeds',
      'chosen',
    ],
    rows,
    note: 'The best in hindsight is the largest of all measured criteria at each ratio and seed, on the same test samples: a maximum over noisy figures, which no choice can reach on average. The best single criterion has the highest mean over the ratios.',
  };
}

const verdict = (points: number): string => (points <= GOAL_POINTS ? 'met' : 'missed');

function row(size: number, model: string, regret: Regret): (string | number)[] {
  const { auto, best, bestCandidate, bestSingle, seeds, picks } = regret;
  const behind = (other: number): string => (100 * (other - auto)).toFixed(1);
  return [
    size,
    model,
    auto.toFixed(3),
    behind(best),
    behind(bestCandidate),
    behind(bestSingle),
    seeds,
    counted(picks),
  ];
}

function regretOf(summary: Summary, model: string, size: number): Regret | undefined {
  const all = STUDIED.map(({ name }) => name);
  const seeds = SEEDS.flatMap((seed) => {
    const cell = summary.cell(model, AUTO, size, seed, 'uniform');
    // Only where what it chooses from has been measured too.
    const known = (name: string) => summary.cell(model, name, size, seed, 'uniform');
    return cell && AUTO_CANDIDATES.every(known) ? [{ seed, cell }] : [];
  });
  if (seeds.length === 0) return undefined;
  const value = (name: string, seed: number, ratio: number): number => {
    const cell = summary.cell(model, name, size, seed, 'uniform');
    return cell ? at(cell.measured, ratio)[0] : Number.NEGATIVE_INFINITY;
  };
  const over = (of: (seed: number) => number): number => mean(seeds.map(({ seed }) => of(seed)));
  const largest = (names: readonly string[], seed: number): number =>
    mean(GOAL_RATIOS.map((ratio) => Math.max(...names.map((name) => value(name, seed, ratio)))));
  return {
    seeds: seeds.length,
    auto: over((seed) => mean(GOAL_RATIOS.map((ratio) => value(AUTO, seed, ratio)))),
    best: over((seed) => largest(all, seed)),
    bestCandidate: over((seed) => largest(AUTO_CANDIDATES, seed)),
    bestSingle: over((seed) =>
      Math.max(...all.map((name) => mean(GOAL_RATIOS.map((ratio) => value(name, seed, ratio))))),
    ),
    picks: seeds.flatMap(({ cell }) => cell.picks ?? []),
  };
}

/** `lrp-gamma 3, taylor 2` */
function counted(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}
