// What a layer reads at its sampled, times its weights, is what the network gives there: the sides of every regression
// hold together, for each kind of layer.
import { describe, expect, it } from 'vitest';
import { largestDifference, Net, run } from '../channels/test-support/net.ts';
import { canonicalModel, type Model } from '../onnx/index.ts';
import { extractSubgraph, type WeightedLayer, weightedLayers } from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { type RepairSamples, repairSamples } from './augment.ts';
import { InputRows } from './collect.ts';
import type { Matrix } from './products.ts';
import { ReferenceActivations } from './reference-activations.ts';
import { fromMatrices, weightMatrices } from './refit.ts';
import { targetRows } from './repair.ts';
import { type SamplePositions, samplePositionsOf } from './sample-positions.ts';
import { KINDS, ofKind, samplesFor } from './test-support/nets.ts';
import { visitValues } from './walk.ts';

const RUN = { name: 'net', batch: 4, threads: 1 } as const;

function madeFor(model: Model, size = 6): RepairSamples {
  return repairSamples(samplesFor(model, size), 2, new Random(1));
}

function inputsOf(
  model: Model,
  layer: WeightedLayer,
  sampled: SamplePositions,
  minus: string | undefined,
  samples: RepairSamples,
) {
  const values = minus === undefined ? [layer.input] : [layer.input, minus];
  return InputRows.collect(layer, sampled, minus, (visit) => visitValues(model, values, samples, RUN, visit));
}

/** A sequence of vectors with the channels last. */
function sequence(): Model {
  const net = new Net([5, 6], 2);
  const a = net.op('Tanh', [net.op('MatMul', [net.input, net.weights([6, 8], 0.5)], {}, 'first')]);
  const b = net.op('MatMul', [a, net.weights([8, 4], 0.5)], {}, 'second');
  const mean = net.op('ReduceMean', [b, net.ints([1])], {}, 'mean');
  const flat = net.op('Reshape', [mean, net.ints([0, 4])]);
  return canonicalModel(net.finish(net.gemm('head', flat, 4, 3), 18));
}

const MODELS: readonly [string, () => Model][] = [
  ...Object.keys(KINDS).map((kind): [string, () => Model] => [kind, () => ofKind(kind)]),
  ['channels on the last axis', sequence],
];

describe('what a layer reads and gives', () => {
  it.each(MODELS)('fits together: %s', async (_name, make) => {
    const model = make();
    const samples = madeFor(model);
    const layers = weightedLayers(model);
    // Few enough that not all sampled are taken.
    const tasks = layers.map((layer, i) => ({
      layer,
      sampled: samplePositionsOf(layer, samples, 3 * samples.size, i),
      values: [layer.output],
    }));
    const reference = await ReferenceActivations.collect(model, tasks, samples, RUN);
    for (const { layer, sampled } of tasks) {
      const { x, minus } = await inputsOf(model, layer, sampled, undefined, samples);
      expect(minus).toBeUndefined();
      const all = Array.from({ length: layer.channels }, (_, c) => c);
      const y = targetRows(
        reference.valuesAt(layer.name, layer.output),
        layer.channels,
        all,
        x.length,
        undefined,
      );
      const weights = weightMatrices(layer);
      expect(sampled.rows).toBe(sampled.perSample * samples.size);
      x.forEach((matrix, g) => {
        const given = multiplied(matrix, must(weights[g], 'weights'));
        const wanted = must(y[g], 'targets').data;
        given.forEach((value, i) => {
          expect(Math.abs(value - (wanted[i] as number)), layer.name).toBeLessThan(1e-4);
        });
      });
      const { weight, bias } = fromMatrices(layer, weights);
      expect(weight).toEqual(layer.weight);
      if (layer.node.op === 'MatMul') expect(bias).toBeUndefined();
      else expect(bias).toEqual(layer.bias ?? new Float32Array(layer.channels));
    }
  });

  it('takes another branch off the target', async () => {
    const model = ofKind('a residual sum');
    const samples = madeFor(model);
    const [, , outer] = weightedLayers(model);
    const layer = must(outer, 'outer');
    const sum = must(
      model.graph.nodes.find((node) => node.op === 'Add'),
      'a sum',
    );
    const other = must(
      sum.inputs.find((name) => name !== layer.output),
      'other',
    );
    const sampled = samplePositionsOf(layer, samples, 1000, 1);
    const values = [layer.output, sum.outputs[0] as string];
    const reference = await ReferenceActivations.collect(model, [{ layer, sampled, values }], samples, RUN);
    const { minus } = await inputsOf(model, layer, sampled, other, samples);
    const kept = [1, 5, 6];
    const rows = (value: string, less?: Float32Array) =>
      Float32Array.from(targetRows(reference.valuesAt('outer', value), 8, kept, 1, less)[0]?.data ?? []);
    // A cut layer has the kept channels only, and so has the branch that it meets.
    const branch = Float32Array.from(
      { length: sampled.rows * 3 },
      (_, i) => must(minus, 'branch')[Math.floor(i / 3) * 8 + (kept[i % 3] as number)] as number,
    );
    expect(largestDifference(rows(sum.outputs[0] as string, branch), rows(layer.output))).toBeLessThan(1e-5);
  });
});

