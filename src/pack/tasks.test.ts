// Networks of every task as bundles: packed, opened again, certified; measured by the main measure, and the same task.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBundle } from '../bundle/index.ts';
import { taskOf, writeBundle } from '../bundle/internal.ts';
import { Net } from '../channels/test-support/net.ts';
import { type Dataset, subset } from '../data/index.ts';
import type { Targets } from '../data/internal.ts';
import { describeClassifier, evaluateModel } from '../evaluate/internal.ts';
import type { Model } from '../onnx/index.ts';
import { canonicalGraph, metadataEntries } from '../onnx/internal.ts';
import { findCriterion } from '../prune/index.ts';
import type { TaskKind } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { certifyLevels } from './certify.ts';
import { packModel } from './pack.ts';
import { taskedModel } from './task.ts';

const SIZE = 30;
const SAMPLE = [2, 12] as const;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-tasks-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function network(task: TaskKind, shape: readonly number[], end: (net: Net, x: string) => string): Model {
  const net = new Net(SAMPLE, 4);
  const output = end(net, net.relu(net.conv('b', net.relu(net.conv('a', net.input, 2, 8)), 8, 8)));
  net.builder.output(output, undefined);
  net.builder.graph.outputs = [{ name: output, elemType: 1, dims: ['batch', ...shape] }];
  return taskedModel(canonicalGraph(net.builder.model(17, 8)), task);
}

const flat = (net: Net, x: string): string => net.op('Flatten', [net.op('GlobalAveragePool', [x])]);

/** Targets that the network nearly meets. */
function targetsOf(task: TaskKind, shape: readonly number[], scores: Float32Array): Partial<Dataset> {
  const near = scores.map((value, i) => value + 0.02 * Math.sin(i));
  const yes = Uint8Array.from(near, (value) => Number(value > 0));
  const kinds: Partial<Record<TaskKind, Targets['kind']>> = { 'multi-label': 'labels', segmentation: 'mask' };
  if (task === 'binary') return { labels: Int32Array.from(yes) };
  const kind = kinds[task] ?? 'values';
  return { labels: undefined, targets: { kind, shape, data: kind === 'values' ? near : yes } };
}

const CASES: [task: TaskKind, measure: string, shape: number[], end: (net: Net, x: string) => string][] = [
  ['binary', 'balanced', [1], (net, x) => net.gemm('head', flat(net, x), 8, 1)],
  ['multi-label', 'auroc', [4], (net, x) => net.gemm('head', flat(net, x), 8, 4)],
  ['segmentation', 'dice', [1, 12], (net, x) => net.conv('head', x, 8, 1)],
  ['regression', 'r2', [2], (net, x) => net.gemm('head', flat(net, x), 8, 2)],
  ['embedding', 'cosine', [3], (net, x) => net.gemm('head', flat(net, x), 8, 3)],
];

describe.each(CASES)('a network for %s', (task, measure, shape, end) => {
  it(`is packed and certified by ${measure}, and opens as what it is`, async () => {
    const model = network(task, shape, end);
    const random = new Random(6);
    const plain: Dataset = {
      ...{ kind: 'npz', name: 'made up', size: SIZE, sampleShape: SAMPLE, hash: '', skipped: [] },
      samples: Float32Array.from({ length: SIZE * 24 }, () => random.normal()),
      ...{ labels: undefined, classNames: ['x'], origins: undefined },
    };
    const { logits } = await evaluateModel(model, plain, { name: 'net', reference: 'own' });
    const data: Dataset = { ...plain, ...targetsOf(task, shape, logits) };
    const parts = (from: number, to: number) =>
      subset(
        data,
        Array.from({ length: to - from }, (_, i) => from + i),
      );
    const common = { name: 'net', calibration: parts(0, 12), validation: parts(12, SIZE), seed: 3 };
    const packed = await packModel(
      model,
      {
        ...{ source: { file: 'net.onnx', sha256: '0'.repeat(64) }, dataset: 'made up', versions: {} },
        preprocessing: { kind: 'tensors', description: 'numbers' },
        created: '2026-01-01T00:00:00.000Z',
      },
      {
        ...common,
        ...{ criterion: findCriterion('l2'), ratios: [0, 0.5], block: 1, variants: 3 },
        ...{ measureSeconds: false, maxPositions: 128, lowRankFrom: 1 },
      },
    );
    const dir = join(folder, task);
    await writeBundle(dir, packed.contents);
    const bundle = await openBundle(dir);
    const { manifest } = bundle;
    expect(taskOf(manifest)).toMatchObject({ kind: task, outputShape: shape });
    expect(manifest.accuracy.measure).toBe(measure);
    expect(manifest.provenance.labelled).toBe(true);
    expect(manifest.variants[0]?.accuracy).toBeGreaterThan(0.9);
    expect(describeClassifier(bundle.model, 'net').task).toBe(task);
    expect(metadataEntries(bundle.model)).toHaveLength(1);
    const levels = manifest.groups.map((_, i) => i % 2);
    const again = await certifyLevels(bundle, levels, common);
    expect(again.contents.manifest.task).toEqual(manifest.task);
    expect(again.variant.lowerBound).toBeLessThanOrEqual(again.variant.accuracy);
    await expect(certifyLevels(bundle, levels, { ...common, ...unlabelled(common) })).rejects.toMatchObject({
      code: 'E_DATA',
    });
  });
});

function unlabelled<T extends { readonly validation: Dataset }>({ validation }: T): { validation: Dataset } {
  return { validation: { ...validation, labels: undefined, targets: undefined } };
}
