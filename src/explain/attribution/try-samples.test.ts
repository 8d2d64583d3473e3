// Operators that nobody follows: what their shapes say of samples holds on the engine, or is refused.
import { describe, expect, it } from 'vitest';
import { canonicalModel, type Model } from '../../onnx/index.ts';
import { assumedSamples, batchAxes, isBatchFirst } from '../../onnx/internal.ts';
import { BatchNet } from '../../onnx/test-support/batch-nets.ts';
import { findPlainCriterion } from '../registry.ts';
import { context } from '../test-support/calibration.ts';
import { trySamples } from './try-samples.ts';

/** A linear layer, an operator of the engine's own, another linear layer. */
function around(op: string, batch?: number): Model {
  const net = new BatchNet([6], 5, batch);
  const hidden = net.op(op, [net.linear(net.input, 6, 8)]);
  net.builder.graph.nodes.forEach((node) => {
    if (node.op === op) node.domain = 'com.microsoft';
  });
  const model = net.classify(hidden, 8);
  // Its shape is known by what the file says of it alone.
  net.builder.output(hidden, [batch ?? 'N', 8]);
  return canonicalModel({ ...model, opsets: new Map([...model.opsets, ['com.microsoft', 1]]) });
}

const score = (model: Model, batch: number) =>
  findPlainCriterion('activation-std').score(context(model, { count: 6, batch }));

describe('an operator that is not followed', () => {
  it.each([undefined, 3])(
    'is taken by its shape where trying it finds nothing else, batch %s',
    async (batch) => {
      const model = around('QuickGelu', batch);
      const places = batchAxes(model);
      expect(assumedSamples(model, places)).toEqual(['quickgelu']);
      expect(isBatchFirst(places.get('quickgelu'))).toBe(true);
      await trySamples(model, places, 'net');
      const [three, other] = [await score(model, 3), await score(model, batch ?? 1)];
      three.forEach(({ scores }, l) => {
        scores.forEach((value, c) => {
          expect(value).toBeCloseTo(other[l]?.scores[c] ?? Number.NaN, 5);
        });
      });
    },
  );

  it('is refused by name where a sample gets other values at another place in the batch', async () => {
    const model = around('Trilu');
    const refusal = {
      code: 'E_UNSUPPORTED',
      message: expect.stringContaining("Trilu 'trilu' is not followed"),
    };
    await expect(trySamples(model, batchAxes(model), 'net')).rejects.toMatchObject(refusal);
    await expect(score(model, 3)).rejects.toMatchObject(refusal);
  });

  it('needs no trying with one sample a run', async () => {
    const model = around('Trilu', 1);
    expect(assumedSamples(model, batchAxes(model))).toEqual([]);
    await trySamples(model, batchAxes(model), 'net');
  });
});
