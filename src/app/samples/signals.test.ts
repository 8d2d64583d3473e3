// The network's sampling rate: given by option, kept in what is made of the model, read from its metadata.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeRecord } from '../../data/test-support/wfdb-record.ts';
import { saveModel } from '../../onnx/index.ts';
import { GraphBuilder } from '../../onnx/internal.ts';
import { loadNetwork } from '../network/network.ts';
import { KeptJournal } from '../reporter.ts';
import { loadSamples } from './samples.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-rate-'));
  const signal = Float64Array.from({ length: 2000 }, (_, i) => Math.sin(i / 20));
  await writeRecord(folder, 'a', {
    rate: 200,
    leads: [{ name: 'MLII', signal }],
    beats: [
      [500, 1],
      [1000, 5],
    ],
  });
  const builder = new GraphBuilder();
  builder.input('x', ['N', 1, 64]);
  const flat = builder.node('Flatten', ['x']);
  const weight = builder.constant(
    { type: 'float32', dims: [64, 5], data: new Float32Array(320).fill(0.1) },
    'w',
  );
  builder.output(builder.node('MatMul', [flat, weight], {}, 'y'), ['N', 5]);
  await saveModel(builder.model(), join(folder, 'm.onnx'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('is what the option says, and stays in the model', async () => {
  const output = new KeptJournal();
  const plain = await loadNetwork(join(folder, 'm.onnx'));
  expect(plain.classifier.samplingRate).toBeUndefined();
  const defaults = { split: 'all', seed: 1 } as const;
  expect((await loadSamples(plain.classifier, { data: folder }, defaults, output)).rate).toBe(360);
  const asked = await loadSamples(plain.classifier, { data: folder, samplingRate: 100 }, defaults, output);
  expect(asked.rate).toBe(100);

  const told = await loadNetwork(join(folder, 'm.onnx'), { samplingRate: 200 });
  await saveModel(told.canonical, join(folder, 'told.onnx'));
  const { classifier } = await loadNetwork(join(folder, 'told.onnx'));
  expect(classifier.samplingRate).toBe(200);
  const dataset = await loadSamples(classifier, { data: folder }, defaults, output);
  expect(dataset.rate).toBe(200);
  expect(dataset.remarks?.join()).not.toContain('Hz');
});
