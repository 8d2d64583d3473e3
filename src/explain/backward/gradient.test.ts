// The gradient pass against central differences of the model itself, run by ONNX Runtime: one tiny model for every
// operator that has a derivative, at random points away from kinks, and the readouts at a layer's output.
import { describe, expect, it } from 'vitest';
import type { Model } from '../../onnx/index.ts';
import {
  ARGUMENT_OPS,
  COMPARISON_OPS,
  cloneModel,
  LOGIC_OPS,
  OPS,
  type OpName,
  STEP_OPS,
  sizeOf,
  TEST_OPS,
} from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { AttributionPass } from '../attribution/pass.ts';
import type { ReadoutKind } from '../attribution/readouts.ts';
import { ATTENTION_CASES } from '../test-support/attention-operator-cases.ts';
import { worst } from '../test-support/compare.ts';
import { differences, runModel } from '../test-support/differences.ts';
import { FURTHER_CASES } from '../test-support/further-operator-cases.ts';
import { Net, normals } from '../test-support/nets.ts';
import { CASES } from '../test-support/operator-cases.ts';
import { points } from '../test-support/points.ts';
import { SPACE_CASES } from '../test-support/space-operator-cases.ts';

/** No derivative, or none that is written. */
const WITHOUT = new Set<OpName>([
  ...STEP_OPS,
  ...TEST_OPS,
  ...COMPARISON_OPS,
  ...LOGIC_OPS,
  ...ARGUMENT_OPS,
  ...([
    'Constant',
    'ConstantOfShape',
    'Shape',
    'Einsum',
    'GRU',
    'LSTM',
    'RNN',
    'Mod',
    'Range',
    'Size',
    'Upsample',
  ] as const),
]);

const STEP = 4e-3;
const ALL = [...CASES, ...ATTENTION_CASES, ...FURTHER_CASES, ...SPACE_CASES];

describe('gradient of each operator', () => {
  it('covers every operator with a derivative', () => {
    const covered = new Set(ALL.map(({ op }) => op));
    expect(OPS.filter((op) => !covered.has(op) && !WITHOUT.has(op))).toEqual([]);
  });

  it.each(ALL)('$op, $title', async (given) => {
    const net = new Net(given.sample, 3);
    const made = given.build(net);
    // A smooth function behind the operator, so that what arrives at it depends on its own output.
    const smooth = net.op('Tanh', [net.op('Mul', [made, net.builder.scalar(0.5)])]);
    const model = net.finish(net.gemm(net.op('Flatten', [smooth]), given.features, 3), 3, given.opset);
    const dims = [2, ...given.sample];
    const samples = points(given, sizeOf(dims), STEP);
    const start = Float32Array.of(1, 0, 0, 0.5, -1, 2);
    const pass = await AttributionPass.create(model, {
      attribution: { kind: 'gradient' },
      wantInput: true,
      start: 'given',
      modelName: 'test',
    });
    const result = await pass.run(samples, dims, start);
    await pass.release();
    const expected = await differences(model, samples, dims, start, STEP);
    expect(expected.every((value) => value === 0)).toBe(false);
    expect(worst(result.input ?? [], expected)).toBeLessThan(1e-3);
  });
});

describe('readouts of the gradient', () => {
  const sample = [2, 5, 5];
  /** Two convolutions and a dense layer, all smooth. */
  function network(): Model {
    const net = new Net(sample, 8);
    const a = net.op('Tanh', [net.conv(net.input, 2, 3, { pads: [1, 1, 1, 1] })]);
    const b = net.op('Sigmoid', [net.conv(a, 3, 4, { stride: 2 })]);
    return net.classify(b, 16, 3);
  }

  /** The part of the network that reads a layer's output, with that as its input. */
  function after(model: Model, layer: string, outputDims: readonly number[]): Model {
    const part = cloneModel(model);
    const at = part.graph.nodes.findIndex((node) => node.name === layer);
    const output = must(part.graph.nodes[at]?.outputs[0], 'output');
    part.graph.nodes = part.graph.nodes.slice(at + 1);
    part.graph.inputs = [{ name: output, elemType: 1, dims: ['batch', ...outputDims] }];
    return part;
  }

  const READOUTS: Record<
    'sum' | 'absolute-sum' | 'times-activation',
    (gradient: number, activation: number) => number
  > = {
    sum: (gradient) => gradient,
    'absolute-sum': (gradient) => Math.abs(gradient),
    'times-activation': (gradient, activation) => gradient * activation,
  };

  it.each(Object.entries(READOUTS))('%s is that sum of differences at the layer', async (readout, term) => {
    const model = network();
    const dims = [2, ...sample];
    const samples = normals(sizeOf(dims), 5);
    const start = Float32Array.of(0, 1, 0, 1, 0, -2);
    const pass = await AttributionPass.create(model, {
      attribution: { kind: 'gradient' },
      readout: readout as ReadoutKind,
      start: 'given',
      modelName: 'test',
    });
    const result = await pass.run(samples, dims, start);
    await pass.release();
    const layers = [
      { name: 'Conv', dims: [3, 5, 5] },
      { name: 'Conv_1', dims: [4, 2, 2] },
    ];
    expect(result.layers.map(({ name }) => name)).toEqual(['Conv', 'Conv_1', 'Gemm']);
    for (const layer of layers) {
      const output = must(model.graph.nodes.find(({ name }) => name === layer.name)?.outputs[0], 'output');
      const probed = cloneModel(model);
      probed.graph.outputs = [{ name: output, elemType: 1, dims: undefined }];
      const activations = await runModel(probed, samples, dims);
      const rest = after(model, layer.name, layer.dims);
      const gradient = await differences(rest, activations, [2, ...layer.dims], start, STEP);
      const plane = sizeOf(layer.dims.slice(1));
      const expected = new Float64Array(activations.length / plane);
      activations.forEach((activation, i) => {
        const channel = Math.floor(i / plane);
        expected[channel] = (expected[channel] as number) + term(gradient[i] as number, activation);
      });
      const values = must(result.layers.find(({ name }) => name === layer.name)?.values, 'values');
      expect(worst(values, expected), layer.name).toBeLessThan(1e-2);
    }
  });
});
