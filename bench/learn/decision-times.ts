// How long the policy takes, from an instance to a checked plan.
import { randomInstance } from '../../src/plan/internal.ts';
import { processorSeconds, quantile } from '../lib/figures.ts';
import type { ResultTable } from '../lib/results.ts';
import { shippedPolicy } from './gaps.ts';

const SIZES = [
  [10, 4, 8],
  [20, 10, 8],
  [40, 20, 8],
] as const;
const INSTANCES = 40;
const WARM_UP = 8;
const ROUNDS = 25;

/** Percentiles by size, after a warm-up, in one thread. */
export async function decisionTimes(say: (text: string) => void): Promise<ResultTable> {
  const policy = await shippedPolicy();
  const rows: (string | number)[][] = [];
  for (const [stages, devices, levels] of SIZES) {
    const instances = Array.from({ length: INSTANCES }, (_, i) =>
      randomInstance({ stages, devices, levels, seed: i + 1 }),
    );
    const wall: number[] = [];
    const before = { ...policy.counts };
    let processor = 0;
    for (let round = 0; round < WARM_UP + ROUNDS; round++) {
      const own = processorSeconds();
      for (const instance of instances) {
        const began = performance.now();
        await policy.plan(instance);
        if (round >= WARM_UP) wall.push(performance.now() - began);
      }
      if (round >= WARM_UP) processor += 1000 * (processorSeconds() - own);
    }
    const quick = policy.counts.quick - before.quick;
    const ms = (share: number): string => quantile(wall, share).toFixed(2);
    rows.push([
      ...[`${stages} x ${devices} x ${levels}`, wall.length, ms(0.1), ms(0.5), ms(0.99)],
      ...[
        (processor / wall.length).toFixed(2),
        `${Math.round((100 * quick) / ((WARM_UP + ROUNDS) * INSTANCES))} %`,
      ],
    ]);
    say(`decision at ${stages} x ${devices} x ${levels}: ${ms(0.5)} ms`);
  }
  await policy.close();
  return {
    title: 'Decision time',
    columns: [
      'stages x devices x levels',
      'decisions',
      'p10 ms',
      'p50 ms',
      'p99 ms',
      'processor ms',
      'first look sufficed',
    ],
    rows,
    note: 'From the instance to a plan that the independent check has passed: features, network, prices, beam, check. One thread; milliseconds of the clock while other work kept both cores busy, and of the process on processors (garbage collection counted).',
  };
}
