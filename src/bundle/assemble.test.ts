// A mix of levels put together from a bundle equals the slow way: every weight changed where it stands, then cut.
import { describe, expect, it } from 'vitest';
import { sliceModel } from '../channels/index.ts';
import { largestDifference, Net, run } from '../channels/test-support/net.ts';
import { randomNet } from '../channels/test-support/random-net.ts';
import type { Constant, Model } from '../onnx/index.ts';
import {
  cloneModel,
  floatAttribute,
  floatConstant,
  GraphBuilder,
  insertAfter,
  int,
  ints,
  type LayerLayout,
  type Node,
} from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { rounds } from '../util/test-support/rounds.ts';
import { assembleModel } from './assemble.ts';
import type { Bundle } from './bundle.ts';
import { type Correction, type LowRank, storedCorrection } from './correction.ts';
import { keptUnitsAt } from './levels.ts';
import type { StoredTensor } from './safetensors.ts';
import { bundleOf, factor, randomLevels } from './test-support/contents.ts';
import { keptAt, weightLayouts } from './weight-layout.ts';
import { tableWeight } from './weight-names.ts';

/** Multiplies every entry of every weight and bias by the factor of the level of what it reads, then cuts. */
function slowly(bundle: Bundle, levels: readonly number[]): Model {
  const changed = cloneModel(bundle.model);
  const builder = new GraphBuilder(changed.graph);
  for (const layer of bundle.manifest.layers) {
    const { layout, depthwise, axis, weight, bias, along, outputs } = must(
      weightLayouts(bundle.model, bundle.grouping).get(layer.name),
      layer.name,
    );
    const total = layer.reads.reduce((sum, { share }) => sum + share, 0);
    const mean =
      layer.reads.length === 0
        ? 1
        : layer.reads.reduce(
            (sum, { group, share }) => sum + (share / total) * factor(levels[group] as number),
            0,
          );
    const by = (groups: Int32Array, at: number): number => {
      const group = groups[at] as number;
      return group < 0 ? mean : factor(levels[group] as number);
    };
    const node = must(
      changed.graph.nodes.find((other) => other.name === layer.name),
      layer.name,
    );
    const own = (input: number, constant: Constant): void => {
      node.inputs[input] = builder.constant(constant, 'own');
    };
    const inner = weight.data.length / ((weight.dims[0] as number) * (weight.dims[1] as number));
    const columns = weight.dims[1] as number;
    own(
      layout.weight,
      floatConstant(
        weight.data.map((value, i) => {
          const [row, column] = [Math.floor(i / (inner * columns)), Math.floor(i / inner) % columns];
          return value * by(along.group, axis === 0 ? row : column);
        }),
        weight.dims,
      ),
    );
    if (layout.bias === undefined || !bias) continue;
    own(
      layout.bias,
      floatConstant(
        bias.data.map((value, i) => value * (depthwise ? by(outputs.group, i) : mean)),
        bias.dims,
      ),
    );
  }
  return sliceModel(changed, bundle.grouping, keptUnitsAt(bundle.manifest, levels));
}

/** A layer with few outputs on what a layer reads, and one of kernel 1 behind it. */
function lowRankBranch(
  builder: GraphBuilder,
  node: Node,
  layout: LayerLayout,
  { down, up }: LowRank,
): string {
  const input = must(node.inputs[layout.data], 'input');
  const constant = ({ data, dims }: StoredTensor): string =>
    builder.constant(floatConstant(data, dims), 'factor');
  const flip = (name: string): string => builder.node('Transpose', [name], { perm: ints([1, 0]) });
  if (node.op === 'Conv') {
    const attributes = Object.fromEntries(node.attributes);
    const few = builder.node('Conv', [input, constant(down)], attributes);
    const group = must(attributes.group ?? int(1), 'group');
    return builder.node('Conv', [few, constant({ ...up, dims: [...up.dims, 1, 1] })], { group });
  }
  if (layout.data === 1)
    return builder.node('MatMul', [constant(up), builder.node('MatMul', [constant(down), input])]);
  const given = builder.node('MatMul', [
    builder.node('MatMul', [input, flip(constant(down))]),
    flip(constant(up)),
  ]);
  return builder.node('Mul', [given, builder.scalar(floatAttribute(node, 'alpha', 1))]);
}

