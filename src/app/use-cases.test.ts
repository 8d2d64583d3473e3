// Use cases called from a program: samples in memory, results as plain objects, a reporter for notes and progress.
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { generateEcg } from '../data/index.ts';
import { modelCosts } from '../onnx/index.ts';
import { evaluate } from './evaluate.ts';
import { inspect } from './inspect/inspect.ts';
import { loadNetwork } from './network/network.ts';
import { prune } from './prune/prune.ts';
import type { Reporter } from './reporter.ts';

const NETWORK = fileURLToPath(new URL('../../models/ecg-demo.onnx', import.meta.url));
const data = generateEcg({ perClass: 12, seed: 5 });

function heard(): Reporter & { readonly notes: string[]; readonly tasks: Set<string>; ended: string[] } {
  const [notes, tasks, ended]: [string[], Set<string>, string[]] = [[], new Set(), []];
  return {
    ...{ notes, tasks, ended },
    note: (text) => notes.push(text),
    progress: (task) => tasks.add(task),
    finished: (task) => ended.push(task),
  };
}

describe('evaluate', () => {
  it('measures samples in memory, for a class prior', async () => {
    const reporter = heard();
    const found = await evaluate(NETWORK, { data, classPrior: { N: 3, V: 1 } }, reporter);
    expect(found).toMatchObject({ n: 24, classMix: [0.75, 0, 0.25, 0, 0], perClass: [12, 0, 12, 0, 0] });
    expect(found.accuracy).toBeCloseTo(0.75 * (found.recall[0] ?? 0) + 0.25 * (found.recall[2] ?? 0), 12);
    expect(found).toMatchObject({ remarks: [], skipped: [] });
    expect([...reporter.tasks]).toEqual(['evaluating']);
    expect(reporter.ended).toContain('evaluating');
  });

  it('refuses levels of a network that is no bundle', async () => {
    await expect(evaluate(NETWORK, { data, levels: [0] })).rejects.toMatchObject({ code: 'E_USAGE' });
  });
});

describe('prune', () => {
  it('returns the smaller network, which is a network again, and writes no file unless asked', async () => {
    const reporter = heard();
    const network = await loadNetwork(NETWORK);
    const options = { data, ratio: 0.5, criterion: 'l1', block: 1, perClass: 3, speed: false };
    const found = await prune(network, options, reporter);
    expect(found).toMatchObject({ criterion: 'l1', block: 1, reconstruct: true, labelled: true });
    expect(found).not.toHaveProperty('out');
    expect(found.groups.every(({ channels, kept }) => kept === channels / 2)).toBe(true);
    expect(modelCosts(found.model).macs).toBe(found.macs);
    expect(reporter.notes).toContain(
      'the data has no local and test split: a third was set apart for scoring',
    );
    const smaller = await loadNetwork(found.model, { name: 'half' });
    expect(await inspect(smaller)).toMatchObject({ macs: found.macs, parameters: found.parameters });
  });

  it('needs either a ratio or a share of the multiply-accumulates', async () => {
    for (const amount of [{}, { ratio: 0.5, macs: 0.5 }]) {
      await expect(prune(NETWORK, { data, ...amount })).rejects.toMatchObject({ code: 'E_USAGE' });
    }
  });
});
