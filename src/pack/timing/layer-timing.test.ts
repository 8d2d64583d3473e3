// The parts that are timed make the whole network; what is measured fits the bundle. How long anything takes is not
// looked at.
import { describe, expect, it } from 'vitest';
import { type BundleManifest, stageCosts } from '../../bundle/index.ts';
import { firstUnits, totalCosts } from '../../bundle/internal.ts';
import { contentsOf, manifestOf } from '../../bundle/test-support/contents.ts';
import { findGroups, sliceModel } from '../../channels/index.ts';
import { largestDifference, Net, run } from '../../channels/test-support/net.ts';
import { randomNet } from '../../channels/test-support/random-net.ts';
import { createSession, type Tensor, tensor } from '../../engine/index.ts';
import { canonicalModel, inferShapes, type Model, modelCosts } from '../../onnx/index.ts';
import { sizeOf } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { describeModel } from '../describe.ts';
import { timeLayers } from './layer-timing.ts';
import { layerSubgraphs, sliceSubgraph } from './timed-subgraphs.ts';
import { medianSeconds } from './timing.ts';

const RATIOS = [0, 0.25, 0.5];

function described(model: Model) {
  const grouping = findGroups(model);
  const counts = grouping.groups.map(({ channels }) =>
    RATIOS.map((ratio) => Math.max(1, Math.round(channels * (1 - ratio)))),
  );
  return { grouping, ...describeModel(model, grouping, counts, new Set()) };
}

/** Runs part after part, each from what the ones before it gave. */
async function runParts(
  parts: readonly Model[],
  input: string,
  dims: readonly number[],
): Promise<Map<string, Tensor>> {
  // The same samples as `run` makes.
  const random = new Random(99);
  const data = Float32Array.from({ length: sizeOf(dims) }, () => random.normal());
  const values = new Map<string, Tensor>([[input, tensor(data, dims)]]);
  for (const part of parts) {
    const session = await createSession(part, { name: 'part', optimization: 'basic' });
    const feeds = part.graph.inputs.map(({ name }): [string, Tensor] => [name, must(values.get(name), name)]);
    const outputs = await session.run(Object.fromEntries(feeds));
    for (const [name, value] of Object.entries(outputs)) values.set(name, value);
    await session.release();
  }
  return values;
}

describe('the parts of layers', () => {
  it.each(Array.from({ length: 12 }, (_, seed) => seed))(
    'make the whole network at any levels, seed %i',
    async (seed) => {
      const model = canonicalModel(randomNet(seed));
      const { grouping, stages, groups, layers } = described(model);
      const parts = layerSubgraphs(model, stages);
      expect([...parts.keys()]).toEqual(layers.map(({ name }) => name));
      const random = new Random(seed);
      const levels = groups.map(() => random.integer(RATIOS.length));
      const keep = firstUnits(groups, (id) => levels[id] ?? 0);
      const cut = sliceModel(model, grouping, keep);
      const cutParts = [...parts.values()].map((part) => sliceSubgraph(part, grouping, keep));
      expect(cutParts.reduce((sum, part) => sum + modelCosts(part).macs, 0)).toBe(modelCosts(cut).macs);
      const input = must(model.graph.inputs[0], 'input');
      const dims = [3, ...(inferShapes(model, 1).get(input.name) ?? []).slice(1)];
      const values = await runParts(cutParts, input.name, dims);
      const logits = must(values.get(model.graph.outputs[0]?.name ?? ''), 'logits');
      expect(largestDifference(logits.data as Float32Array, await run(cut))).toBeLessThan(1e-4);
    },
  );
});