/** Applies a correction as nodes of their own behind every layer. */
function correctedSlowly(
  model: Model,
  bundle: Bundle,
  levels: readonly number[],
  correction: Correction,
): Model {
  const result = cloneModel(model);
  let from = 0;
  for (const layer of bundle.manifest.layers) {
    const view = must(weightLayouts(bundle.model, bundle.grouping).get(layer.name), layer.name);
    const kept = keptAt(view.outputs, bundle.manifest.groups, (group) => levels[group] as number);
    const value = must(view.node.outputs[0], 'output');
    const rank = must(bundle.grouping.shapes.get(value), 'shape').length;
    const dims = [kept.length, ...new Array<number>(rank - 1 - view.layout.outputAxis).fill(1)];
    const builder = new GraphBuilder(result.graph);
    const vector = (values: Float32Array): string =>
      builder.constant(floatConstant(values.slice(from, from + kept.length), dims), 'correction');
    const node = must(
      result.graph.nodes.find((other) => other.name === layer.name),
      layer.name,
    );
    const change = correction.lowRank?.get(layer.name);
    let at = value;
    for (const [op, constant] of [
      ['Mul', vector(correction.scale)],
      ['Add', vector(correction.bias)],
      ...(change ? [['Add', lowRankBranch(builder, node, view.layout, change)] as const] : []),
    ] as const) {
      const name = builder.fresh('corrected');
      insertAfter(result.graph, at, {
        name,
        op,
        domain: '',
        inputs: [at, constant],
        outputs: [name],
        attributes: new Map(),
      });
      if (result.graph.outputs[0]?.name === at) result.graph.outputs = [{ ...result.graph.outputs[0], name }];
      at = name;
    }
    from += kept.length;
  }
  return result;
}

async function expectMixes(model: Model, seed: number): Promise<void> {
  const random = new Random(seed);
  const plain = bundleOf(model);
  const variants = [1, 2, 3].map(() => randomLevels(plain.manifest, random));
  variants.push(plain.manifest.groups.map(() => 2));
  const known = new Set([plain.manifest.groups.map(() => 0).join()]);
  const bundle = bundleOf(model, {
    variants: variants.filter((levels) => !known.has(levels.join()) && known.add(levels.join())),
  });
  for (const [i, { levels, corrected }] of bundle.manifest.variants.entries()) {
    const expected = slowly(bundle, levels);
    await expectSame(assembleModel(bundle, levels), expected);
    if (!corrected) continue;
    const correction = storedCorrection(bundle.tensors, i, bundle.manifest.layers);
    expect(correction.lowRank?.size).toBeGreaterThan(0);
    await expectSame(
      assembleModel(bundle, levels, { correction: i }),
      correctedSlowly(expected, bundle, levels, correction),
    );
  }
}

/** The same logits, to rounding. */
async function expectSame(model: Model, expected: Model): Promise<void> {
  const [a, b] = [await run(model), await run(expected)];
  const scale = b.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  expect(largestDifference(a, b) / scale).toBeLessThan(1e-5);
}

