import { describe, expect, it } from 'vitest';
import { must } from '../../util/index.ts';
import { buildLayeredGraph } from '../exact/graph/graph.ts';
import { solve } from '../exact/solve.ts';
import { randomInstance } from '../random/random-instance.ts';
import { smallInstance } from '../test-support/small-instances.ts';
import { exportLp, highsPlanner } from './highs.ts';
import { buildModel } from './model.ts';
import { safeNames } from './names.ts';

const instance = randomInstance({
  stages: 4,
  devices: 3,
  levels: 3,
  seed: 11,
  tightness: 0.7,
  pairs: 2,
  quads: 0,
  lossUnit: 2e-3,
  activations: true,
  sharedChannel: true,
  mixedSplits: true,
});

describe('the exported program', () => {
  it('read back by a solver has the same optimum', async () => {
    const text = must(exportLp(instance), 'a program');
    const { default: load } = await import('highs');
    const highs = await (load as unknown as typeof import('highs')['default'])();
    const { Status, ObjectiveValue } = highs.solve(text, { output_flag: false });
    expect(Status).toBe('Optimal');
    expect(ObjectiveValue).toBeCloseTo(solve(instance, 'exact').objective, 5);
  });

  it('names stages and devices, in lines that any reader takes', () => {
    const lines = must(exportLp(instance), 'a program').split('\n');
    expect(lines.some((line) => line.includes('run.stage_1.on.source.level0'))).toBe(true);
    expect(lines.some((line) => line.startsWith(' memory.device_1:'))).toBe(true);
    expect(lines).toContain('Binaries');
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(400);
  });

  it('keeps names apart that look alike, or like numbers', () => {
    expect(safeNames(['bed 1', 'bed-1', '2nd', 'e5', ''])).toEqual([
      'bed_1',
      'bed_1_1',
      'n_2nd',
      'n_e5',
      'n_',
    ]);
  });

  it('has integer columns only where a mixture would be no plan', () => {
    const model = buildModel(must(buildLayeredGraph(instance), 'a graph'));
    const kinds = new Set(
      model.program.columns.filter(({ integer }) => integer).map(({ name }) => name.split('.')[0]),
    );
    expect([...kinds].sort()).toEqual(['lost', 'run']);
    const inner = randomInstance({ stages: 3, devices: 2, levels: 1, seed: 60, inner: 2 });
    const withInner = buildModel(must(buildLayeredGraph(inner), 'a graph'));
    expect(withInner.program.columns.some(({ integer, name }) => integer && name.startsWith('work'))).toBe(
      true,
    );
  });
});

describe('HiGHS', () => {
  it('says what it has when its time is up', async () => {
    const large = randomInstance({ stages: 14, devices: 6, levels: 6, seed: 2, tightness: 0.8 });
    const result = await highsPlanner.plan(large, { seconds: 0.05 });
    expect(['gap', 'unknown']).toContain(result.status);
    expect(result.bound).toBeLessThanOrEqual(solve(large, 'beam').objective);
  });

  it('is asked again where its presolve finds a feasible program infeasible', async () => {
    const odd = smallInstance(60, { stages: 3, devices: 2, levels: 1 });
    expect(solve(odd, 'exact').status).toBe('optimal');
    expect((await highsPlanner.plan(odd)).status).toBe('optimal');
  });
});
