// Recurrent layers in bundles: costs at levels are those of the cut network, no stage with one is split, and stages at
// levels make the whole.
import { describe, expect, it } from 'vitest';
import { stageCosts } from '../bundle/index.ts';
import { totalCosts } from '../bundle/internal.ts';
import { contentsOf, manifestOf } from '../bundle/test-support/contents.ts';
import { findGroups } from '../channels/index.ts';
import { macsCounter } from '../channels/internal.ts';
import { canonicalModel, type Model } from '../onnx/index.ts';
import { lastStepNet, stackedNet } from '../onnx/test-support/recurrent-nets.ts';
import { describeModel } from './describe.ts';

describe('recurrent layers in bundles', () => {
  it.each([
    ['an LSTM behind a convolution', () => lastStepNet('LSTM')],
    ['stacked layers of both directions', () => stackedNet('GRU')],
  ])('have exact costs at every level and are not split: %s', (_title, make: () => Model) => {
    const model = canonicalModel(make());
    const grouping = findGroups(model);
    const counts = grouping.groups.map(({ channels }) => [channels, channels - 1, 2]);
    const { signature, ...parts } = describeModel(model, grouping, counts, new Set());
    const { manifest: made } = contentsOf(model);
    const manifest = manifestOf({
      ...made,
      ...parts,
      ratios: [0, 0.3, 0.6],
      model: { ...made.model, ...signature },
    });
    for (const levels of [grouping.groups.map(() => 1), grouping.groups.map((_, i) => (i * 2 + 1) % 3)]) {
      const keep = new Map(
        grouping.groups.map(({ id }) => [id, [...Array(counts[id]?.[levels[id] as number]).keys()]]),
      );
      expect(Math.round(totalCosts(manifest, levels).macs)).toBe(macsCounter(model, grouping)(keep));
    }
    const recurrent = new Set(
      model.graph.nodes.filter(({ op }) => op !== 'Conv' && op.length < 5).map(({ name }) => name),
    );
    for (const stage of manifest.stages) {
      expect(stage.otherMacs).toBeUndefined();
      if (stage.layers.some((name) => recurrent.has(name) && name !== 'head' && name !== 'middle')) {
        expect(stage.split).toBe('none');
      }
      expect(
        stageCosts(
          manifest,
          stage.index,
          grouping.groups.map(() => 0),
        ).weightBytes,
      ).toBeGreaterThan(0);
    }
  });
});
