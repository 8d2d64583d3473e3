// The scale of batch normalisation, read before it is merged.
import { describe, expect, it } from 'vitest';
import { canonicalModel } from '../../onnx/index.ts';
import { canonicalGraph, weightedLayers } from '../../onnx/internal.ts';
import { BedsideError } from '../../util/index.ts';
import { context, smallNetwork, withNormalisation } from '../test-support/calibration.ts';
import { BN_SCALE } from './batch-norm.ts';

describe('bn-scale', () => {
  const exported = withNormalisation(smallNetwork(), 'Conv_1');
  const [model, unmerged] = [canonicalModel(exported), canonicalGraph(exported)];

  it('is the size of the scale behind the layer; layers without one are all alike', async () => {
    expect(model.graph.nodes.map(({ op }) => op)).not.toContain('BatchNormalization');
    expect(unmerged.graph.nodes.map(({ op }) => op)).toContain('BatchNormalization');
    const scores = await BN_SCALE.score({ ...context(model), unmerged });
    const scale = unmerged.graph.constants.get('Conv_1_scale');
    const expected = Array.from(scale?.type === 'float32' ? scale.data : [], Math.abs);
    expect(new Set(expected).size).toBe(4);
    expect(scores.map(({ layer, scores: list }) => [layer, Array.from(list)])).toEqual([
      ['Conv', [1, 1, 1, 1]],
      ['Conv_1', expected],
      ['Conv_2', [1, 1, 1, 1, 1]],
      ['Gemm', [1, 1, 1]],
    ]);
  });

  it('finds layers under the same names before and after merging', () => {
    expect(weightedLayers(unmerged).map(({ name }) => name)).toEqual(
      weightedLayers(model).map(({ name }) => name),
    );
  });

  it('refuses a model that has none left, by name', async () => {
    const failed: unknown = await BN_SCALE.score(context(model)).catch((error: unknown) => error);
    expect(BedsideError.is(failed, 'E_CRITERION') && failed.message).toContain(
      'test has no batch normalisation',
    );
  });
});
