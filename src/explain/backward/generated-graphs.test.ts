// Graphs made from a network are valid at every operator set and whatever its nodes and values are called.
import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { type GraphProto, GraphProtoSchema } from '../../onnx/codec/onnx_pb.ts';
import { type Attribute, canonicalModel, type Model } from '../../onnx/index.ts';
import { floatConstant, floats, int, intConstant, ints, string } from '../../onnx/internal.ts';
import { type Attribution, AttributionPass, oneHot } from '../attribution/pass.ts';
import type { CriterionContext } from '../criterion.ts';
import { convolutional } from '../lrp/composite.ts';
import { gammaRule } from '../lrp/rules.ts';
import { findPlainCriterion } from '../registry.ts';
import { worst } from '../test-support/compare.ts';
import { Net, normals } from '../test-support/nets.ts';

const SAMPLE = [2, 4, 4];
const BATCH = 3;
const OPSETS = [7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21];
const ATTRIBUTIONS: readonly [string, Attribution][] = [
  ['relevance', { kind: 'relevance', ruleOf: convolutional(gammaRule(0.25)) }],
  ['gradients', { kind: 'gradient' }],
  ['DeepLIFT', { kind: 'deeplift' }],
];

/** One network, with operators whose form changed, written as an operator set has them. */
function network(opset: number): Model {
  const net = new Net(SAMPLE, 3);
  const list = (op: string, x: string, attribute: string, values: number[], from: number): string =>
    opset < from
      ? net.op(op, [x], { [attribute]: ints(values) })
      : net.op(op, [x, net.builder.constant(intConstant(values))]);
  const wide = enlarged(net, opset);
  net.builder.graph.carried = declared(wide, ['batch', 2, 8, 8]);
  let x = list('Pad', wide, 'pads', [0, 0, 1, 0, 0, 0, 0, 1], 11);
  x = net.relu(net.conv(x, 2, 4));
  const [low, high] = [-0.5, 2];
  x =
    opset < 11
      ? net.op('Clip', [x], { min: { type: 'float', value: low }, max: { type: 'float', value: high } })
      : net.op('Clip', [x, net.builder.scalar(low), net.builder.scalar(high)]);
  x = net.op('MaxPool', [x], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
  x = net.op('Tanh', [net.conv(x, 4, 5)]);
  x = net.op('GlobalAveragePool', [x]);
  x = list('Squeeze', x, 'axes', [3], 13);
  x = list('Squeeze', x, 'axes', [2], 13);
  return net.finish(net.op('Softmax', [net.gemm(x, 5, 4)], { axis: int(1) }), 4, opset);
}

/** No rule gives the shape of a resized value, so that it is declared. */
function declared(name: string, dims: readonly (string | number)[]): GraphProto {
  const dim = dims.map((size) =>
    typeof size === 'string'
      ? { value: { case: 'dimParam' as const, value: size } }
      : { value: { case: 'dimValue' as const, value: BigInt(size) } },
  );
  const value = { elemType: 1, shape: { dim } };
  return create(GraphProtoSchema, {
    valueInfo: [{ name, type: { value: { case: 'tensorType', value } } }],
  });
}

/** The input at twice its size, by the nearest value. */
function enlarged(net: Net, opset: number): string {
  const scales = [1, 1, 2, 2];
  const nearest: Record<string, Attribute> = { mode: string('nearest') };
  const constant = (values: number[]): string => net.builder.constant(floatConstant(values));
  if (opset < 9) return net.op('Upsample', [net.input], { ...nearest, scales: floats(scales) });
  if (opset < 10) return net.op('Upsample', [net.input, constant(scales)], nearest);
  if (opset < 11) return net.op('Resize', [net.input, constant(scales)], nearest);
  return net.op('Resize', [net.input, constant([]), constant(scales)], {
    ...nearest,
    coordinate_transformation_mode: string('asymmetric'),
    nearest_mode: string('floor'),
  });
}

const SAMPLES = normals(BATCH * 32, 5);

async function passOf(model: Model, attribution: Attribution) {
  const pass = await AttributionPass.create(model, {
    attribution,
    start: 'given',
    modelName: 'test',
  });
  try {
    const reference = attribution.kind === 'deeplift' ? new Float32Array(32) : undefined;
    const result = await pass.run(SAMPLES, [BATCH, ...SAMPLE], oneHot([0, 1, 2], 4), reference);
    return { graph: pass.graph.model.graph, values: result.layers.map(({ values }) => values) };
  } finally {
    await pass.release();
  }
}

async function scoresOf(model: Model, criterion: string): Promise<Float64Array[]> {
  const context = {
    model,
    modelName: 'test',
    threads: 1,
    batch: 2,
    seed: 1,
    calibration: {
      name: 'test',
      samples: SAMPLES,
      labels: Int32Array.of(0, 1, 2),
      count: BATCH,
      sampleShape: SAMPLE,
      classes: 4,
    },
  } as unknown as CriterionContext;
  const scores = await findPlainCriterion(criterion).score(context);
  return scores.map((layer) => Float64Array.from(layer.scores));
}

const flat = (values: readonly ArrayLike<number>[]): Float32Array =>
  Float32Array.from(values.flatMap((list) => Array.from(list)));

describe('operator sets', () => {
  it.each(ATTRIBUTIONS)('%s are the same in all of them', async (_, attribution) => {
    const expected = flat((await passOf(canonicalModel(network(17)), attribution)).values);
    expect(expected.some((value) => Math.abs(value) > 1e-3)).toBe(true);
    for (const opset of OPSETS) {
      const found = flat((await passOf(canonicalModel(network(opset)), attribution)).values);
      expect(worst(found, expected), `operator set ${opset}`).toBeLessThan(1e-5);
    }
  });

  it.each(['activation', 'activation-std', 'apoz', 'hrank'])(
    '%s is the same in all of them',
    async (criterion) => {
      const expected = flat(await scoresOf(canonicalModel(network(17)), criterion));
      for (const opset of OPSETS) {
        const found = flat(await scoresOf(canonicalModel(network(opset)), criterion));
        expect(worst(found, expected), `operator set ${opset}`).toBeLessThan(1e-5);
      }
    },
  );
});

describe('names', () => {
  /** The network with its values and nodes called as the graph made from it calls those that it adds. */
  function renamed(model: Model, taken: readonly string[]): Model {
    const map = new Map<string, string>();
    const fixed = new Set(model.graph.outputs.concat(model.graph.inputs).map(({ name }) => name));
    const free = taken.filter((name) => !fixed.has(name));
    model.graph.nodes.forEach((node, i) => {
      node.name = free[2 * i] ?? node.name;
      for (const output of node.outputs) if (!fixed.has(output)) map.set(output, free[2 * i + 1] ?? output);
    });
    for (const node of model.graph.nodes) {
      node.inputs = node.inputs.map((name) => map.get(name) ?? name);
      node.outputs = node.outputs.map((name) => map.get(name) ?? name);
    }
    for (const value of model.graph.carried?.valueInfo ?? []) value.name = map.get(value.name ?? '') ?? '';
    return model;
  }

  it.each(ATTRIBUTIONS)('%s do not mind names that they would give themselves', async (_, attribution) => {
    const plain = await passOf(network(17), attribution);
    const own = new Set(network(17).graph.nodes.flatMap(({ name, outputs }) => [name, ...outputs]));
    const added = plain.graph.nodes.map(({ name }) => name).filter((name) => !own.has(name));
    for (const shift of [0, 5, 11]) {
      const names = [...added.slice(shift), ...added.slice(0, shift)];
      const found = await passOf(renamed(network(17), names), attribution);
      expect(worst(flat(found.values), flat(plain.values))).toBeLessThan(1e-6);
      const all = found.graph.nodes.map(({ name }) => name);
      expect(new Set(all).size).toBe(all.length);
    }
  });

  it('nor do measures of activations', async () => {
    const names = [
      'size',
      'size_1',
      'statistic',
      'statistic_1',
      'map',
      'square',
      'on',
      'reducesum',
      'scalar',
      'ints',
    ];
    for (const criterion of ['activation', 'activation-std', 'apoz', 'hrank']) {
      const expected = flat(await scoresOf(network(17), criterion));
      const found = flat(
        await scoresOf(renamed(network(17), [...names, ...names.map((n) => `${n}_2`)]), criterion),
      );
      expect(worst(found, expected)).toBe(0);
    }
  });
});