describe('visitValues', () => {
  it('shows each sample once, in order, whatever the batch', async () => {
    const model = ofKind('convolutions and a linear layer');
    const [, b] = weightedLayers(model);
    const value = must(b, 'b').output;
    const samples = madeFor(model, 5);
    const seen = async (batch: number) => {
      const found: { sample: number; input: Float32Array; value: Float32Array }[] = [];
      await visitValues(model, ['input', value, value], samples, { ...RUN, batch }, (sample, read) => {
        found.push({ sample, input: read('input').slice(), value: read(value).slice() });
      });
      return found;
    };
    const whole = await seen(100);
    expect(whole.map(({ sample }) => sample)).toEqual(Array.from({ length: 10 }, (_, i) => i));
    whole.forEach(({ sample, input }) => {
      expect(input).toEqual(samples.samples.subarray(sample * 128, (sample + 1) * 128));
    });
    for (const batch of [1, 3]) {
      const parts = await seen(batch);
      parts.forEach(({ sample, value: own }, i) => {
        expect(sample).toBe(i);
        expect(largestDifference(own, whole[i]?.value ?? own.slice(1))).toBeLessThan(1e-5);
      });
    }
    // Against the network itself, as far as that value.
    const direct = await run(extractSubgraph(model, ['input'], [value]), 3);
    const random = new Random(99);
    const noise = Float32Array.from({ length: 3 * 128 }, () => random.normal());
    const shown: number[] = [];
    const given = { samples: noise, size: 3, sampleShape: [2, 8, 8], fitSize: 2 };
    await visitValues(model, [value], given, RUN, (_, read) => shown.push(...read(value)));
    expect(largestDifference(Float32Array.from(shown), direct)).toBeLessThan(1e-6);
  });
});

describe('placesOf', () => {
  it('takes as many sampled of each sample as fit, none twice, and repeats by the seed', () => {
    const model = ofKind('convolutions and a linear layer');
    const samples = madeFor(model, 8);
    const layer = must(weightedLayers(model)[0], 'a');
    const sampled = samplePositionsOf(layer, samples, 10 * samples.size + 5, 3);
    expect(sampled).toMatchObject({ perSample: 10, rows: 160, fitRows: 10 * samples.fitSize });
    for (const own of sampled.positions) {
      expect(new Set(own).size).toBe(10);
      for (const position of own) expect(position).toBeLessThan(64);
    }
    expect(new Set(sampled.positions.map(String)).size).toBeGreaterThan(1);
    expect(samplePositionsOf(layer, samples, 10 * samples.size + 5, 3)).toEqual(sampled);
    // At least one of each sample, and never more than there are.
    expect(samplePositionsOf(layer, samples, 1, 3).perSample).toBe(1);
    expect(samplePositionsOf(layer, samples, 1e9, 3).perSample).toBe(64);
  });
});

function multiplied(a: Matrix, b: Matrix): number[] {
  return Array.from({ length: a.rows * b.columns }, (_, at) => {
    const [row, column] = [Math.floor(at / b.columns), at % b.columns];
    let sum = 0;
    for (let k = 0; k < a.columns; k++) {
      sum += (a.data[row * a.columns + k] as number) * (b.data[k * b.columns + column] as number);
    }
    return sum;
  });
}
