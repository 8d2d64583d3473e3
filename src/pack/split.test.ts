// Stages that may be split, shown by computing their parts; and those that may not.
import { describe, expect, it } from 'vitest';
import { findGroups } from '../channels/index.ts';
import { largestDifference, Net } from '../channels/test-support/net.ts';
import { randomNet } from '../channels/test-support/random-net.ts';
import { createSession, type Tensor, tensor } from '../engine/index.ts';
import { canonicalModel, findStages, type Model } from '../onnx/index.ts';
import {
  cloneModel,
  extractSubgraph,
  floatConstant,
  int,
  ints,
  type Stage,
  sizeOf,
} from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { splitOf } from './split.ts';

function splits(model: Model) {
  const grouping = findGroups(model);
  return findStages(model).map((stage) => splitOf(model, grouping, stage));
}

const kinds = (model: Model): string[] => splits(model).map(({ split }) => split);

/** Runs one stage of a model on random inputs. */
async function runStage(model: Model, stage: number): Promise<Extract<Tensor, { type: 'float32' }>> {
  const stages = findStages(model);
  const { output } = must(stages[stage], 'stage');
  const input = stages[stage - 1]?.output ?? must(model.graph.inputs[0], 'input').name;
  const session = await createSession(extractSubgraph(model, [input], [output]), { name: 'stage' });
  try {
    const dims = [2, ...must(findGroups(model).shapes.get(input), 'shape').slice(1)];
    const random = new Random(3);
    const data = Float32Array.from({ length: sizeOf(dims) }, () => random.normal());
    const result = must((await session.run({ [input]: tensor(data, dims) }))[output], 'output');
    if (result.type !== 'float32') throw new Error('float32 only');
    return result;
  } finally {
    await session.release();
  }
}

/** The model with the weights of a layer changed, element by element: `[out, in, ...]` for convolutions. */
function withWeights(
  model: Model,
  layer: string,
  input: number,
  change: (value: number, at: readonly [number, number]) => number,
): Model {
  const result = cloneModel(model);
  const node = must(
    result.graph.nodes.find(({ name }) => name === layer),
    layer,
  );
  const name = node.inputs[input] ?? '';
  const constant = must(result.graph.constants.get(name), name);
  if (constant.type !== 'float32') throw new Error('float32 only');
  const [, second = 1] = constant.dims;
  const inner = sizeOf(constant.dims.slice(2));
  const data = constant.data.map((value, i) =>
    change(value, [Math.floor(i / inner / second), Math.floor(i / inner) % second]),
  );
  result.graph.constants.set(name, floatConstant(data, constant.dims));
  return result;
}

/** Outputs of channels `[from, to)` of a layer do not change with the weights of its other channels. */
async function expectApart(model: Model, stage: Stage, layer: string, channels: number): Promise<void> {
  const whole = await runStage(model, stage.index);
  const [from, to] = [1, Math.ceil(channels / 2) + 1];
  const dense = model.graph.nodes.find(({ name }) => name === layer)?.op !== 'Conv';
  const transB = model.graph.nodes.find(({ name }) => name === layer)?.attributes.get('transB');
  const axis = dense && !(transB?.type === 'int' && transB.value === 1n) ? 1 : 0;
  const changed = await runStage(
    withWeights(model, layer, 1, (value, at) =>
      (at[axis] as number) >= from && (at[axis] as number) < to ? value : -3 * value + 0.5,
    ),
    stage.index,
  );
  const width = sizeOf(whole.dims.slice(1)) / channels;
  const inside: number[] = [];
  const outside: number[] = [];
  whole.data.forEach((value, i) => {
    const channel = Math.floor(i / width) % channels;
    const difference = Math.abs(value - (changed.data[i] as number));
    (channel >= from && channel < to ? inside : outside).push(difference);
  });
  expect(Math.max(...inside)).toBeLessThan(1e-5);
  expect(Math.max(...outside)).toBeGreaterThan(1e-3);
}

/** F(A) + F(B) - F(none) = F(A and B), with inner channels taken away from what reads them. */
async function expectSums(model: Model, stage: Stage, second: string, split: number): Promise<void> {
  const of = (keep: (channel: number) => boolean): Promise<Extract<Tensor, { type: 'float32' }>> =>
    runStage(
      withWeights(model, second, 1, (value, [, channel]) => (keep(channel) ? value : 0)),
      stage.index,
    );
  const [all, left, right, none] = [
    await runStage(model, stage.index),
    await of((channel) => channel < split),
    await of((channel) => channel >= split),
    await of(() => false),
  ];
  const sum = left.data.map((value, i) => value + (right.data[i] as number) - (none.data[i] as number));
  expect(largestDifference(sum, all.data)).toBeLessThan(1e-4);
  expect(largestDifference(left.data, all.data)).toBeGreaterThan(1e-3);
}