describe('measured seconds', () => {
  function expectTables(manifest: BundleManifest): void {
    const positive = (value: number): boolean => value > 0 && Number.isFinite(value);
    for (const { seconds } of manifest.layers) {
      expect(seconds?.map((row) => row.length)).toEqual([3, 3, 3]);
      expect(seconds?.flat().every(positive)).toBe(true);
      seconds?.forEach((row, i) => {
        row.forEach((value, o) => {
          expect(value).toBeLessThanOrEqual(seconds[i - 1]?.[o] ?? value);
          expect(value).toBeLessThanOrEqual(row[o - 1] ?? value);
        });
      });
    }
    for (const { seconds } of manifest.stages) expect(seconds?.every(positive)).toBe(true);
  }

  it('fill in every layer and stage of a network', async () => {
    const net = new Net([2, 8, 8]);
    const stem = net.relu(net.conv('stem', net.input, 2, 8));
    const block = net.op('Add', [stem, net.conv('second', net.relu(net.conv('first', stem, 8, 8)), 8, 8)]);
    const model = net.head(net.relu(block), 8);
    const { grouping, signature, ...parts } = described(model);
    const done: number[] = [];
    const found = await timeLayers(model, grouping, parts, {
      name: 'net',
      onProgress: (at) => void done.push(at),
    });
    // stem 3 (by what it gives), first and second 9, head 3 (by what it reads), the stage of two layers 3.
    expect(found.timed).toBe(27);
    expect(found.entries).toBe(4 * 9 + 3);
    expect(done).toEqual([1, 2, 3, 4, 5]);
    expect(found.measured).toMatchObject({ provider: 'cpu', threads: 1, batch: 1 });
    const contents = contentsOf(model);
    const manifest = manifestOf({
      ...contents.manifest,
      ...parts,
      ratios: RATIOS,
      layers: found.layers,
      stages: found.stages,
    });
    expectTables(manifest);
    const [table] = [manifest.layers[0]?.seconds];
    expect(manifest.stages[0]?.seconds).toEqual(table?.map((row, level) => row[level]));
    // At uniform levels a stage takes what was measured of it.
    for (const level of [0, 1, 2]) {
      const uniform = manifest.groups.map(() => level);
      expect(stageCosts(manifest, 1, uniform).seconds).toBeCloseTo(
        manifest.stages[1]?.seconds?.[level] ?? 0,
        12,
      );
    }
    expect(
      totalCosts(
        manifest,
        manifest.groups.map((_, id) => id % 3),
      ).seconds,
    ).toBeGreaterThan(0);
  });

  it('are measured once for layers of one shape', async () => {
    const secondsOf = async (strides: readonly number[]) => {
      const net = new Net([2, 8, 8]);
      let x = net.relu(net.conv('stem', net.input, 2, 8));
      for (const [at, stride] of strides.entries())
        x = net.relu(net.conv(`inner${at}`, x, 8, 8, { kernel: 2 * stride - 1, stride }));
      const model = net.head(x, 8);
      const { grouping, signature, ...parts } = described(model);
      const { timed, layers } = await timeLayers(model, grouping, parts, { name: 'net' });
      return { timed, seconds: layers.map(({ seconds }) => seconds) };
    };
    // stem 3, head 3, 9 for the last layer with its pooling, and 9 for each other shape.
    const alike = await secondsOf([1, 1, 1]);
    expect(alike.timed).toBe(24);
    expect(alike.seconds[2]).toEqual(alike.seconds[1]);
    expect((await secondsOf([1, 2, 1])).timed).toBe(33);
  });

  it('become coarser when there is no time', async () => {
    const model = canonicalModel(randomNet(3));
    const { grouping, signature, ...parts } = described(model);
    const all = await timeLayers(model, grouping, parts, { name: 'net', maxSeconds: 1e9 });
    const few = await timeLayers(model, grouping, parts, { name: 'net', maxSeconds: 0 });
    expect(few.timed).toBeLessThan(all.timed);
    const { manifest } = contentsOf(model);
    expectTables(
      manifestOf({ ...manifest, ...parts, ratios: RATIOS, layers: few.layers, stages: few.stages }),
    );
  });

  it('are for one sample of what fixes its batch', async () => {
    const net = new Net([2, 4, 4]);
    const model = net.head(net.relu(net.conv('stem', net.input, 2, 4)), 4);
    for (const value of [...model.graph.inputs, ...model.graph.outputs])
      value.dims = [4, ...(value.dims ?? []).slice(1)];
    const { grouping, signature, ...parts } = described(model);
    const { measured, layers } = await timeLayers(model, grouping, parts, { name: 'net' });
    expect(measured.batch).toBe(4);
    expect(layers.every(({ seconds }) => seconds?.flat().every((value) => value > 0))).toBe(true);
  });

  it('of several networks are as many', async () => {
    const nets = [4, 12].map((width) => {
      const net = new Net([2, 4, 4]);
      return net.head(net.conv('stem', net.input, 2, width), width);
    });
    const found = await medianSeconds(nets, { name: 'nets', rounds: 3 });
    expect(found.map((value) => value > 0 && Number.isFinite(value))).toEqual([true, true]);
    expect(await medianSeconds([], { name: 'none' })).toEqual([]);
  });
});
