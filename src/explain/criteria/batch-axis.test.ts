// Scores do not depend on how many samples run at once, nor on which axis a network holds them.
import { describe, expect, it } from 'vitest';
import { canonicalModel, type Model } from '../../onnx/index.ts';
import { ints } from '../../onnx/internal.ts';
import { BATCH_NETS, BatchNet, TWINS } from '../../onnx/test-support/batch-nets.ts';
import { must } from '../../util/index.ts';
import type { LayerScores } from '../criterion.ts';
import { findPlainCriterion } from '../registry.ts';
import { context } from '../test-support/calibration.ts';

const NAMES = [
  ...['activation-std', 'hrank', 'lrp-gamma', 'fisher', 'deeplift-rescale'],
  ...['expected-gradients=2', 'smoothgrad=2'],
];
/** What lies one after the other along the batch has no way back. */
const FORWARD = ['activation-std', 'hrank'];

async function scores(model: Model, name: string, batch: number): Promise<LayerScores[]> {
  const labels = Array.from({ length: 9 }, (_, i) => i % 5);
  return findPlainCriterion(name).score(context(model, { count: 9, labels, batch, seed: 3 }));
}

/** The largest difference, as a share of each layer's largest score. */
function apart(a: readonly LayerScores[], b: readonly LayerScores[]): number {
  expect(b.map(({ scores: own }) => own.length)).toEqual(a.map(({ scores: own }) => own.length));
  return Math.max(
    ...a.map(({ scores: own }, l) => {
      const other = must(b[l], 'a layer').scores;
      const most = Math.max(...own.map(Math.abs), 1e-12);
      return Math.max(...own.map((score, c) => Math.abs(score - (other[c] as number)))) / most;
    }),
  );
}

describe('criteria', () => {
  it.each(Object.keys(BATCH_NETS))('give the same scores whatever the batch size: %s', async (kind) => {
    const model = canonicalModel((BATCH_NETS[kind] as () => Model)());
    for (const name of kind === 'joined along the batch' ? FORWARD : NAMES) {
      const alone = await scores(model, name, 1);
      for (const { scores: own } of alone) expect(own.every(Number.isFinite), name).toBe(true);
      for (const batch of [2, 3, 8]) {
        expect(apart(alone, await scores(model, name, batch)), `${name}, ${batch}`).toBeLessThan(1e-5);
      }
    }
  });

  it.each(TWINS)(
    'are those of the network with the batch on the first axis: %s',
    async (kind, make, plain) => {
      const [model, twin] = [canonicalModel(make()), canonicalModel(plain())];
      // Ranks are those of slices in one, and of vectors in the other.
      for (const name of NAMES.filter((own) => own !== 'hrank' || kind.startsWith('sequences'))) {
        expect(apart(await scores(twin, name, 4), await scores(model, name, 4)), name).toBeLessThan(2e-4);
      }
    },
  );

  it.each(Object.keys(BATCH_NETS))('are the same with a batch that is fixed: %s', async (kind) => {
    const [open, fixed, alone] = [undefined, 3, 1].map((batch) => {
      return canonicalModel((BATCH_NETS[kind] as (size?: number) => Model)(batch));
    }) as [Model, Model, Model];
    const names =
      kind === 'joined along the batch' ? FORWARD : ['activation-std', 'lrp-gamma', 'deeplift-rescale'];
    for (const name of names) {
      const expected = await scores(open, name, 4);
      expect(apart(expected, await scores(fixed, name, 3)), `${name}, 3`).toBeLessThan(1e-5);
      expect(apart(expected, await scores(alone, name, 1)), `${name}, 1`).toBeLessThan(1e-5);
    }
  });

  it('says which node lost the samples', async () => {
    const net = new BatchNet([4, 4]);
    const centre = net.op('ReduceMean', [net.input], { axes: ints([0]) });
    const mixed = net.relu(net.linear(net.op('Sub', [net.input, centre]), 4, 4));
    const model = canonicalModel(net.classify(net.op('Flatten', [mixed]), 16));
    for (const name of ['activation', 'lrp-gamma']) {
      await expect(scores(model, name, 4), name).rejects.toThrow(
        /samples.*ReduceMean 'reducemean' computes across/,
      );
    }
  });
});
