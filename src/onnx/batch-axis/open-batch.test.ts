// Batches that are open only in name: taken away by a Squeeze, shared with another axis, or one sample alone.
import { describe, expect, it } from 'vitest';
import { canonicalGraph } from '../canonical/fold.ts';
import { withSqueezeAxes } from '../canonical/squeeze-axes.ts';
import { ints } from '../graph.ts';
import { inferShapes } from '../shapes/shapes.ts';
import { BatchNet } from '../test-support/batch-nets.ts';
import { distance, randomFeeds, run } from '../test-support/models.ts';

/** A head of `x.squeeze()`, as exporters write it in old and new operator sets. */
function squeezed(opset: number) {
  const net = new BatchNet([2, 6, 6]);
  const pooled = net.op('GlobalAveragePool', [net.conv(net.input, 2, 8, [3, 3])]);
  const model = net.classify(net.op('Squeeze', [pooled]), 8);
  return { ...model, opsets: new Map([['', opset]]) };
}

describe('a Squeeze without axes', () => {
  it.each([11, 13])('runs with one sample as with several, operator set %i', async (opset) => {
    const model = squeezed(opset);
    expect(inferShapes(model, 1).get('y')).toEqual([1, 5]);
    for (const named of [withSqueezeAxes(model), canonicalGraph(model)]) {
      const feeds = randomFeeds(model, 3);
      const { y } = await run(named, feeds);
      expect(distance((await run(model, feeds)).y, y)).toBeLessThan(1e-6);
      const x = feeds.x as { data: Float32Array };
      const first = { type: 'float32' as const, dims: [1, 2, 6, 6], data: x.data.slice(0, 72) };
      const alone = (await run(named, { x: first })).y;
      expect(alone?.dims).toEqual([1, 5]);
      const together = Array.from(y?.data ?? [], Number).slice(0, 5);
      Array.from(alone?.data ?? [], Number).forEach((score, k) => {
        expect(score).toBeCloseTo(together[k] as number, 5);
      });
    }
  });

  it('leaves a model alone that has none, or that fixes its batch', () => {
    const net = new BatchNet([2, 6, 6], 5, 3);
    const pooled = net.op('GlobalAveragePool', [net.conv(net.input, 2, 8, [3, 3])]);
    const fixed = net.classify(net.op('Squeeze', [pooled]), 8);
    expect(withSqueezeAxes(fixed)).toBe(fixed);
    const named = withSqueezeAxes(squeezed(13));
    expect(withSqueezeAxes(named)).toBe(named);
  });
});

describe('an open batch', () => {
  it('is refused where other axes of the input bear its name', () => {
    const net = new BatchNet([3, 8, 8]);
    const model = net.classify(net.op('Flatten', [net.op('GlobalAveragePool', [net.input])]), 3);
    model.graph.inputs = [{ name: 'x', elemType: 1, dims: ['N', 3, 'N', 'N'] }];
    expect(() => inferShapes(model, 1)).toThrow(
      "input 'x' is [N, 3, N, N]: 'N' is the batch and the size of other axes",
    );
  });

  it('may stand elsewhere in a second input', () => {
    const net = new BatchNet([4]);
    const state = net.builder.input('h', [1, 'N', 4]);
    const model = net.classify(net.op('Squeeze', [state], { axes: ints([0]) }), 4);
    expect(inferShapes({ ...model, opsets: new Map([['', 11]]) }, 3).get('y')).toEqual([3, 5]);
  });

  it('is told of by name where the model takes one sample alone', () => {
    const net = new BatchNet([4, 4]);
    const model = net.classify(net.shape(net.input, [1, 16]), 16);
    expect(() => canonicalGraph(model)).toThrow(
      /declares an open batch, but works with one sample alone.*Reshape 'reshape'/,
    );
  });
});
