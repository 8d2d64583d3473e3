// Descriptions against counting on the cut networks themselves, and against what a bundle checks of its network.
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openBundle, stageCosts } from '../bundle/index.ts';
import { keptUnitsAt, layerCosts, totalCosts, writeBundle } from '../bundle/internal.ts';
import { contentsOf, manifestOf } from '../bundle/test-support/contents.ts';
import { findGroups, sliceModel } from '../channels/index.ts';
import { macsCounter, reorderChannels } from '../channels/internal.ts';
import { Net } from '../channels/test-support/net.ts';
import { randomNet } from '../channels/test-support/random-net.ts';
import { canonicalModel, inferShapes, loadModel, type Model, modelCosts } from '../onnx/index.ts';
import { int, ints, sizeOf, withDeclarations } from '../onnx/internal.ts';
import { withBiases } from '../repair/internal.ts';
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { rounds } from '../util/test-support/rounds.ts';
import { describeModel } from './describe.ts';

const LEVELS = 4;

/** A description with random counts, in an otherwise made-up manifest. */
function described(model: Model, seed: number) {
  const random = new Random(seed);
  const grouping = findGroups(model);
  const counts = grouping.groups.map(({ channels }) => {
    const rest = Array.from({ length: LEVELS - 1 }, () => 1 + random.integer(channels));
    return [channels, ...rest.sort((a, b) => b - a)];
  });
  const { signature, ...parts } = describeModel(model, grouping, counts, new Set());
  const contents = contentsOf(model);
  const manifest = { ...contents.manifest, ...parts, model: { ...contents.manifest.model, ...signature } };
  return {
    contents: { model, tensors: new Map(), manifest },
    manifest: manifestOf(manifest),
    grouping,
    random,
  };
}

/** Proportions assume that the units of a group are equally wide. */
function even(model: Model): boolean {
  const grouping = findGroups(model);
  const order = grouping.groups.map(({ id, channels }): [number, number[]] => [
    id,
    Array.from({ length: channels }, (_, unit) => channels - 1 - unit),
  ]);
  return reorderChannels(model, grouping, new Map(order)).fixed.size === 0;
}

function expectTrue(model: Model, seed: number, mixes: number): void {
  const { manifest, grouping, random } = described(model, seed);
  const count = macsCounter(model, grouping);
  for (let mix = 0; mix < mixes; mix++) {
    const levels = manifest.groups.map(() => (mix === 0 ? 0 : random.integer(LEVELS)));
    const keep = keptUnitsAt(manifest, levels);
    const cut = sliceModel(model, grouping, keep);
    const shapes = inferShapes(cut, 1);
    const bytes = (value: string): number => 4 * sizeOf(must(shapes.get(value), value));
    const total = totalCosts(manifest, levels);
    expect(Math.round(total.macs)).toBe(count(keep));
    expect(Math.round(total.macs)).toBe(modelCosts(cut).macs);
    // No constant of these networks is shared.
    const constants = [...cut.graph.constants.values()];
    const all = constants.reduce((sum, { dims, type }) => sum + sizeOf(dims) * (type === 'int64' ? 8 : 4), 0);
    const other = manifest.stages.reduce((sum, stage) => sum + stage.otherBytes, 0);
    const whole = [...model.graph.constants.values()];
    const named = new Set(
      manifest.layers.flatMap(
        ({ name }) => model.graph.nodes.find((n) => n.name === name)?.inputs.slice(1) ?? [],
      ),
    );
    const rest = [...cut.graph.constants].filter(([name]) => !named.has(name));
    const cutOther = rest.reduce(
      (sum, [, { dims, type }]) => sum + sizeOf(dims) * (type === 'int64' ? 8 : 4),
      0,
    );
    expect(total.weightBytes - other).toBeCloseTo(all - cutOther, 6);
    if (mix === 0) {
      const sizes = whole.map(({ dims, type }) => sizeOf(dims) * (type === 'int64' ? 8 : 4));
      expect(total.weightBytes).toBeCloseTo(
        sizes.reduce((sum, size) => sum + size, 0),
        6,
      );
    }
    for (const { name } of manifest.layers) {
      const node = must(
        cut.graph.nodes.find((one) => one.name === name),
        name,
      );
      const costs = layerCosts(manifest, name, levels);
      expect(costs.inputBytes, name).toBeCloseTo(bytes(node.inputs[0] ?? ''), 6);
      expect(costs.outputBytes, name).toBeCloseTo(bytes(node.outputs[0] ?? ''), 6);
    }
    for (const { index, input, output } of manifest.stages) {
      const stage = stageCosts(manifest, index, levels);
      expect(stage.inputBytes).toBeCloseTo(bytes(input), 6);
      expect(stage.outputBytes).toBeCloseTo(bytes(output), 6);
    }
  }
}