describe('a stage of one layer', () => {
  it('is split by outputs, through activations, pools and flattening', async () => {
    const net = new Net([2, 8, 8]);
    const stem = net.op('MaxPool', [net.relu(net.conv('stem', net.input, 2, 6))], {
      kernel_shape: ints([2, 2]),
      strides: ints([2, 2]),
    });
    const prelu = net.op('PRelu', [net.conv('next', stem, 6, 8), net.weights([8, 1, 1], 0.3)]);
    const flat = net.op('Flatten', [net.op('Mul', [prelu, net.weights([8, 1, 1], 1)])], { axis: int(1) });
    const hidden = net.op('Tanh', [net.gemm('hidden', flat, 128, 5)]);
    const model = net.finish(net.gemm('head', hidden, 5, 3, false));
    expect(kinds(model)).toEqual(['outputs', 'outputs', 'outputs', 'outputs']);
    const stages = findStages(model);
    for (const [at, [layer, channels]] of (
      [
        ['stem', 6],
        ['next', 8],
        ['hidden', 5],
        ['head', 3],
      ] as const
    ).entries()) {
      await expectApart(model, must(stages[at], 'stage'), layer, channels);
    }
  });

  it('is not, where channels meet', () => {
    const softmax = new Net([2, 4, 4]);
    const a = softmax.op('Flatten', [softmax.relu(softmax.conv('stem', softmax.input, 2, 4))], {
      axis: int(1),
    });
    expect(
      kinds(softmax.finish(softmax.op('Softmax', [softmax.gemm('head', a, 64, 3)], { axis: int(1) }))),
    ).toEqual(['outputs', 'none']);

    const grouped = new Net([2, 4, 4]);
    const b = grouped.relu(grouped.conv('stem', grouped.input, 2, 8));
    const c = grouped.relu(grouped.conv('grouped', b, 8, 8, { group: 2 }));
    // The stem's units are pairs of channels that do not stand together.
    expect(kinds(grouped.head(c, 8))).toEqual(['none', 'none', 'outputs']);

    const residual = new Net([4, 4, 4]);
    const d = residual.relu(residual.conv('stem', residual.input, 4, 4));
    expect(kinds(residual.head(residual.op('Add', [d, residual.conv('inner', d, 4, 4)]), 4))).toEqual([
      'outputs',
      'none',
      'outputs',
    ]);

    const turned = new Net([4, 4, 4]);
    const e = turned.op('Transpose', [turned.conv('stem', turned.input, 4, 4)], { perm: ints([0, 2, 3, 1]) });
    const f = turned.op('Flatten', [e], { axis: int(1) });
    expect(kinds(turned.finish(turned.gemm('head', f, 64, 3)))).toEqual(['none', 'outputs']);
  });
});

describe('a stage of two layers', () => {
  interface Block {
    readonly name: string;
    readonly split: string;
    /** From a value of 4 channels to one of 4; layers `first` and `second`. */
    readonly build: (net: Net, x: string) => string;
  }
  const pair = (net: Net, x: string): string =>
    net.conv('second', net.relu(net.conv('first', x, 4, 6)), 6, 4);
  const blocks: readonly Block[] = [
    {
      name: 'with the sum at its end',
      split: 'partial-sums',
      build: (net, x) => net.op('Add', [x, pair(net, x)]),
    },
    {
      name: 'with a pool behind the sum',
      split: 'partial-sums',
      build: (net, x) =>
        net.op('AveragePool', [net.op('Add', [pair(net, x), x])], { kernel_shape: ints([2, 2]) }),
    },
    {
      name: 'with a depthwise layer between',
      split: 'partial-sums',
      build: (net, x) => {
        const wide = net.op('Clip', [net.conv('first', x, 4, 8, { kernel: 1 })]);
        const deep = net.relu(net.conv('deep', wide, 8, 8, { group: 8 }));
        return net.op('Add', [net.conv('second', deep, 8, 4, { kernel: 1 }), x]);
      },
    },
    {
      name: 'with an activation behind the sum',
      split: 'none',
      build: (net, x) => net.relu(net.op('Add', [x, pair(net, x)])),
    },
    { name: 'that is a gate', split: 'none', build: (net, x) => net.op('Mul', [x, pair(net, x)]) },
    {
      name: 'whose inner channels are read twice',
      split: 'none',
      build: (net, x) => {
        const inner = net.relu(net.conv('first', x, 4, 4));
        return net.op('Add', [net.op('Add', [x, inner]), net.conv('second', inner, 4, 4)]);
      },
    },
    {
      name: 'with a grouped second layer',
      split: 'none',
      build: (net, x) =>
        net.op('Add', [x, net.conv('second', net.relu(net.conv('first', x, 4, 8)), 8, 4, { group: 2 })]),
    },
    {
      name: 'side by side',
      split: 'none',
      build: (net, x) => net.op('Add', [net.conv('first', x, 4, 4), net.conv('second', x, 4, 4)]),
    },
  ];

  it.each(blocks)('$name: $split', async ({ split, build }) => {
    const net = new Net([2, 4, 4]);
    const model = net.head(build(net, net.relu(net.conv('stem', net.input, 2, 4))), 4);
    const found = splits(model);
    expect(found[1]?.split).toBe(split);
    expect(found).toHaveLength(3);
    if (split === 'none') return;
    const group = must(findGroups(model).groups[found[1]?.splitGroup ?? -1], 'group');
    expect(group.layers[0]).toBe('first');
    expect(group.readers).toEqual(['second']);
    await expectSums(model, must(findStages(model)[1], 'stage'), 'second', 2);
  });
});

describe('random networks', () => {
  const seeds = Array.from({ length: 25 }, (_, seed) => seed);
  it.each(seeds)('have parts that make the whole, seed %i', async (seed) => {
    const model = canonicalModel(randomNet(seed));
    const grouping = findGroups(model);
    for (const stage of findStages(model)) {
      const { split } = splitOf(model, grouping, stage);
      const layers = model.graph.nodes.filter(
        ({ name, op }) => stage.nodes.includes(name) && /Conv|Gemm/.test(op),
      );
      const last = must(layers.at(-1), 'layer');
      const channels = grouping.values.get(last.outputs[0] ?? '')?.group.length ?? 0;
      if (split === 'outputs') await expectApart(model, stage, last.name, channels);
      if (split === 'partial-sums') await expectSums(model, stage, last.name, 2);
    }
  });

  it('have stages of every kind', () => {
    const all = seeds.flatMap((seed) => kinds(canonicalModel(randomNet(seed))));
    expect(new Set(all)).toEqual(new Set(['outputs', 'partial-sums', 'none']));
  });
});
