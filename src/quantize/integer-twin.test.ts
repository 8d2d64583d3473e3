// What the engine's integer kernels give equals whole-number arithmetic within one step, for networks of every kind of layer;
// and its own profile says that they are integer kernels.
import { describe, expect, it } from 'vitest';
import { createSession, tensor } from '../engine/index.ts';
import { runKernels } from '../engine/internal.ts';
import { canonicalModel, type Model } from '../onnx/index.ts';
import { cloneModel, knownOf, type Node } from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { quantizeModel } from './quantize-model.ts';
import { KINDS, noiseFor } from './test-support/kinds.ts';
import { type Meant, nodeTwin } from './test-support/twin.ts';

const QUICK = { maxPositions: 256, copies: 1, budget: 1 } as const;
const MOVES: ReadonlySet<string> = new Set(['Flatten', 'MaxPool', 'Reshape', 'Resize']);

describe.each(Object.entries(KINDS))('%s', (name, { model: make, kernels }) => {
  it('equals whole-number arithmetic within one step, in integer kernels at batches of 1 and 16', async () => {
    const model = canonicalModel(make());
    const calibration = noiseFor(model, 12);
    const { model: quantized } = await quantizeModel(model, { name, calibration, ...QUICK });
    const { samples, sampleShape } = noiseFor(model, 16, 5);
    for (const batch of [1, 16]) {
      const data = samples.subarray(0, (samples.length / 16) * batch);
      const feeds = { input: tensor(data, [batch, ...sampleShape]) };
      const found = new Map<string, number>();
      for (const { op } of await runKernels(quantized, feeds, { name })) {
        found.set(op.replace(/^Nhwc/, ''), (found.get(op.replace(/^Nhwc/, '')) ?? 0) + 1);
      }
      expect(Object.fromEntries([...found].filter(([op]) => op in kernels))).toEqual(kernels);
    }
    const read = await valuesOf(quantized, samples, [16, ...sampleShape]);
    const checked = steps(quantized).map(({ node, output, scale, zero }) => {
      const given = must(read.get(output), output);
      const exact = nodeTwin(quantized.graph, node, (value) => must(read.get(value), value));
      const far = Array.from(exact, (value, i) => {
        const whole = Math.min(255 - zero, Math.max(-zero, Math.round(value / scale)));
        return Math.abs(whole - (given.data[i] ?? Number.NaN) / scale);
      });
      return { node: node.name, length: exact.length === given.data.length, far: Math.max(...far) };
    });
    expect(checked.length).toBeGreaterThan(0);
    for (const { node, length, far } of checked)
      expect({ node, length, within: far < 1.001 }).toMatchObject({ length: true, within: true });
  });
});

/** Integer nodes with the scale of what they give. */
function steps({ graph }: Model): { node: Node; output: string; scale: number; zero: number }[] {
  return graph.nodes.flatMap((node) => {
    const raw = node.outputs[0] ?? '';
    const round = graph.nodes.find(({ op, inputs }) => op === 'QuantizeLinear' && inputs[0] === raw);
    if (!round || MOVES.has(node.op) || raw === 'input') return [];
    const back = must(
      graph.nodes.find(({ op, inputs }) => op === 'DequantizeLinear' && inputs[0] === round.outputs[0]),
      raw,
    );
    const [scale = Number.NaN, zero = Number.NaN] = [1, 2].map(
      (at) => knownOf(must(graph.constants.get(round.inputs[at] ?? ''), raw))?.data[0],
    );
    return [{ node, output: back.outputs[0] ?? '', scale, zero }];
  });
}

/** Everything that is dequantised, as the engine computes it. */
async function valuesOf(
  model: Model,
  samples: Float32Array,
  dims: readonly number[],
): Promise<Map<string, Meant>> {
  const shown = cloneModel(model);
  const names = model.graph.nodes
    .filter(({ op, inputs }) => op === 'DequantizeLinear' && !model.graph.constants.has(inputs[0] ?? ''))
    .map(({ outputs }) => outputs[0] ?? '');
  shown.graph.outputs = names.map((name) => ({ name, elemType: 1, dims: undefined }));
  const session = await createSession(shown, { name: 'values' });
  const found = await session.run({ input: tensor(samples, dims) });
  await session.release();
  return new Map(Object.entries(found).map(([name, value]) => [name, value as Meant]));
}
