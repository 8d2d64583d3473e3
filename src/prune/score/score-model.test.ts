// How many samples a criterion reads at once.
import { describe, expect, it } from 'vitest';
import { Net } from '../../channels/test-support/net.ts';
import type { Dataset } from '../../data/index.ts';
import { canonicalModel, modelCosts } from '../../onnx/index.ts';
import { calibrationBatches } from './score-model.ts';

/** The batch for a network of one convolution over an image of this extent. */
function batchAt(extent: number, batch?: number): { batch: number; bytes: number } {
  const net = new Net([1, extent, extent]);
  const model = canonicalModel(net.head(net.relu(net.conv('a', net.input, 1, 16)), 16));
  const size = 40;
  const samples = new Float32Array(size * extent * extent);
  const data = { name: 'zeros', size, sampleShape: [1, extent, extent], samples } as unknown as Dataset;
  return {
    batch: calibrationBatches(model, data, { name: 'net', batch }).batch,
    bytes: modelCosts(model).activationBytes,
  };
}

describe('calibrationBatches', () => {
  it('reads fewer samples at once where their values take much memory', () => {
    expect(batchAt(16).batch).toBe(32);
    expect(batchAt(16, 7).batch).toBe(7);
    const { batch, bytes } = batchAt(640);
    expect(batch).toBeLessThan(32);
    expect(batch * bytes).toBeLessThanOrEqual(512 * 2 ** 20);
    expect((batch + 1) * bytes).toBeGreaterThan(512 * 2 ** 20);
    expect(batchAt(640, 2).batch).toBe(2);
  });
});
