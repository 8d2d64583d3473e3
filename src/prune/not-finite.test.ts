// Weights, samples, scores and repairs that are not finite end in a coded error, never in class 0.
import { describe, expect, it } from 'vitest';
import { findGroups, sliceModel } from '../channels/index.ts';
import type { Dataset } from '../data/index.ts';
import { evaluateModel } from '../evaluate/internal.ts';
import { Net, normals } from '../explain/test-support/nets.ts';
import { canonicalModel, type Model } from '../onnx/index.ts';
import { cloneModel, floatConstant } from '../onnx/internal.ts';
import { repair } from '../repair/index.ts';
import { BedsideError } from '../util/index.ts';
import { CRITERIA, findCriterion } from './criteria.ts';
import { scoreLayers } from './score/score-model.ts';

const SHAPE = [2, 4, 4];
const SIZE = 32;

function network(): Model {
  const net = new Net(SHAPE, 3);
  const first = net.relu(net.conv(net.input, 2, 6, { pads: [1, 1, 1, 1] }));
  const second = net.relu(net.conv(first, 6, 5, { pads: [1, 1, 1, 1] }));
  return canonicalModel(net.classify(second, 5 * 16, 3));
}

function data(change?: (samples: Float32Array) => void, count = 12): Dataset {
  const samples = normals(count * SIZE, 5);
  change?.(samples);
  const labels = Int32Array.from({ length: count }, (_, i) => i % 3);
  const classNames = ['0', '1', '2'];
  const rest = { kind: 'npz', name: 'local', origins: undefined, skipped: [], hash: '' } as const;
  return { ...rest, size: count, sampleShape: SHAPE, samples, labels, classNames };
}

/** The network with the weights of one layer changed. */
function changed(model: Model, layer: number, change: (data: Float32Array) => void): Model {
  const result = cloneModel(model);
  const weighted = result.graph.nodes.filter(({ op }) => op === 'Conv' || op === 'Gemm');
  const name = weighted[layer]?.inputs[1] ?? '';
  const old = result.graph.constants.get(name);
  if (old?.type !== 'float32') throw new Error('no such layer');
  const weight = old.data.slice();
  change(weight);
  result.graph.constants.set(name, floatConstant(weight, old.dims));
  return result;
}

async function failure(work: Promise<unknown>): Promise<BedsideError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!BedsideError.is(error)) throw new Error(`no coded error: ${String(error)}`);
  return error;
}

const options = { name: 'net.onnx' };
const model = network();
const unlabelled = (set: Dataset): Dataset => ({ ...set, labels: undefined });

describe('evaluate', () => {
  it('refuses one NaN weight, which a ReLU would hide', async () => {
    for (const layer of [0, 1, 2]) {
      const broken = changed(model, layer, (weight) => {
        weight[7] = Number.NaN;
      });
      const { code, message } = await failure(evaluateModel(broken, data(), options));
      expect({ code, message }).toEqual({
        code: 'E_MODEL',
        message: expect.stringMatching(/net\.onnx: tensor .* NaN at/),
      });
    }
  });

  it('refuses a sample that is not finite, by its index', async () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const set = data((samples) => {
        samples[4 * SIZE + 3] = bad;
      });
      const { code, message } = await failure(evaluateModel(model, set, options));
      expect({ code, message }).toEqual({ code: 'E_DATA', message: expect.stringContaining('sample 4') });
    }
  });

  it('refuses scores that overflow float32, by the sample', async () => {
    const broken = changed(model, 2, (weight) => weight.fill(3e38));
    const { code, message } = await failure(evaluateModel(broken, data(), options));
    expect({ code, message }).toEqual({
      code: 'E_NOT_FINITE',
      message: expect.stringMatching(/net\.onnx: the scores of sample 0 of local/),
    });
  });
});

describe('criteria', () => {
  it('refuse weights and samples that are not finite, all alike', async () => {
    const broken = changed(model, 1, (weight) => {
      weight[2] = Number.POSITIVE_INFINITY;
    });
    const set = data((samples) => {
      samples[SIZE] = Number.NaN;
    });
    for (const criterion of CRITERIA) {
      expect((await failure(scoreLayers(broken, criterion, data(), options))).code).toBe('E_MODEL');
      expect((await failure(scoreLayers(model, criterion, set, options))).code).toBe('E_DATA');
    }
  });

  it('refuse what overflows on the way, instead of explaining class 0', async () => {
    const broken = changed(model, 2, (weight) => weight.fill(3e38));
    for (const name of ['lrp-gamma', 'gradient', 'taylor', 'fisher', 'integrated-gradients', 'obs', 'l2']) {
      // l2 squares the weights in double precision, where they are finite.
      const work = scoreLayers(broken, findCriterion(name), unlabelled(data()), options);
      if (name === 'l2') await expect(work).resolves.toBeDefined();
      else expect({ name, code: (await failure(work)).code }).toEqual({ name, code: 'E_NOT_FINITE' });
    }
    const huge = changed(model, 0, (weight) => weight.fill(3e38));
    const { code, message } = await failure(scoreLayers(huge, findCriterion('activation'), data(), options));
    expect({ code, message }).toEqual({
      code: 'E_NOT_FINITE',
      message: expect.stringMatching(/channel \d+ of layer '\w+' by activation/),
    });
  });
});

describe('repair', () => {
  it('refuses a system that overflows, by the layer', async () => {
    const huge = changed(model, 0, (weight) => weight.fill(3e38));
    const grouping = findGroups(huge);
    const keep = new Map(grouping.groups.map(({ id, channels }) => [id, [...Array(channels - 2).keys()]]));
    const cut = sliceModel(huge, grouping, keep);
    const work = repair(huge, cut, grouping, keep, { name: 'net.onnx', calibration: data() });
    const { code, message } = await failure(work);
    expect({ code, message }).toEqual({
      code: 'E_NOT_FINITE',
      message: expect.stringMatching(/layer '\w+'/),
    });
  });
});