const SEEDS = Array.from({ length: rounds(12, 24) }, (_, seed) => seed);

describe('descriptions of random networks', () => {
  it.each(SEEDS.filter((seed) => even(randomNet(seed))))(
    'cost what the cut network costs, seed %i',
    (seed) => {
      expectTrue(withBiases(canonicalModel(randomNet(seed))), seed, 4);
    },
  );

  it('are accepted by bundles', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'bedside-describe-'));
    try {
      for (const seed of SEEDS) {
        const { contents } = described(withBiases(canonicalModel(randomNet(seed))), seed);
        const folder = join(dir, String(seed));
        await writeBundle(folder, contents);
        const { manifest } = await openBundle(folder);
        expect(manifest.layers).toEqual(contents.manifest.layers);
      }
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});

describe('a described network', () => {
  /** 3 -> 8 -> 8 (depthwise) -> 6, then the head. */
  function small(batch: string | number): Model {
    const net = new Net([3, 4, 4]);
    const deep = net.relu(net.conv('deep', net.relu(net.conv('stem', net.input, 3, 8)), 8, 8, { group: 8 }));
    const model = net.head(net.relu(net.conv('point', deep, 8, 6, { kernel: 1 })), 6);
    for (const value of [...model.graph.inputs, ...model.graph.outputs]) {
      value.dims = [batch, ...(value.dims ?? []).slice(1)];
    }
    return model;
  }

  it.each(['batch', 5])('has the numbers worked out by hand, batch %s', (batch) => {
    const model = small(batch);
    const grouping = findGroups(model);
    const counts = [
      [8, 4],
      [6, 3],
    ];
    const { groups, layers, stages, signature } = describeModel(model, grouping, counts, new Set(['point']));
    expect(groups).toEqual([
      { id: 0, channels: 8, layers: ['stem', 'deep'], counts: [8, 4] },
      { id: 1, channels: 6, layers: ['point'], counts: [6, 3] },
    ]);
    const [none, first, second] = [[], [{ group: 0, share: 1 }], [{ group: 1, share: 1 }]];
    const row = (
      stage: number,
      inputs: unknown,
      outputs: unknown,
      reads: unknown,
      sizes: readonly number[],
      tables: boolean,
    ) => {
      const [macs, weightBytes, biasBytes, inputBytes, outputBytes] = sizes;
      return { stage, inputs, outputs, macs, weightBytes, biasBytes, inputBytes, outputBytes, reads, tables };
    };
    expect(layers).toEqual([
      { name: 'stem', ...row(0, none, first, none, [16 * 27 * 8, 4 * 27 * 8, 32, 192, 512], false) },
      { name: 'deep', ...row(1, none, first, first, [16 * 9 * 8, 4 * 9 * 8, 32, 512, 512], false) },
      { name: 'point', ...row(2, first, second, first, [16 * 48, 4 * 48, 24, 512, 384], true) },
      { name: 'head', ...row(3, second, none, second, [18, 72, 12, 24, 12], false) },
    ]);
    expect(
      stages.map(({ layers: own, outputBytes, outputShares, otherBytes, split }) => [
        own,
        outputBytes,
        outputShares,
        otherBytes,
        split,
      ]),
    ).toEqual([
      [['stem'], 512, first, 0, 'outputs'],
      [['deep'], 512, first, 0, 'none'],
      [['point'], 24, second, 0, 'outputs'],
      [['head'], 12, none, 0, 'outputs'],
    ]);
    expect(stages.map(({ input }) => input)).toEqual([
      'input',
      ...stages.slice(0, -1).map(({ output }) => output),
    ]);
    expect(signature.input).toEqual({ name: 'input', shape: [3, 4, 4] });
    expect(signature.output.classes).toBe(3);
  });

  it('counts constants that are no weights', () => {
    const net = new Net([2, 4, 4]);
    const flat = net.op('Reshape', [net.relu(net.conv('stem', net.input, 2, 8)), net.ints([0, 128])]);
    const scaled = net.op('Mul', [flat, net.weights([1, 128], 1)]);
    const model = net.finish(net.gemm('head', net.op('Flatten', [scaled], { axis: int(1) }), 128, 3));
    const { stages } = describeModel(model, findGroups(model), [[8]], new Set());
    expect(stages.map(({ otherBytes }) => otherBytes)).toEqual([2 * 8 + 4 * 128, 0]);
  });
});

