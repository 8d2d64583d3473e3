// Stages that run in segments give the result of the whole network on one machine.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assembleModel, type Bundle } from '../../bundle/index.ts';
import { findVariant, keptUnitsAt } from '../../bundle/internal.ts';
import { sliceModel } from '../../channels/index.ts';
import { largestDifference } from '../../channels/test-support/net.ts';
import { randomNet } from '../../channels/test-support/random-net.ts';
import { createSession, type FloatTensor, tensor } from '../../engine/index.ts';
import { canonicalModel, loadModel, type Model } from '../../onnx/index.ts';
import { canonicalGraph } from '../../onnx/internal.ts';
import { lastStepNet } from '../../onnx/test-support/recurrent-nets.ts';
import { Random } from '../../util/internal.ts';
import { LONG, rounds } from '../../util/test-support/rounds.ts';
import type { RunPlan } from '../protocol/plan.ts';
import { randomPlan, splitBundle } from '../test-support/bundles.ts';
import { mixedNet } from '../test-support/mixed-net.ts';
import { mergeSegments } from './merge-segments.ts';
import { StageModels } from './stage-model.ts';

const FOLDER = join(process.env.BEDSIDE_SHARED ?? join(import.meta.dirname, '../../../../shared'), 'models');
const DEVICES = ['a', 'b', 'c', 'd'];

async function once(model: Model, input: string, value: FloatTensor): Promise<FloatTensor> {
  const session = await createSession(model, { name: 'part' });
  const [output] = Object.values(await session.run({ [input]: value }));
  await session.release();
  if (output?.type !== 'float32') throw new Error('no float32 output');
  return output;
}

function sample({ manifest }: Bundle, random: Random): FloatTensor {
  const { shape } = manifest.model.input;
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal());
  return tensor(data, [1, ...shape]);
}

async function byParts(bundle: Bundle, plan: RunPlan, input: FloatTensor): Promise<FloatTensor> {
  const stages = new StageModels(bundle);
  let value = input;
  for (const { index, segments } of plan.stages) {
    const parts: FloatTensor[] = [];
    for (const segment of segments) {
      const range = segments.length === 1 ? undefined : segment;
      parts.push(await once(stages.model(index, plan.levels, range), stages.stage(index).input, value));
    }
    value = mergeSegments(parts, stages.mergeRule(index));
  }
  return value;
}

async function expectSame(bundle: Bundle, plan: RunPlan, random: Random): Promise<void> {
  const input = sample(bundle, random);
  const correction = findVariant(bundle.manifest, plan.levels);
  const whole = await once(
    assembleModel(bundle, plan.levels, { correction }),
    bundle.manifest.model.input.name,
    input,
  );
  const parts = await byParts(bundle, plan, input);
  expect(parts.dims).toEqual(whole.dims);
  expect(largestDifference(parts.data, whole.data)).toBeLessThan(1e-4);
}

describe('stages of random networks', () => {
  it.each(LONG ? [1, 2, 3, 4, 5, 6] : [1, 2, 3, 4])('give the whole network, net %i', async (seed) => {
    const random = new Random(seed);
    const model = canonicalGraph(randomNet(seed));
    const bundle = splitBundle(model);
    for (let draw = 0; draw < 3; draw++)
      await expectSame(bundle, randomPlan(bundle, DEVICES, random), random);
  });
});

describe('stages that can be split', () => {
  const model = canonicalGraph(mixedNet());
  const plain = splitBundle(model);

  it('are split by outputs, by partial sums, and not at all', () => {
    expect(new Set(plain.manifest.stages.map(({ split }) => split))).toEqual(
      new Set(['outputs', 'partial-sums', 'none']),
    );
  });

  it('give the whole network for random levels and segments', async () => {
    const random = new Random(3);
    for (let draw = 0; draw < rounds(8, 12); draw++)
      await expectSame(plain, randomPlan(plain, DEVICES, random), random);
  });

  it('take the correction of a variant', async () => {
    const random = new Random(5);
    const levels = plain.manifest.groups.map((_, group) => group % 4);
    const bundle = splitBundle(model, { variants: [levels] });
    for (let draw = 0; draw < 4; draw++) {
      await expectSame(bundle, randomPlan(bundle, DEVICES, random, levels), random);
    }
  });

  it.each(['LSTM', 'GRU'] as const)(
    'take the weights that a variant has for recurrent layers: %s',
    async (op) => {
      const random = new Random(5);
      const net = canonicalModel(lastStepNet(op));
      const { groups } = splitBundle(net).manifest;
      const levels = groups.map((_, group) => 1 + (group % 3));
      const bundle = splitBundle(net, { variants: [levels] });
      await expectSame(bundle, randomPlan(bundle, DEVICES, random, levels), random);
      const index =
        new StageModels(bundle).bundle.manifest.layers.find(({ name }) => name === op)?.stage ?? -1;
      const own = new StageModels(bundle).model(index, levels);
      const cut = sliceModel(net, bundle.grouping, keptUnitsAt(bundle.manifest, levels));
      const weightOf = ({ graph }: Model) =>
        graph.constants.get(graph.nodes.find((node) => node.op === op)?.inputs[1] ?? '');
      expect(weightOf(own)?.dims).toEqual(weightOf(cut)?.dims);
      expect(weightOf(own)).not.toEqual(weightOf(cut));
    },
  );

  it('depend on the levels of their own groups only', () => {
    const stages = new StageModels(plain);
    const zeros = plain.manifest.groups.map(() => 0);
    const other = zeros.with(-1, 1);
    const changed = plain.manifest.stages.filter(
      ({ index }) =>
        stages.key({ first: index, last: index }, zeros).split('|')[1] !==
        stages.key({ first: index, last: index }, other).split('|')[1],
    );
    expect(changed.length).toBeGreaterThan(0);
    expect(changed.length).toBeLessThan(plain.manifest.stages.length);
  });
});

describe.each(['ecg-resnet1d', 'medical-mnist-vgg16', 'medical-mnist-resnet18'])('%s', (name) => {
  const path = join(FOLDER, `${name}.onnx`);

  it.skipIf(!existsSync(path))('gives the same by parts (needs the shared folder)', async () => {
    const random = new Random(11);
    const bundle = splitBundle(canonicalGraph(await loadModel(path)));
    for (let draw = 0; draw < 2; draw++)
      await expectSame(bundle, randomPlan(bundle, DEVICES, random), random);
  });
});
