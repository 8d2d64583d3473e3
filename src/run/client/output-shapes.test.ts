// Outputs of any shape: one score, a score of two axes, and masks, split over devices where they can be.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { largestDifference, Net } from '../../channels/test-support/net.ts';
import { tensor } from '../../engine/index.ts';
import type { Model } from '../../onnx/index.ts';
import { canonicalGraph, ints } from '../../onnx/internal.ts';
import { segmentsOf } from '../../plan/internal.ts';
import { Random } from '../../util/internal.ts';
import type { RunPlan } from '../protocol/plan.ts';
import { localPlanOf, onOneMachine, randomSample, writtenBundle } from '../test-support/bundles.ts';
import { inOneProcess } from '../test-support/in-one-process.ts';
import { assertResult } from './result-validation.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-shapes-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Two convolutions and an output layer over `[2, 12]`; `end` gives the output, of the shape that it says. */
function network(shape: readonly number[], end: (net: Net, x: string) => string): Model {
  const net = new Net([2, 12]);
  const output = end(net, net.relu(net.conv('b', net.relu(net.conv('a', net.input, 2, 8)), 8, 6)));
  net.builder.output(output, undefined);
  net.builder.graph.outputs = [{ name: output, elemType: 1, dims: ['batch', ...shape] }];
  return canonicalGraph(net.builder.model(17, 8));
}

const pooled = (net: Net, x: string): string => net.op('GlobalAveragePool', [x]);

const CASES: readonly [shape: number[], split: string, end: (net: Net, x: string) => string][] = [
  [[1], 'none', (net, x) => net.gemm('head', net.op('Flatten', [pooled(net, x)]), 6, 1)],
  [[4, 1], 'outputs', (net, x) => net.conv('head', pooled(net, x), 6, 4, { kernel: 1 })],
  [[1, 12], 'none', (net, x) => net.conv('head', x, 6, 1)],
  [[3, 12], 'outputs', (net, x) => net.conv('head', x, 6, 3)],
  // Channels behind the positions are not split, and neither are those that a reshape takes apart.
  [[12, 3], 'none', (net, x) => net.op('Transpose', [net.conv('head', x, 6, 3)], { perm: ints([0, 2, 1]) })],
  [[36], 'none', (net, x) => net.op('Flatten', [net.conv('head', x, 6, 3)])],
];

it.each(CASES)('an output of %j is whole from several devices: %s', async (shape, split, end) => {
  const bundle = await writtenBundle(join(folder, shape.join('-')), network(shape, end));
  const { manifest } = bundle;
  const last = manifest.stages.length - 1;
  expect(manifest.stages[last]?.split).toBe(split);
  const random = new Random(3);
  await using run = await inOneProcess(bundle, [{ name: 'one' }, { name: 'two' }]);
  for (const level of [0, 2]) {
    const levels = manifest.groups.map(() => level);
    const local = localPlanOf(bundle, 'one', levels);
    const channels = shape[0] as number;
    const devices = split === 'none' ? ['two'] : ['two', 'one'];
    const plan: RunPlan = {
      levels,
      stages: local.stages.with(last, { index: last, segments: segmentsOf(devices, channels) }),
    };
    const input = randomSample(bundle, random);
    const { logits } = await run.requester.infer(input, plan);
    expect(logits.dims).toEqual([1, ...shape]);
    expect(largestDifference(logits.data, await onOneMachine(bundle, levels, input))).toBeLessThan(1e-5);
    const flat = tensor(logits.data, [1, logits.data.length, 1, 1]);
    expect(() => assertResult(manifest, local, 0, 1, logits)).not.toThrow();
    expect(() => assertResult(manifest, local, 0, 1, flat as typeof logits)).toThrow(/not \[1, /);
  }
});