describe('assembleModel', () => {
  it.each(Array.from({ length: rounds(8, 20) }, (_, seed) => seed))('on random network %i', async (seed) => {
    await expectMixes(randomNet(seed), seed);
  });

  it('with grouped, depthwise and transposed convolutions, and both kinds of linear layers', async () => {
    const net = new Net([2, 6, 6]);
    let x = net.relu(net.conv('a', net.input, 2, 8));
    x = net.relu(net.conv('g', x, 8, 12, { group: 2 }));
    x = net.relu(net.conv('t', x, 12, 8, { group: 4, transposed: true, kernel: 2, stride: 2 }));
    x = net.relu(net.conv('d', x, 8, 16, { group: 8 }));
    x = net.relu(net.conv('u', x, 16, 32, { group: 16, transposed: true, kernel: 2, stride: 2 }));
    const flat = net.op('Flatten', [net.op('GlobalAveragePool', [x])], { axis: int(1) });
    const hidden = net.relu(net.gemm('h', flat, 32, 8, false));
    await expectMixes(net.finish(net.gemm('head', hidden, 8, 3)), 4);
  });

  it('with a layer that reads several groups and channels that always stay', async () => {
    const net = new Net([2, 6, 6]);
    const a = net.relu(net.conv('a', net.input, 2, 5));
    const b = net.relu(net.conv('b', net.input, 2, 7));
    const joined = net.op('Concat', [b, net.input, a], { axis: int(1) });
    const c = net.relu(net.conv('c', joined, 14, 6));
    const deep = net.relu(
      net.conv('d', net.op('Concat', [c, net.input], { axis: int(1) }), 8, 8, { group: 8 }),
    );
    await expectMixes(net.head(deep, 8), 5);
  });

  it('with weights that two layers share', async () => {
    const net = new Net([4, 6, 6]);
    const weight = net.weights([4, 4, 3, 3], 0.3);
    let x = net.input;
    for (const name of ['a', 'b', 'c']) x = net.relu(net.conv(name, x, 4, 4, { weight }));
    await expectMixes(net.head(x, 4), 6);
  });

  it('corrects a broadcast bias, and one that is scaled by beta', async () => {
    const net = new Net([2, 4, 4]);
    const flat = net.op('Flatten', [net.relu(net.conv('a', net.input, 2, 4))], { axis: int(1) });
    const bias = net.builder.constant(floatConstant([0.5], [1]), 'bias');
    const beta = { type: 'float', value: 0.5 } as const;
    const hidden = net.op('Gemm', [flat, net.weights([64, 6], 0.2), bias], { beta }, 'hidden');
    const model = net.finish(net.gemm('head', net.relu(hidden), 6, 3));
    const bundle = bundleOf(model);
    const levels = [0, 2];
    const random = new Random(1);
    const draw = (): Float32Array => Float32Array.from({ length: 4 + 3 + 3 }, () => random.normal());
    const correction = { scale: draw(), bias: draw() };
    const expected = correctedSlowly(slowly(bundle, levels), bundle, levels, correction);
    await expectSame(assembleModel(bundle, levels, { correction }), expected);
  });

  it('reads the tables, and leaves the bundle alone', async () => {
    const bundle = bundleOf(randomNet(2));
    const before = await run(bundle.model);
    const levels = bundle.manifest.groups.map(() => 1);
    const logits = await run(assembleModel(bundle, levels));
    expect(await run(bundle.model)).toEqual(before);
    const layer = must(
      bundle.manifest.layers.find((other) => other.tables),
      'a layer with tables',
    );
    const name = tableWeight(layer.name, 1);
    const table = must(bundle.tensors.get(name), name);
    const tensors = new Map(bundle.tensors).set(name, { ...table, data: table.data.map((x) => x + 1) });
    expect(
      largestDifference(await run(assembleModel({ ...bundle, tensors }, levels)), logits),
    ).toBeGreaterThan(1e-3);
    expect(
      await run(
        assembleModel(
          bundle,
          bundle.manifest.groups.map(() => 0),
        ),
      ),
    ).toEqual(before);
  });

  it('refuses a correction of another length, of other levels, or for a layer without bias', () => {
    const net = new Net([2, 4]);
    const first = net.relu(net.op('MatMul', [net.input, net.weights([4, 5], 0.5)], {}, 'first'));
    const flat = net.op('Flatten', [first], { axis: int(1) });
    const bundle = bundleOf(net.finish(net.gemm('head', flat, 10, 3)), { variants: [[2]] });
    const correction = (length: number, shift: number): Correction => ({
      scale: new Float32Array(length).fill(1),
      bias: new Float32Array(length).fill(shift),
    });
    const fails = (given: Correction | number, code: string, levels = [0]): void => {
      expect(() => assembleModel(bundle, levels, { correction: given })).toThrow(
        expect.objectContaining({ code }),
      );
    };
    fails(correction(7, 0), 'E_BUNDLE');
    fails(correction(8, 0.5), 'E_BUNDLE');
    const few = (up: number[], down: number[]): LowRank => ({
      up: { dims: up, data: new Float32Array(up.length) },
      down: { dims: down, data: new Float32Array(down.length) },
    });
    // `head` reads ten features and gives three.
    for (const change of [
      few([3, 1], [1, 9]),
      few([3, 2], [1, 10]),
      few([2, 1], [1, 10]),
      few([3, 0], [0, 10]),
    ]) {
      fails({ ...correction(8, 0), lowRank: new Map([['head', change]]) }, 'E_BUNDLE');
    }
    fails(1, 'E_LEVELS');
    fails(2, 'E_LEVELS', [2]);
    expect(assembleModel(bundle, [0], { correction: correction(8, 0) }).graph.nodes.length).toBe(4);
  });
});