describe('nodes that are no weighted layers', () => {
  it('count for their stage at every level, as they do in the cut network', () => {
    const net = new Net([2, 4, 4]);
    const stem = net.relu(net.conv('stem', net.input, 2, 8));
    const left = net.op('Reshape', [net.conv('left', stem, 8, 3), net.ints([0, 3, 16])]);
    const right = net.op('Reshape', [net.conv('right', stem, 8, 4), net.ints([0, 16, 4])]);
    const product = net.op('MatMul', [left, right]);
    const model = net.finish(net.gemm('head', net.op('Flatten', [product], { axis: int(1) }), 12, 3));
    const grouping = findGroups(model);
    const counts = [[8, 5]];
    const described = describeModel(model, grouping, counts, new Set());
    expect(described.uncounted).toBeUndefined();
    expect(described.stages.map(({ otherMacs }) => otherMacs)).toEqual([undefined, 3 * 4 * 16, undefined]);
    const manifest = { ...described, name: 'net', ratios: [0, 0.4], model: described.signature };
    for (const level of [0, 1]) {
      const kept = Array.from({ length: counts[0]?.[level] ?? 0 }, (_, unit) => unit);
      const cut = sliceModel(model, grouping, new Map([[0, kept]]));
      expect(totalCosts(manifest, [level]).macs).toBe(modelCosts(cut).macs);
    }
  });

  it('count with the heads of attention', () => {
    const net = new Net([4, 8]);
    const part = (name: string, perm: readonly number[]): string => {
      const split = net.op('Reshape', [net.matmul(name, net.input, 8, 8), net.ints([0, 4, 2, 4])]);
      return net.op('Transpose', [split], { perm: ints(perm) });
    };
    const scores = net.op('MatMul', [part('q', [0, 2, 1, 3]), part('k', [0, 2, 3, 1])]);
    const seen = net.op('MatMul', [net.op('Softmax', [scores], { axis: int(-1) }), part('v', [0, 2, 1, 3])]);
    const joined = net.op('Reshape', [
      net.op('Transpose', [seen], { perm: ints([0, 2, 1, 3]) }),
      net.ints([0, 4, 8]),
    ]);
    const flat = net.op('Flatten', [net.relu(net.matmul('out', joined, 8, 6))], { axis: int(1) });
    expectTrue(net.finish(net.gemm('head', flat, 24, 3), 17), 1, 6);
  });

  it('keep their stage on one device: every device of a split one would do them whole', () => {
    const net = new Net([4, 4]);
    const turned = net.op('Transpose', [net.input], { perm: ints([0, 2, 1]) });
    const flat = net.op('Flatten', [net.op('MatMul', [net.input, turned])], { axis: int(1) });
    const model = net.finish(net.gemm('head', net.relu(net.gemm('hidden', flat, 16, 8)), 8, 3));
    const { stages } = describeModel(model, findGroups(model), [[8]], new Set());
    expect(stages.map(({ otherMacs, split }) => [otherMacs, split])).toEqual([
      [64, 'none'],
      [undefined, 'outputs'],
    ]);
  });

  it('are named where their multiply-accumulates are not known', () => {
    const net = new Net([2, 4, 4]);
    const odd = net.op('Det', [net.relu(net.conv('stem', net.input, 2, 8))]);
    const model = withDeclarations(
      net.finish(net.gemm('head', odd, 8, 3)),
      new Map([[odd, { name: odd, elemType: 1, dims: ['batch', 8] }]]),
      [],
    );
    const { uncounted } = describeModel(model, findGroups(model), [[8]], new Set());
    expect(uncounted?.map(({ op }) => op)).toEqual(['Det']);
  });

  it('refuse a network whose shapes end somewhere, and say where', () => {
    const net = new Net([2, 4, 4]);
    const odd = net.op('Magic', [net.relu(net.conv('stem', net.input, 2, 8))]);
    const model = net.finish(net.gemm('head', odd, 8, 3));
    expect(() => describeModel(model, findGroups(model), [[8]], new Set())).toThrow(
      expect.objectContaining({
        code: 'E_UNSUPPORTED',
        message: expect.stringMatching(/Magic/),
        hint: expect.stringMatching(/onnx\.shape_inference/),
      }),
    );
  });
});

const SHARED = join(process.env.BEDSIDE_SHARED ?? join(import.meta.dirname, '../../../shared'), 'models');

describe.each(['ecg-resnet1d', 'medical-mnist-vgg16', 'medical-mnist-resnet18'])('%s', (name) => {
  const path = join(SHARED, `${name}.onnx`);
  it.skipIf(!existsSync(path))(
    'costs what its cuts cost',
    async () => {
      expectTrue(withBiases(canonicalModel(await loadModel(path))), 3, 2);
    },
    60_000,
  );
});
