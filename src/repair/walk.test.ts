// A walk whose weights change behind it shows what a run from the input shows, whatever it may hold; and no layer is in
// two of its parts while what is alive fits.
import { describe, expect, it } from 'vitest';
import { Net } from '../channels/test-support/net.ts';
import { canonicalModel, type Model } from '../onnx/index.ts';
import { int, producers, type WeightedLayer, weightedLayers } from '../onnx/internal.ts';
import { Random } from '../util/internal.ts';
import { type RepairSamples, repairSamples } from './augment.ts';
import { frontiers } from './frontier.ts';
import { KINDS, ofKind, samplesFor } from './test-support/nets.ts';
import { NetworkWalk, visitValues } from './walk.ts';
import { setWeights } from './weights.ts';

const RUN = { name: 'net', batch: 4, threads: 1 } as const;

/** Layers that read all before them, with an integer and a Boolean value between. */
function dense(): Model {
  const net = new Net([3, 6, 6], 8);
  const parts = [net.relu(net.conv('stem', net.input, 3, 4))];
  for (let i = 0; i < 3; i++) {
    const all = parts.length === 1 ? (parts[0] as string) : net.op('Concat', parts, { axis: int(1) });
    parts.push(net.relu(net.conv(`layer${i}`, net.relu(all), 4 * (i + 1), 4)));
  }
  const last = net.op('Concat', parts, { axis: int(1) });
  const high = net.op('Where', [net.op('Greater', [last, net.weights([1], 0)]), last, net.op('Neg', [last])]);
  return canonicalModel(net.head(net.relu(net.conv('end', high, 16, 8)), 8));
}

const MODELS: readonly [string, () => Model][] = [
  ...Object.keys(KINDS).map((kind): [string, () => Model] => [kind, () => ofKind(kind)]),
  ['layers that read all before them', dense],
];

/** The layer's weights halved. */
function changed(model: Model, layer: WeightedLayer): Model {
  return setWeights(
    model,
    layer,
    layer.weight.map((w) => w / 2),
    layer.bias,
  );
}

async function shown(
  samples: RepairSamples,
  value: string,
  run: (visit: (sample: number, read: (name: string) => Float32Array) => void) => Promise<void>,
): Promise<number[][]> {
  const found: number[][] = [];
  await run((sample, read) => {
    found[sample] = [...read(value)];
  });
  expect(found).toHaveLength(samples.size);
  return found;
}

describe('a walk', () => {
  it.each(MODELS)('shows what a run from the input shows: %s', async (_name, make) => {
    const original = make();
    const samples = repairSamples(samplesFor(original, 5), 2, new Random(1));
    const layers = weightedLayers(original);
    const steps = layers.map(({ name, input }) => ({ values: [input], changes: [name] }));
    const walks = await Promise.all(
      [0, 5000, undefined].map((walkBytes) =>
        NetworkWalk.open(original, steps, samples, { ...RUN, walkBytes }),
      ),
    );
    let model = original;
    for (const layer of layers) {
      const { input } = layer;
      const whole = await shown(samples, input, (visit) => visitValues(model, [input], samples, RUN, visit));
      for (const walk of walks) {
        const walked = await shown(samples, input, (visit) => walk.visit(model, visit));
        for (const [i, values] of whole.entries()) expectClose(walked[i] ?? [], values, layer.name);
      }
      model = changed(model, layer);
    }
  });

  it('holds the branches of a sum, and layers before a concatenation rather than it', () => {
    const { graph } = dense();
    const layers = weightedLayers(dense());
    const steps = layers.map(({ name, input }) => ({ values: [input], changes: [name] }));
    const types = new Map(graph.nodes.flatMap(({ outputs }) => outputs.map((name) => [name, 1])));
    const held = frontiers(graph, steps, types);
    const makers = producers(graph);
    // What the fourth layer reads follows from the three before it, which the last concatenation reads too.
    expect(held[3]?.map((name) => makers.get(name)?.op)).toEqual(['Relu', 'Relu', 'Relu']);
    expect(held.at(-1)).toEqual([]);
  });

  it('holds no value of a type that the engine cannot be given, but what makes it', () => {
    const { graph } = dense();
    const layers = weightedLayers(dense());
    const [mask] = graph.nodes.filter(({ op }) => op === 'Greater');
    const steps = layers.map(({ name, input }) => ({ values: [input], changes: [name] }));
    const held = frontiers(graph, steps, new Map());
    expect(held.flat()).not.toContain(mask?.outputs[0]);
    // Where no type is known, nothing but the input is held.
    expect(new Set(held.flat())).toEqual(new Set([graph.inputs[0]?.name]));
  });
});

function expectClose(a: readonly number[], b: readonly number[], what: string): void {
  expect(a.length, what).toBe(b.length);
  const most = b.reduce((largest, x) => Math.max(largest, Math.abs(x)), 1e-6);
  const off = a.reduce((largest, x, i) => Math.max(largest, Math.abs(x - (b[i] as number))), 0);
  expect(off / most, what).toBeLessThan(1e-5);
}
