// Corrections of a bundle are fitted in graphs that are valid at every operator set, whatever the nodes are called.
import { describe, expect, it } from 'vitest';
import { findGroups, sliceModel } from '../channels/index.ts';
import { largestDifference, Net } from '../channels/test-support/net.ts';
import { canonicalModel, type Model } from '../onnx/index.ts';
import { withBiases } from '../repair/internal.ts';
import { samplesFor } from '../repair/test-support/nets.ts';
import { must } from '../util/index.ts';
import { AffineCorrector, type FittedCorrection } from './correction/affine.ts';

/** Two convolutions and a linear layer; Softmax at the end, whose default axis changed at 13. */
function network(opset: number, names: readonly string[] = []): Model {
  const net = new Net([2, 6, 6], 4);
  const a = net.relu(net.conv('a', net.input, 2, 8));
  const b = net.op('Tanh', [net.conv('b', a, 8, 6)]);
  const pooled = net.op('Flatten', [net.op('GlobalAveragePool', [b])]);
  const logits = net.op('Softmax', [net.gemm('head', pooled, 6, 3)]);
  net.finish(logits);
  net.builder.graph.nodes.forEach((node, i) => {
    node.name = names[i] ?? node.name;
  });
  return net.builder.model(opset, opset < 10 ? 4 : 8);
}

async function fitted(model: Model): Promise<FittedCorrection> {
  const whole = withBiases(canonicalModel(model));
  const grouping = findGroups(whole);
  const keep = new Map(grouping.groups.map(({ id, channels }) => [id, [...Array(channels / 2).keys()]]));
  const corrector = await AffineCorrector.create(whole, grouping, {
    name: 'net',
    threads: 1,
    batch: 8,
    seed: 2,
    calibration: samplesFor(whole, 12),
  });
  try {
    const fit = await corrector.fit(sliceModel(whole, grouping, keep), keep);
    return await corrector.enrich(sliceModel(whole, grouping, keep), keep, fit);
  } finally {
    await corrector.release();
  }
}

function expectSame(found: FittedCorrection, expected: FittedCorrection): void {
  const [a, b] = [must(found.correction, 'one'), must(expected.correction, 'another')];
  expect(largestDifference(Float32Array.from(a.scale), Float32Array.from(b.scale))).toBeLessThan(1e-3);
  expect(largestDifference(Float32Array.from(a.bias), Float32Array.from(b.bias))).toBeLessThan(1e-3);
  expect(found.errorAfter).toBeCloseTo(expected.errorAfter, 5);
  expect(found.errorAfter).toBeLessThan(found.errorBefore);
}

describe('corrections', () => {
  it('are the same in every operator set', async () => {
    const expected = await fitted(network(17));
    for (const opset of [7, 8, 9, 10, 11, 12, 13, 15, 18, 21])
      expectSame(await fitted(network(opset)), expected);
  });

  it('do not mind nodes that are called like their own', async () => {
    const expected = await fitted(network(17));
    for (const names of [
      ['add', 'mul', 'slice', 'reshape', 'gather', 'sub', 'div'],
      ['a_raw', 'reducesum', 'scalar', 'a_c', 'a_target', 'transpose', 'a_c_1'],
    ]) {
      expectSame(await fitted(network(17, names)), expected);
    }
  });
});
