// Small networks for repair, with what is pruned made a copy of what stays where asked for.
import { findGroups } from '../../channels/index.ts';
import { Net, run } from '../../channels/test-support/net.ts';
import type { Dataset } from '../../data/index.ts';
import { canonicalModel, type Model } from '../../onnx/index.ts';
import { int, intAttribute, sizeOf } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { DraftBundle } from '../draft-bundle.ts';
import { withBiases } from '../weights.ts';

/** Unlabelled normal noise of the model's shape. */
export function samplesFor(model: Model, size: number, seed = 3): Dataset {
  const sampleShape = must(model.graph.inputs[0]?.dims, 'no input').slice(1).map(Number);
  const random = new Random(seed);
  const samples = Float32Array.from({ length: size * sizeOf(sampleShape) }, () => random.normal());
  return datasetOf(samples, sampleShape);
}

/** Samples as an unlabelled set of three classes. */
export function datasetOf(samples: Float32Array, sampleShape: readonly number[]): Dataset {
  return {
    kind: 'synthetic',
    name: 'made up',
    size: samples.length / sizeOf(sampleShape),
    sampleShape,
    samples,
    labels: undefined,
    classNames: ['0', '1', '2'],
    origins: undefined,
    skipped: [],
    hash: '',
  };
}

/** What unpruned networks answered: they are compared with many others. */
const answers = new WeakMap<Model, Float32Array>();

/** Mean squared difference of the logits on samples that were not used to repair. */
export async function distance(a: Model, b: Model): Promise<number> {
  const x = answers.get(a) ?? (await run(a, 16, 1234));
  answers.set(a, x);
  const y = await run(b, 16, 1234);
  return x.reduce((sum, value, i) => sum + (value - (y[i] as number)) ** 2, 0) / x.length;
}

/** Networks of every kind of layer that tables are made for; groups of eight units or more. */
export const KINDS: Readonly<Record<string, () => Model>> = {
  'convolutions and a linear layer': () => {
    const net = new Net([2, 8, 8], 1);
    const a = net.relu(net.conv('a', net.input, 2, 8));
    return net.head(net.relu(net.conv('b', a, 8, 8, { stride: 2 })), 8);
  },
  'a depthwise layer': () => {
    const net = new Net([3, 8, 8], 3);
    const a = net.relu(net.conv('a', net.input, 3, 8));
    const b = net.relu(net.conv('depthwise', a, 8, 8, { group: 8 }));
    return net.head(net.relu(net.conv('point', b, 8, 8, { kernel: 1 })), 8);
  },
  'a residual sum': () => {
    const net = new Net([3, 8, 8], 4);
    const a = net.relu(net.conv('a', net.input, 3, 8));
    const inner = net.relu(net.conv('inner', a, 8, 8));
    return net.head(net.relu(net.op('Add', [net.conv('outer', inner, 8, 8), a])), 8);
  },
  'a concatenation': () => {
    const net = new Net([3, 8, 8], 5);
    const a = net.relu(net.conv('a', net.input, 3, 8));
    const b = net.relu(net.conv('b', net.input, 3, 8, { kernel: 1 }));
    const both = net.op('Concat', [a, b], { axis: int(1) });
    return net.head(net.relu(net.conv('c', both, 16, 8)), 8);
  },
  'a grouped convolution': () => {
    const net = new Net([3, 8, 8], 6);
    const a = net.relu(net.conv('a', net.input, 3, 16));
    return net.head(net.relu(net.conv('grouped', a, 16, 16, { group: 2 })), 16);
  },
  'a linear layer behind Flatten': () => {
    const net = new Net([2, 4, 4], 7);
    const a = net.relu(net.conv('a', net.input, 2, 8));
    const flat = net.op('Flatten', [a], { axis: int(1) });
    return net.finish(net.gemm('head', net.op('Tanh', [net.gemm('hidden', flat, 8 * 16, 8)]), 8, 3, false));
  },
  'one dimension': () => {
    const net = new Net([2, 16], 8);
    const a = net.relu(net.conv('a', net.input, 2, 8, { kernel: 5, stride: 2 }));
    return net.head(net.relu(net.conv('b', a, 8, 8)), 8);
  },
  'transposed convolutions': () => {
    const net = new Net([2, 6, 6], 10);
    const a = net.relu(net.conv('a', net.input, 2, 8));
    const up = net.relu(net.conv('up', a, 8, 8, { kernel: 2, stride: 2, transposed: true }));
    // Its windows overlap.
    const wide = net.relu(net.conv('wide', up, 8, 8, { kernel: 3, stride: 2, transposed: true }));
    return net.head(net.relu(net.conv('b', wide, 8, 8)), 8);
  },
  'products with a constant': () => {
    const net = new Net([2, 8, 8], 9);
    const a = net.relu(net.conv('a', net.input, 2, 8));
    const pooled = net.op('Flatten', [net.op('GlobalAveragePool', [a])], { axis: int(1) });
    const hidden = net.op('Tanh', [net.op('MatMul', [pooled, net.weights([8, 8], 1)], {}, 'hidden')]);
    return net.finish(net.op('MatMul', [hidden, net.weights([8, 3], 1)], {}, 'head'));
  },
};

/** Makes every unit of every group a copy of one of its first `base` units: in all layers that give it. */
export function copied(model: Model, base: number): Model {
  const { nodes, constants } = model.graph;
  for (const { members } of findGroups(model).groups) {
    for (const { layer, units } of members) {
      const node = must(
        nodes.find(({ name }) => name === layer),
        layer,
      );
      // Rows of these networks' convolutions and turned linear layers; columns of the others.
      const byColumn = node.op === 'MatMul' || (node.op === 'Gemm' && intAttribute(node, 'transB', 0) === 0);
      for (const [at, name] of node.inputs.entries()) {
        const constant = constants.get(name);
        if (at === 0 || constant?.type !== 'float32') continue;
        const { data, dims } = constant;
        const axis = dims.length > 1 && (byColumn || node.op === 'ConvTranspose') ? 1 : 0;
        const count = dims[axis] as number;
        const inner = sizeOf(dims.slice(axis + 1));
        const place = (c: number, i: number): number =>
          (Math.floor(i / inner) * count + c) * inner + (i % inner);
        units.forEach((channels, unit) => {
          channels.forEach((channel, k) => {
            const source = must(units[unit % base]?.[k], 'a channel');
            const each = data.length / count;
            for (let i = 0; i < each; i++) data[place(channel, i)] = data[place(source, i)] as number;
          });
        });
      }
    }
  }
  return model;
}

/** A canonical network of a kind, as it is packed. */
export function ofKind(kind: string, base?: number): Model {
  const model = canonicalModel(must(KINDS[kind], kind)());
  return withBiases(base === undefined ? model : copied(model, base));
}

/** A bundle in the making whose levels keep these shares of every group. */
export function draftOf(model: Model, shares: readonly number[]) {
  const grouping = findGroups(model);
  const groups = grouping.groups.map(({ id, channels, layers }) => ({
    id,
    channels,
    layers,
    counts: shares.map((share) => Math.round(channels * share)),
  }));
  return { grouping, groups, draft: new DraftBundle(model, grouping, groups) };
}

/** Every vector of levels. */
export function allMixes(groups: number, levels: number): number[][] {
  if (groups === 0) return [[]];
  return allMixes(groups - 1, levels).flatMap((rest) =>
    Array.from({ length: levels }, (_, level) => [...rest, level]),
  );
}
